/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.c - the description of all this, as doc/openapi.json has it. */
#include "plugins/http-rest/rest.h"

void rest_openapi(struct rest_call *call)
{
  rest_json(call, wps->message->frame(
                      WPS_TEXT, (struct wps_bytes){rest_openapi_json,
                                                   rest_openapi_json_len}));
}
