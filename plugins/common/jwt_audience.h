/* SPDX-License-Identifier: Apache-2.0 */
/* jwt_audience.h - is a token meant for this URL of this server?
 *
 * Clients: azure-client.md 2.3. Servers: azure-server.md 8. Nothing here
 * allocates, and every function may be called from any thread.
 */
#ifndef WPS_COMMON_JWT_AUDIENCE_H
#define WPS_COMMON_JWT_AUDIENCE_H

#include <webpubsub/types.h>

/* Where the server is reached, without a scheme: http and https are equal,
 * because TLS may end in a proxy. Borrows from what it was read from. */
struct token_origin {
  struct wps_str host;
  uint32_t port;       /* 0: the default of whichever scheme, ...          */
  uint32_t is_port;    /* ... which is this one                            */
  struct wps_str base; /* path in front of all paths, without a last slash */
};

/* A configured endpoint, "https://pubsub.example.com". */
bool token_origin_from_url(struct wps_str url, struct token_origin *out);
/* A Host header, and whether the request came over TLS. */
bool token_origin_from_host(struct wps_str host, bool tls,
                            struct token_origin *out);

/* Does `aud` name `path` ("/client/hubs/chat") behind the origin, whatever the
 * case, or, unless legacy_hub is {NULL, 0}, "/client/?hub={legacy_hub}"? */
bool token_audience_client(struct wps_str aud,
                           const struct token_origin *origin,
                           struct wps_str path, struct wps_str legacy_hub);
/* Does `aud` name the decoded `path` of a request, which comes without the last
 * slash that it was sent with? Query, fragment and one last slash of `aud` do
 * not count, the case of the path does. */
bool token_audience_api(struct wps_str aud, const struct token_origin *origin,
                        struct wps_str path);
/* The same for a server that connects ("/server/tunnel"), whose hub has to be
 * the first argument `hub` of aud's query, whatever the case. */
bool token_audience_server(struct wps_str aud,
                           const struct token_origin *origin,
                           struct wps_str path, struct wps_str hub);

#endif
