/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - what an operator can say about a handler: keys of the plugin's
 * block, which are the defaults, and the same keys beside a handler's URL. */
#ifndef WEBHOOK_OPTIONS_H
#define WEBHOOK_OPTIONS_H

#include <webpubsub/types.h>

#include "plugins/common/cloudevents/url.h"

enum { RETRIES_MAX = 16 };
enum { AUTH_NONE = 0, AUTH_BEARER = 1, AUTH_CLIENT_CREDENTIALS = 2 };

/* Texts are the configuration's, which lives as long as the instance;
 * absent ones are {NULL, 0}. */
struct options {
  uint64_t timeout_ms;
  uint64_t connect_timeout_ms;
  uint64_t retry_ms[RETRIES_MAX];
  size_t retries;
  size_t in_flight;
  size_t queue;
  size_t queue_bytes;
  uint32_t breaker_failures;
  uint32_t auth; /* AUTH_* */
  bool validate, validate_loopback, refuse_private, http2;
  uint32_t reserved;
  struct wps_str ca, client_certificate, client_key;
  struct wps_str token;
  struct wps_str token_url, token_ca, client_id, client_secret, scope;
  struct wps_str resource;
};

extern const struct wps_config_schema options_block_schema;
extern const struct wps_config_schema options_handler_schema;

/* check() of the component and of one handler. Errors: EINVAL. */
int options_check_block(const struct wps_config *cfg);
int options_check_handler(const struct wps_config *cfg);

/* Each key from the handler, or else from the block. Keys that belong together
 * (auth; client_certificate and client_key) come from one of the two. */
void options_read(struct options *o, const struct wps_config *block,
                  const struct wps_config *handler);

#endif
