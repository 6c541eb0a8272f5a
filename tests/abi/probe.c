/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that crosses the boundary, reachable from one function, for abidw
 * to describe: the table of the host, the descriptor, and the structs that only
 * callbacks mention. */
#include <webpubsub/plugin.h>

const struct wps_host *wps;

WPS_EXPORT void probe(const struct wps_host *host,
                      const struct wps_plugin *plugin,
                      const struct wps_subprotocol *subprotocol,
                      const struct wps_auth *auth,
                      const struct wps_upstream *upstream);

void probe(const struct wps_host *host, const struct wps_plugin *plugin,
           const struct wps_subprotocol *subprotocol,
           const struct wps_auth *auth, const struct wps_upstream *upstream)
{
  (void)host;
  (void)plugin;
  (void)subprotocol;
  (void)auth;
  (void)upstream;
}
