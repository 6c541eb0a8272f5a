/* SPDX-License-Identifier: Apache-2.0 */
/* plug/status_name.h - the names behind wps->status_name. Thread: any. */
#ifndef WPS_PLUG_STATUS_NAME_H
#define WPS_PLUG_STATUS_NAME_H

#include "base/base.h"

/* "OK", "EAGAIN", ...; "?" when unknown. */
const char *status_name(int status);

#endif
