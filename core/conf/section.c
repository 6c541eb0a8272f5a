/* SPDX-License-Identifier: Apache-2.0 */
/* A map against a schema: every fault of it is collected, and the section that
 * comes out holds usable values in any case. */
#include "conf/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"
#include "base/utf8.h"

enum { SHOWN_MAX = 60, KNOWN_MAX = 256, CHOICES_TEXT = 256 };

/* One walk, of the whole section with those inside. */
struct walk {
  struct arena *mem;
  struct faults *faults;
  struct faults *reports;     /* where finished sections report to */
  const struct position *pin; /* a default is read: everything stands here */
  const char *seen, *copy;    /* the file name last copied */
  bool no_memory;
};

static struct wps_config *check_map(struct walk *w, const struct node *node,
                                    const struct position *at,
                                    const struct wps_config_schema *schema,
                                    const struct wps_config_schema *more,
                                    const char *const *ignored, bool absent,
                                    unsigned depth);

/* Positions outlive the document: names are copied, once in a row. */
static struct position place(struct walk *w, const struct position *at)
{
  struct position out = w->pin != NULL ? *w->pin : *at;

  if (out.file == NULL)
    return out;
  if (out.file != w->seen) {
    w->seen = out.file;
    w->copy = arena_str(w->mem, str_from(out.file)).ptr;
    if (w->copy == NULL)
      w->no_memory = true;
  }
  out.file = w->copy;
  return out;
}

struct wps_config_item schema_item(const struct wps_config_schema *schema,
                                   size_t index)
{
  struct wps_config_item item = {0};
  const char *at = (const char *)schema->items + index * schema->item_size;
  size_t size =
      schema->item_size < sizeof(item) ? schema->item_size : sizeof(item);

  memcpy(&item, at, size);
  return item;
}

static const char *found_text(const struct node *n)
{
  if (n->kind == NODE_LIST)
    return "a list";
  if (n->kind == NODE_MAP)
    return "a section";
  return node_is_null(n) ? "nothing" : "text";
}

static void choices_text(const struct wps_config_item *item, char *out,
                         size_t size)
{
  size_t used = 0, i;

  out[0] = '\0';
  for (i = 0; item->choices != NULL && item->choices[i] != NULL; i++) {
    int n = snprintf(out + used, size - used, "%s`%s`", i == 0 ? "" : ", ",
                     item->choices[i]);

    if (n < 0 || (size_t)n >= size - used)
      return;
    used += (size_t)n;
  }
}

static void expected_text(const struct wps_config_item *item, char *out,
                          size_t size)
{
  char choices[CHOICES_TEXT];

  switch (item->type) {
  case WPS_CONF_BOOL:
    snprintf(out, size, "true or false");
    break;
  case WPS_CONF_INT:
    snprintf(out, size, "a whole number");
    break;
  case WPS_CONF_DURATION_MS:
    snprintf(out, size, "a duration such as 500ms, 30s, 5m or 2h");
    break;
  case WPS_CONF_SIZE_BYTES:
    snprintf(out, size, "a size such as 512, 64k, 1m or 2g");
    break;
  case WPS_CONF_SECRET:
    snprintf(out, size, "file:PATH, env:NAME or the secret itself");
    break;
  case WPS_CONF_ENUM:
    choices_text(item, choices, sizeof(choices));
    snprintf(out, size, "one of %s", choices);
    break;
  case WPS_CONF_SECTION:
    snprintf(out, size, "a section (keys and values)");
    break;
  default:
    snprintf(out, size, "text");
    break;
  }
}

static void fault_kind(struct walk *w, const struct wps_config_item *item,
                       const struct node *n)
{
  struct position at = place(w, &n->at);
  char expected[CHOICES_TEXT + 64];
  bool list = (item->flags & WPS_CONF_LIST) != 0;

  expected_text(item, expected, sizeof(expected));
  faults_add(w->faults, &at, "`%s`: expected %s%s, found %s", item->key,
             list ? "a list whose elements are each " : "", expected,
             found_text(n));
}

/* A value of the right kind that does not do. */
static void fault_value(struct walk *w, const struct wps_config_item *item,
                        const struct node *n)
{
  struct position at = place(w, &n->at);
  struct wps_str shown = utf8_cut(n->scalar, SHOWN_MAX);
  const char *dots = shown.len < n->scalar.len ? "…" : "", *near = NULL;
  char expected[CHOICES_TEXT + 64];
  uint64_t number;
  size_t count = 0;

  if (item->type == WPS_CONF_DURATION_MS && str_to_u64(n->scalar, &number)) {
    faults_add(w->faults, &at,
               "`%s`: `%.*s%s` has no unit; write %.*s%sms, %.*s%ss, "
               "%.*s%sm or %.*s%sh",
               item->key, STR_ARG(shown), dots, STR_ARG(shown), dots,
               STR_ARG(shown), dots, STR_ARG(shown), dots, STR_ARG(shown),
               dots);
    return;
  }
  if (unserved(n->scalar) != NULL) {
    faults_add(w->faults, &at, "`%s`: `%.*s%s`: %s", item->key, STR_ARG(shown),
               dots, unserved(n->scalar));
    return;
  }
  if (item->type == WPS_CONF_ENUM && item->choices != NULL) {
    while (item->choices[count] != NULL)
      count++;
    near = nearest(n->scalar, item->choices, count);
  }
  expected_text(item, expected, sizeof(expected));
  if (near != NULL)
    faults_add(w->faults, &at, "`%s`: `%.*s%s` is not %s; did you mean `%s`?",
               item->key, STR_ARG(shown), dots, expected, near);
  else
    faults_add(w->faults, &at, "`%s`: `%.*s%s` is not %s", item->key,
               STR_ARG(shown), dots, expected);
}

static void number_text(uint32_t type, int64_t number, char *out, size_t size)
{
  if (type == WPS_CONF_DURATION_MS)
    units_duration_text(number, out, size);
  else if (type == WPS_CONF_SIZE_BYTES)
    units_size_text(number, out, size);
  else
    snprintf(out, size, "%" PRId64, number);
}

/* `number` is the value, or the length of a text. */
static bool check_range(struct walk *w, const struct wps_config_item *item,
                        const struct node *n, int64_t number)
{
  struct position at = place(w, &n->at);
  bool text = item->type == WPS_CONF_STRING || item->type == WPS_CONF_SECRET;
  bool no_max = item->max == 0 && item->min >= 0;
  char min[32], max[32], is[32];

  if (number >= item->min && (no_max || number <= item->max))
    return true;
  if (item->min == 0 && item->max == 0)
    return true;
  number_text(item->type, item->min, min, sizeof(min));
  number_text(item->type, item->max, max, sizeof(max));
  number_text(item->type, number, is, sizeof(is));
  if (text && number < item->min)
    faults_add(w->faults, &at, "`%s`: needs at least %s bytes, this has %s",
               item->key, min, is);
  else if (text)
    faults_add(w->faults, &at, "`%s`: can have at most %s bytes, this has %s",
               item->key, max, is);
  else if (no_max)
    faults_add(w->faults, &at, "`%s`: must be at least %s, not %s", item->key,
               min, is);
  else
    faults_add(w->faults, &at, "`%s`: must be between %s and %s, not %s",
               item->key, min, max, is);
  return false;
}

static bool parse_bool(struct wps_str s, int64_t *out)
{
  static const char *const words[] = {"false", "true", "no",
                                      "yes",   "off",  "on"};
  size_t i;

  for (i = 0; i < ARRAY_LEN(words); i++) {
    if (str_eq_c(s, words[i])) {
      *out = (int64_t)(i % 2);
      return true;
    }
  }
  return false;
}

static bool parse_int(struct wps_str s, int64_t *out)
{
  bool minus = str_starts(s, "-");
  uint64_t number;

  if (!str_to_u64(str_skip(s, minus ? 1 : 0), &number) || number > INT64_MAX)
    return false;
  *out = minus ? -(int64_t)number : (int64_t)number;
  return true;
}

static bool parse_choice(const struct wps_config_item *item, struct wps_str s,
                         int64_t *out)
{
  size_t i;

  for (i = 0; item->choices != NULL && item->choices[i] != NULL; i++) {
    if (str_eq_c(s, item->choices[i])) {
      *out = (int64_t)i;
      return true;
    }
  }
  return false;
}

static bool read_secret(struct walk *w, const struct wps_config_item *item,
                        const struct node *n, struct wps_str *out)
{
  struct position at = place(w, &n->at);
  char why[512], *text;
  size_t len;

  if (!parse_secret(n->scalar, &text, &len, why, sizeof(why))) {
    faults_add(w->faults, &at, "`%s`: %s", item->key, why);
    return false;
  }
  *out = arena_str(w->mem, (struct wps_str){text, len});
  explicit_bzero(text, len);
  free(text);
  if (out->ptr == NULL)
    w->no_memory = true;
  return out->ptr != NULL;
}

/* One scalar; false when there was a fault. */
static bool check_scalar(struct walk *w, const struct wps_config_item *item,
                         const struct node *n, struct value *out)
{
  struct value v = {0, STR_NONE};
  bool good;

  if (n->kind != NODE_SCALAR || node_is_null(n)) {
    fault_kind(w, item, n);
    return false;
  }
  switch (item->type) {
  case WPS_CONF_BOOL:
    good = parse_bool(n->scalar, &v.number);
    break;
  case WPS_CONF_INT:
    good = parse_int(n->scalar, &v.number);
    break;
  case WPS_CONF_DURATION_MS:
    good = parse_duration(n->scalar, &v.number);
    break;
  case WPS_CONF_SIZE_BYTES:
    good = parse_size(n->scalar, &v.number);
    break;
  case WPS_CONF_ENUM:
    good = parse_choice(item, n->scalar, &v.number);
    break;
  case WPS_CONF_SECRET:
    if (!read_secret(w, item, n, &v.text))
      return false;
    v.number = (int64_t)v.text.len;
    good = true;
    break;
  default:
    v.number = (int64_t)n->scalar.len;
    good = true;
    break;
  }
  if (!good) {
    fault_value(w, item, n);
    return false;
  }
  if (item->type != WPS_CONF_BOOL && item->type != WPS_CONF_ENUM &&
      !check_range(w, item, n, v.number))
    return false;
  if (item->type != WPS_CONF_SECRET) {
    v.text = arena_str(w->mem, n->scalar);
    if (v.text.ptr == NULL)
      w->no_memory = true;
  }
  *out = v;
  return true;
}

/* Fill the entry from what stands there (not null); false after a fault. */
static bool fill_entry(struct walk *w, struct entry *e, const struct node *n,
                       unsigned depth)
{
  bool list = (e->item.flags & WPS_CONF_LIST) != 0;
  const struct node *const *elements =
      n->kind == NODE_LIST ? (const struct node *const *)n->items : &n;
  size_t count = n->kind == NODE_LIST ? n->count : 1, i, kept = 0;
  bool section = e->item.type == WPS_CONF_SECTION, good = true;

  if (!list && n->kind == NODE_LIST) {
    fault_kind(w, &e->item, n);
    return false;
  }
  if (count == 0 && (e->item.flags & WPS_CONF_REQUIRED) != 0) {
    struct position at = place(w, &n->at);

    faults_add(w->faults, &at, "`%s`: needs at least one element", e->item.key);
    return false;
  }
  if (section)
    e->sections = arena_alloc(w->mem, (count + 1) * sizeof(*e->sections));
  else
    e->values = arena_alloc(w->mem, (count + 1) * sizeof(*e->values));
  if (e->sections == NULL && e->values == NULL) {
    w->no_memory = true;
    return false;
  }
  for (i = 0; i < count; i++) {
    const struct node *one = elements[i];

    if (!section) {
      good = check_scalar(w, &e->item, one, &e->values[kept]) && good;
    } else if (one->kind != NODE_MAP && !(node_is_null(one) && list)) {
      fault_kind(w, &e->item, one);
      good = false;
      continue;
    } else {
      e->sections[kept] = check_map(w, one, &one->at, e->item.items, NULL, NULL,
                                    false, depth + 1);
    }
    kept++;
  }
  e->count = kept;
  return good;
}

static void fault_default(struct walk *w, const struct wps_config_item *item,
                          const struct position *at)
{
  faults_add(w->faults, at,
             "`%s`: the default `%s` does not fit the schema; report this to "
             "who wrote it",
             item->key, item->fallback);
}

/* Defaults are written as in a file and take the same way. */
static void fill_default(struct walk *w, struct entry *e,
                         const struct position *at, unsigned depth)
{
  struct wps_str text = str_from(e->item.fallback);
  struct walk inner = *w;
  struct document doc = {.root = NULL};
  struct node scalar = {.kind = NODE_SCALAR, .quoted = true, .scalar = text};
  struct node *n = &scalar;

  e->count = 0;
  e->values = NULL;
  e->sections = NULL;
  inner.pin = at;
  inner.faults = faults_new();
  if (inner.faults == NULL) {
    w->no_memory = true;
    return;
  }
  if ((e->item.flags & WPS_CONF_LIST) != 0 ||
      e->item.type == WPS_CONF_SECTION) {
    n = document_read(&doc, "default", NULL, text.ptr, text.len, inner.faults);
    if (n == NULL)
      inner.no_memory = true;
  }
  if (n != NULL &&
      (!fill_entry(&inner, e, n, depth) || faults_count(inner.faults) > 0)) {
    fault_default(w, &e->item, at);
    e->count = 0;
  }
  w->no_memory = w->no_memory || inner.no_memory;
  arena_free(&doc.mem);
  faults_free(inner.faults);
}

/* What an absent key gives: its default, or for a section all of its own. */
static void fill_absent(struct walk *w, struct entry *e,
                        const struct position *at, unsigned depth)
{
  if (e->item.fallback != NULL) {
    fill_default(w, e, at, depth);
    return;
  }
  e->count = 0;
  e->values = NULL;
  e->sections = NULL;
  if (e->item.type != WPS_CONF_SECTION || (e->item.flags & WPS_CONF_LIST) != 0)
    return;
  e->sections = arena_alloc(w->mem, sizeof(*e->sections));
  if (e->sections == NULL) {
    w->no_memory = true;
    return;
  }
  e->sections[0] =
      check_map(w, NULL, at, e->item.items, NULL, NULL, true, depth + 1);
}

static bool is_ignored(const char *const *ignored, struct wps_str key)
{
  for (; ignored != NULL && *ignored != NULL; ignored++) {
    if (str_eq_c(key, *ignored))
      return true;
  }
  return false;
}

static size_t add_known(const char **known, size_t count,
                        const struct wps_config_schema *schema)
{
  size_t i;

  for (i = 0; schema != NULL && i < schema->item_count; i++) {
    if (count < KNOWN_MAX)
      known[count++] = schema_item(schema, i).key;
  }
  return count;
}

/* The section that declares the key which stands beside it. */
static const char *section_with(const struct wps_config_schema *schema,
                                struct wps_str key)
{
  size_t i, k;

  for (i = 0; schema != NULL && i < schema->item_count; i++) {
    struct wps_config_item item = schema_item(schema, i);

    for (k = 0; item.items != NULL && k < item.items->item_count; k++) {
      if (str_eq_c(key, schema_item(item.items, k).key))
        return item.key;
    }
  }
  return NULL;
}

static void fault_unknown(struct walk *w, struct wps_str key,
                          const struct position *key_at,
                          const struct wps_config_schema *schema,
                          const struct wps_config_schema *more,
                          const char *const *ignored)
{
  struct position at = place(w, key_at);
  struct wps_str shown = utf8_cut(key, SHOWN_MAX);
  const char *known[KNOWN_MAX], *ours = foreign_name(key), *inside;
  const char *never = unserved(ours != NULL ? str_from(ours) : key);
  const char *dots = shown.len < key.len ? "…" : "";
  size_t count = add_known(known, add_known(known, 0, schema), more);

  for (; ignored != NULL && *ignored != NULL && count < KNOWN_MAX; ignored++)
    known[count++] = *ignored;
  if (never != NULL) {
    faults_add(w->faults, &at, "unknown key `%.*s%s`: %s", STR_ARG(shown), dots,
               never);
    return;
  }
  if (ours != NULL) {
    faults_add(w->faults, &at, "unknown key `%.*s%s`; here it is called `%s`",
               STR_ARG(shown), dots, ours);
    return;
  }
  ours = nearest(key, known, count);
  inside = section_with(schema, key);
  if (ours == NULL && inside != NULL)
    faults_add(w->faults, &at, "unknown key `%.*s%s`; it belongs into `%s`",
               STR_ARG(shown), dots, inside);
  else if (ours != NULL)
    faults_add(w->faults, &at, "unknown key `%.*s%s`; did you mean `%s`?",
               STR_ARG(shown), dots, ours);
  else
    faults_add(w->faults, &at, "unknown key `%.*s%s`", STR_ARG(shown), dots);
}

static void check_entry(struct walk *w, struct entry *e,
                        const struct node *node, const struct position *at,
                        bool absent, unsigned depth)
{
  struct node *n = node_get(node, e->item.key);

  e->at = *at;
  if (n != NULL)
    e->at = place(w, &n->at);
  e->written = n != NULL && !node_is_null(n);
  if (e->written && fill_entry(w, e, n, depth))
    return;
  if (!e->written && !absent && (e->item.flags & WPS_CONF_REQUIRED) != 0)
    faults_add(w->faults, &e->at, "the key `%s` is missing", e->item.key);
  /* After a fault sections stay as they are: those inside are complete. */
  if (e->written && e->item.type == WPS_CONF_SECTION && e->count > 0)
    return;
  fill_absent(w, e, at, depth);
}

static bool is_declared(const struct wps_config *cfg, struct wps_str key)
{
  size_t i;

  for (i = 0; i < cfg->entry_count; i++) {
    if (str_eq_c(key, cfg->entries[i].item.key))
      return true;
  }
  return false;
}

static struct wps_config *check_map(struct walk *w, const struct node *node,
                                    const struct position *at,
                                    const struct wps_config_schema *schema,
                                    const struct wps_config_schema *more,
                                    const char *const *ignored, bool absent,
                                    unsigned depth)
{
  struct wps_config *cfg = arena_alloc(w->mem, sizeof(*cfg));
  const struct wps_config_schema *both[] = {schema, more};
  size_t total = 0, i, k;

  CHECK(depth <= 2 * CONF_DEPTH_MAX); /* else a schema contains itself */
  for (i = 0; i < ARRAY_LEN(both); i++)
    total += both[i] == NULL ? 0 : both[i]->item_count;
  if (cfg != NULL)
    cfg->entries = arena_alloc(w->mem, (total + 1) * sizeof(*cfg->entries));
  if (cfg == NULL || cfg->entries == NULL) {
    w->no_memory = true;
    return NULL;
  }
  cfg->faults = w->reports;
  cfg->at = place(w, at);
  for (i = 0; i < ARRAY_LEN(both); i++) {
    for (k = 0; both[i] != NULL && k < both[i]->item_count; k++) {
      struct entry *e = &cfg->entries[cfg->entry_count];

      e->item = schema_item(both[i], k);
      if (section_entry(cfg, e->item.key) != NULL)
        continue; /* the first of two schemas has the key */
      cfg->entry_count++;
      if (is_ignored(ignored, str_from(e->item.key)))
        e->at = cfg->at;
      else
        check_entry(w, e, node, &cfg->at, absent, depth);
    }
  }
  for (i = 0; node != NULL && node->kind == NODE_MAP && i < node->count; i++) {
    if (!is_declared(cfg, node->keys[i]) && !is_ignored(ignored, node->keys[i]))
      fault_unknown(w, node->keys[i], &node->key_at[i], schema, more, ignored);
  }
  return cfg;
}

struct wps_config *section_check(const struct node *node,
                                 const struct position *parent,
                                 const struct wps_config_schema *schema,
                                 const struct wps_config_schema *more,
                                 const char *const *ignored, struct faults *f)
{
  static const struct position nowhere;
  struct arena mem = {NULL};
  struct walk w = {.mem = &mem, .faults = f, .reports = f};
  bool usable = node == NULL || node->kind == NODE_MAP || node_is_null(node);
  struct wps_config *cfg;

  if (parent == NULL)
    parent = &nowhere;
  if (!usable)
    faults_add(f, &node->at, "expected a section (keys and values), found %s",
               found_text(node));
  cfg = check_map(&w, node, node != NULL ? &node->at : parent, schema, more,
                  ignored, !usable, 0);
  if (cfg == NULL || w.no_memory) {
    arena_free(&mem);
    return NULL;
  }
  cfg->own = mem;
  return cfg;
}

void section_free(struct wps_config *cfg)
{
  struct arena mem;

  if (cfg == NULL)
    return;
  mem = cfg->own;
  arena_free(&mem);
}
