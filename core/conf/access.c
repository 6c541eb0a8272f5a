/* SPDX-License-Identifier: Apache-2.0 */
/* The table behind wps->config. A getter cannot fail: what it is asked for has
 * been checked when the section was made, and the rest is a bug of the caller.
 */
#include "conf/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

enum { MESSAGE_MAX = 1024 };

enum {
  NUMBERS = 1 << WPS_CONF_INT | 1 << WPS_CONF_DURATION_MS |
            1 << WPS_CONF_SIZE_BYTES | 1 << WPS_CONF_ENUM,
  TEXTS = 1 << WPS_CONF_STRING | 1 << WPS_CONF_SECRET | 1 << WPS_CONF_ENUM,
  SECTIONS = 1 << WPS_CONF_SECTION,
  BOOLS = 1 << WPS_CONF_BOOL,
  ANYTHING = 0xffff
};

struct entry *section_entry(const struct wps_config *cfg, const char *key)
{
  size_t i;

  for (i = 0; i < cfg->entry_count; i++) {
    if (strcmp(cfg->entries[i].item.key, key) == 0)
      return &cfg->entries[i];
  }
  return NULL;
}

/* `types` are those that the getter is for; NULL in release builds when the
 * schema does not have such a key. */
static const struct entry *declared(const struct wps_config *cfg,
                                    const char *key, unsigned types)
{
  const struct entry *e = section_entry(cfg, key);

#ifdef WPS_DEBUG
  if (e == NULL)
    check_failed(__FILE__, __LINE__,
                 "the configuration key `%s` is not in the schema", key);
  if ((types >> e->item.type & 1) == 0)
    check_failed(__FILE__, __LINE__,
                 "the configuration key `%s` is of another type", key);
#endif
  return e != NULL && (types >> e->item.type & 1) != 0 ? e : NULL;
}

static const struct value *value_at(const struct wps_config *cfg,
                                    const char *key, size_t index,
                                    unsigned types)
{
  static const struct value none;
  const struct entry *e = declared(cfg, key, types);

  return e == NULL || index >= e->count || e->values == NULL
             ? &none
             : &e->values[index];
}

static bool get_bool(const struct wps_config *cfg, const char *key)
{
  return value_at(cfg, key, 0, BOOLS)->number != 0;
}

static int64_t get_int(const struct wps_config *cfg, const char *key)
{
  return value_at(cfg, key, 0, NUMBERS)->number;
}

static struct wps_str get_str(const struct wps_config *cfg, const char *key)
{
  return value_at(cfg, key, 0, TEXTS)->text;
}

static size_t get_count(const struct wps_config *cfg, const char *key)
{
  const struct entry *e = declared(cfg, key, ANYTHING);

  return e == NULL ? 0 : e->count;
}

static struct wps_str str_at(const struct wps_config *cfg, const char *key,
                             size_t index)
{
  return value_at(cfg, key, index, ANYTHING & ~SECTIONS)->text;
}

static int64_t int_at(const struct wps_config *cfg, const char *key,
                      size_t index)
{
  return value_at(cfg, key, index, NUMBERS)->number;
}

static const struct wps_config *section_at(const struct wps_config *cfg,
                                           const char *key, size_t index)
{
  const struct entry *e = declared(cfg, key, SECTIONS);
  bool list;

  if (e == NULL || e->sections == NULL)
    return NULL;
  list = (e->item.flags & WPS_CONF_LIST) != 0;
  return index < e->count || (index == 0 && !list) ? e->sections[index] : NULL;
}

static int error(const struct wps_config *cfg, const char *key, const char *fmt,
                 ...)
{
  struct position at = section_position(cfg, key);
  char message[MESSAGE_MAX];
  va_list args;

#ifdef WPS_DEBUG
  if (key != NULL)
    (void)declared(cfg, key, ANYTHING);
#endif
  va_start(args, fmt);
  if (vsnprintf(message, sizeof(message), fmt, args) < 0)
    message[0] = '\0';
  va_end(args);
  if (cfg->faults != NULL && key != NULL)
    faults_add(cfg->faults, &at, "`%s`: %s", key, message);
  else if (cfg->faults != NULL)
    faults_add(cfg->faults, &at, "%s", message);
  return WPS_EINVAL;
}

struct position section_position(const struct wps_config *cfg, const char *key)
{
  const struct entry *e = key == NULL ? NULL : section_entry(cfg, key);

  return e == NULL ? cfg->at : e->at;
}

bool section_has(const struct wps_config *cfg, const char *key)
{
  const struct entry *e = declared(cfg, key, ANYTHING);

  return e != NULL && e->written;
}

struct faults *section_faults(const struct wps_config *cfg)
{
  return cfg->faults;
}

const struct wps_config_api config_api = {
    .struct_size = sizeof(struct wps_config_api),
    .get_bool = get_bool,
    .get_int = get_int,
    .get_str = get_str,
    .has = section_has,
    .count = get_count,
    .str_at = str_at,
    .int_at = int_at,
    .section_at = section_at,
    .error = error,
};
