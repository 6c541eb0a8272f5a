/* SPDX-License-Identifier: Apache-2.0 */
/* url.h - the URL of an event handler, with {hub} and {event} in it
 * (azure-server.md 3.2). Pure. Thread: any. */
#ifndef CLOUDEVENTS_URL_H
#define CLOUDEVENTS_URL_H

#include <webpubsub/types.h>

struct text;

enum { URL_TEMPLATE_MAX = 8192 };

/* Borrows from the text that it was read from. */
struct url_template {
  struct wps_str text;
  struct wps_str host; /* as written; IPv6 with its brackets */
  size_t path;         /* where path or query begin in text  */
  uint32_t port;       /* 80 or 443 when not written         */
  bool tls;
  bool numeric; /* an address, or localhost: no resolver */
  bool loopback;
  bool has_hub; /* {hub} is in it */
};

/* Errors: EINVAL, with a sentence for the operator in `why`. */
int url_template_read(struct wps_str text, struct url_template *out, char *why,
                      size_t why_size);

/* The same of "tunnel:///..." (9.2). */
int url_tunnel_read(struct wps_str text, struct url_template *out, char *why,
                    size_t why_size);

/* The URL of one event, each parameter as one segment in percent-encoding.
 * Appended to `out`, which says itself when memory ran out. */
void url_template_fill(const struct url_template *t, struct wps_str hub,
                       struct wps_str event, struct text *out);

/* Without query, which may hold a key: what a log may show. */
struct wps_str url_for_log(struct wps_str url);

/* Appended to `out`: unreserved characters of RFC 3986 stay. */
void url_encode(struct text *out, struct wps_str value);

#endif
