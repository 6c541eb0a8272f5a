/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/config.h - how a component declares and reads its configuration.
 *
 * The core parses the file, checks it against the declared schema, fills in
 * defaults and only then creates the component. A getter therefore cannot
 * fail: asking for an undeclared key is a bug and aborts in debug builds.
 */
#ifndef WEBPUBSUB_CONFIG_H
#define WEBPUBSUB_CONFIG_H

#include <webpubsub/types.h>

WPS_BEGIN_DECLS

enum {
  WPS_CONF_BOOL = 1,
  WPS_CONF_INT,         /* int64_t, `min`..`max`                             */
  WPS_CONF_DURATION_MS, /* "250ms", "30s", "2h"; stored in milliseconds      */
  WPS_CONF_SIZE_BYTES,  /* "64k", "1m"; stored in bytes                      */
  WPS_CONF_STRING,
  WPS_CONF_SECRET,      /* a string, or file:PATH, or env:NAME; never logged */
  WPS_CONF_ENUM,        /* one of `choices`; stored as its index             */
  WPS_CONF_SECTION      /* nested; described by `items`                      */
};

enum { WPS_CONF_REQUIRED = 1 << 0, WPS_CONF_LIST = 1 << 1 };

struct wps_config_item {
  const char *key;
  uint32_t type;                       /* WPS_CONF_*                         */
  uint32_t flags;
  const char *fallback;                /* default as written in the file     */
  int64_t min, max;                    /* of a number, or of a text's bytes; */
                                       /*   both 0: unbounded                */
  const char *const *choices;          /* NULL-terminated, WPS_CONF_ENUM     */
  const struct wps_config_schema *items;   /* WPS_CONF_SECTION               */
  const char *help;                    /* one line; becomes the manual       */
};

struct wps_config_schema {
  uint32_t struct_size;
  uint32_t item_size;                  /* sizeof(struct wps_config_item)     */
  const struct wps_config_item *items;
  size_t item_count;
};

#define WPS_CONFIG_SCHEMA(array)                                              \
  { sizeof(struct wps_config_schema), sizeof((array)[0]), (array),            \
    sizeof(array) / sizeof((array)[0]) }

struct wps_config_api {
  uint32_t struct_size, reserved;

  /* get_int() also for durations, sizes and the index of an enum; get_str()
   * for secrets and the word of an enum, too, and {NULL, 0} where nothing was
   * written and there is no default.
   * Thread: any. Lifetime: results live as long as `cfg`, which lives until
   * the component's destroy() has returned. */
  bool (*get_bool)(const struct wps_config *cfg, const char *key);
  int64_t (*get_int)(const struct wps_config *cfg, const char *key);
  struct wps_str (*get_str)(const struct wps_config *cfg, const char *key);

  /* Was it written in the file (or by --set), be it with the default's value?
   * For keys that inherit from elsewhere. Thread: any. */
  bool (*has)(const struct wps_config *cfg, const char *key);

  /* Lists and nested sections; index below count(), which is 0 or 1 for an
   * item without WPS_CONF_LIST. Thread: any. Lifetime: as above. */
  size_t (*count)(const struct wps_config *cfg, const char *key);
  struct wps_str (*str_at)(const struct wps_config *cfg, const char *key,
                           size_t index);
  int64_t (*int_at)(const struct wps_config *cfg, const char *key,
                    size_t index);
  const struct wps_config *(*section_at)(const struct wps_config *cfg,
                                         const char *key, size_t index);

  /* Report a fault in the value of `key` (NULL: in the section as a whole).
   * The core prints "FILE:LINE:COLUMN: `key`: message" and goes on collecting,
   * so that an operator sees all faults of a file at once. Always returns
   * WPS_EINVAL, ready to be returned. Thread: main, inside check()/create().
   * Errors: EINVAL, always. */
  int (*error)(const struct wps_config *cfg, const char *key, const char *fmt,
               ...) WPS_PRINTF(3, 4);
};

WPS_END_DECLS

#endif
