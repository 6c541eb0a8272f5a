/* SPDX-License-Identifier: Apache-2.0 */
/* path.h - the names in a path, and the URL in front of it. */
#ifndef WPS_REST_PATH_H
#define WPS_REST_PATH_H

#include <webpubsub/host.h>

/* The core decodes names once. The service leaves %2F as it is, so that a user
 * "a%2Fb" is called that; `legacy` does the same, from the raw path. */
struct path {
  const struct wps_request *req;
  const char *pattern; /* NULL: the core's decoding holds */
  char *room;          /* owned; for each name once */
  size_t size, used;
};

/* Errors: ENOMEM. */
int path_read(struct path *path, const struct wps_request *req,
              const char *pattern, bool legacy);
void path_free(struct path *path);
/* {NULL,0} when the pattern has no such parameter. Asked once for each name.
 * Lives as long as path and request. */
struct wps_str path_param(struct path *path, const char *name);

/* Where this server is, as this client knows it, without a slash at the end:
 * the configured endpoint that its Host names, else the first one, else scheme
 * and Host. `scheme` is empty where `rest` has it. */
struct path_base {
  struct wps_str scheme;
  struct wps_str rest;
};
struct path_base path_base(const struct wps_request *req);

#endif
