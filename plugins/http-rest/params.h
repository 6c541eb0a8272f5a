/* SPDX-License-Identifier: Apache-2.0 */
/* params.h - query parameters, and what names and versions may look like.
 * Pure but for the request that is read. Thread: the worker of the request.
 */
#ifndef WPS_REST_PARAMS_H
#define WPS_REST_PARAMS_H

#include <webpubsub/types.h>

/* Names of parameters count in any case. */

/* Given once at most; {NULL,0} when absent. Errors: EINVAL (twice, or not
 * UTF-8). */
int param_text(const struct wps_request *req, const char *name,
               struct wps_str *out);
/* Digits only. Errors: EINVAL (twice, empty, no number, out of range). */
int param_int(const struct wps_request *req, const char *name, uint32_t min,
              uint32_t max, uint32_t fallback, uint32_t *out);
/* All values, those that are empty only with `empty`; *out is allocated, NULL
 * for none. Errors: EINVAL (not UTF-8), ENOMEM. */
int param_list(const struct wps_request *req, const char *name, bool empty,
               struct wps_str **out, size_t *count);

/* The pattern of azure-server.md section 2; `out` gets it in lower case. */
bool hub_name_read(struct wps_str name, char *out, size_t room);

/* WPS_ACT_*, or 0. */
uint32_t permission_read(struct wps_str name);

/* One of the published versions, or, with `newer`, a date behind them up to a
 * year after this source. */
bool api_version_ok(struct wps_str version, bool newer);

#endif
