/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/token_answer.h"

#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/common/json_scan.h"

enum { UNSAID_S = 300 };

static int read_expiry(const struct json_value *v, uint64_t *out)
{
  struct json_value number = *v;

  if (v->type == SCAN_STRING && !v->escaped) { /* some write "3599" */
    number.ptr++;
    number.len -= 2;
    number.type = SCAN_NUMBER;
  }
  return json_scan_u64(&number, out);
}

/* The last one of each name counts. */
static int find(struct wps_str body, struct json_value *token,
                uint64_t *expires_in)
{
  struct json_member m;
  struct json_scan scan;
  int rc = json_scan_object(&scan, body);

  if (rc != WPS_OK)
    return rc;
  while ((rc = json_scan_member(&scan, &m)) == 1) {
    if (json_scan_equal(&m.key, STR("access_token"), false))
      *token = m.value;
    else if (json_scan_equal(&m.key, STR("expires_in"), false) &&
             (read_expiry(&m.value, expires_in) != WPS_OK || *expires_in == 0))
      *expires_in = UNSAID_S;
  }
  return rc;
}

static bool fits_header(struct wps_str s)
{
  for (size_t i = 0; i < s.len; i++)
    if ((unsigned char)s.ptr[i] < 0x21 || (unsigned char)s.ptr[i] > 0x7e)
      return false;
  return s.len > 0;
}

int token_answer_read(struct wps_str body, struct text *token,
                      uint64_t *expires_in, const char **why)
{
  struct json_value value = {0};
  struct wps_str plain;
  char *room;
  int rc = WPS_OK;

  *expires_in = UNSAID_S;
  *why = "the answer of token_url is no JSON object";
  if (find(body, &value, expires_in) != WPS_OK)
    return WPS_EPROTO;
  *why = "the answer of token_url has no access_token";
  if (value.type != SCAN_STRING)
    return WPS_EPROTO;
  room = malloc(value.len);
  if (room == NULL)
    return WPS_ENOMEM;
  plain = (struct wps_str){room, json_scan_text(&value, room)};
  *why = "the access_token of token_url cannot stand in a header";
  if (fits_header(plain))
    text_add_str(token, plain);
  else
    rc = WPS_EPROTO;
  explicit_bzero(room, value.len);
  free(room);
  return rc;
}
