/* SPDX-License-Identifier: Apache-2.0 */
/* conf/manual.h - a schema becomes reference text. */
#ifndef WPS_CONF_MANUAL_H
#define WPS_CONF_MANUAL_H

#include "base/buf.h"

#include <webpubsub/config.h>

/* mdoc items (".It Sy key ...") with type, default, range and help, sections
 * indented; `prefix` is put before every key ("plugins.auth-jwt."). */
int manual_mdoc(struct buf *out, const char *prefix,
                const struct wps_config_schema *schema);
/* YAML with every key at its default and the help line as comment, for
 * --print-defaults; `indent` spaces in front. Keys without default are
 * commented out. */
int manual_yaml(struct buf *out, unsigned indent,
                const struct wps_config_schema *schema);

/* A plugin's part of the pages below. */
struct manual_block {
  const char *name;                       /* "auth-jwt"                     */
  const char *summary;                    /* one line                       */
  const struct wps_config_schema *schema; /* NULL: takes no configuration   */
  const struct wps_config_schema *handler_schema; /* of upstreams, or NULL  */
};

/* webpubsubd.yaml(5) and doc/configuration.md: the server's own keys and those
 * of the plugins given, by name. Errors: ENOMEM, also when `out` is full. */
int manual_page_yaml5(struct buf *out, const struct manual_block *blocks,
                      size_t count);
int manual_page_markdown(struct buf *out, const struct manual_block *blocks,
                         size_t count);
/* The whole configuration at its defaults, blocks of plugins included, as
 * `webpubsubd --print-defaults` prints it; it is a valid configuration. */
int manual_defaults(struct buf *out, const struct manual_block *blocks,
                    size_t count);

#endif
