/* SPDX-License-Identifier: Apache-2.0 */
/* path.h - URLs of REST requests that come out of a tunnel. Pure. Thread: any.
 */
#ifndef TUNNEL_PATH_H
#define TUNNEL_PATH_H

#include <webpubsub/types.h>

/* Path and query; scheme and host do not count. False: it has no path. */
bool path_target(struct wps_str url, struct wps_str *target);
/* Without its query and fragment. */
struct wps_str path_only(struct wps_str url);
/* "/api/hubs/HUB/...", in any case and escaping of HUB. */
bool path_is_of_hub(struct wps_str target, struct wps_str hub);

bool str_suffix_fold(struct wps_str s, struct wps_str suffix);

#endif
