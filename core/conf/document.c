/* SPDX-License-Identifier: Apache-2.0 */
/* Events of libyaml become a tree of nodes; what YAML has beyond plain maps,
 * lists and scalars is refused here. */
#include "conf/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "base/str.h"
#include "base/table.h"
#include "base/utf8.h"

/* The likely reason: `user_events: *`. */
#define QUOTE_STARS "put a text that begins with * in quotes"

struct reader {
  yaml_parser_t yaml;
  struct document *doc;
  struct faults *faults;
  const char *name; /* in the document's memory */
  bool no_lines;
  bool stopped; /* nothing sensible follows: syntax error or depth */
  bool no_memory;
};

static struct position place(const struct reader *r, yaml_mark_t mark)
{
  struct position at = {r->name, 0, 0};

  if (!r->no_lines) {
    at.line = mark.line < UINT32_MAX ? (uint32_t)mark.line + 1 : UINT32_MAX;
    at.column =
        mark.column < UINT32_MAX ? (uint32_t)mark.column + 1 : UINT32_MAX;
  }
  return at;
}

/* Where the byte at `offset` stands; columns count characters. */
static struct position place_of_byte(const struct reader *r, const char *text,
                                     size_t offset)
{
  yaml_mark_t mark = {0, 0, 0};
  size_t i;

  for (i = 0; i < offset; i++) {
    if (text[i] == '\n') {
      mark.line++;
      mark.column = 0;
    } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
      mark.column++;
    }
  }
  return place(r, mark);
}

/* What is left of the text will not be seen. */
static void cut_short(struct reader *r)
{
  r->stopped = true;
  r->doc->cut = true;
}

static void syntax_fault(struct reader *r, const char *text)
{
  const yaml_parser_t *y = &r->yaml;
  const char *problem = y->problem == NULL ? "cannot be read" : y->problem;
  struct position at;

  cut_short(r);
  if (y->error == YAML_MEMORY_ERROR) {
    r->no_memory = true;
    return;
  }
  if (y->error == YAML_READER_ERROR) {
    at = place_of_byte(r, text, y->problem_offset);
    faults_add(r->faults, &at, "not YAML: %s", problem);
    return;
  }
  if (y->context != NULL &&
      strcmp(y->context, "while scanning an alias") == 0) {
    at = place(r, y->context_mark);
    faults_add(r->faults, &at, "not YAML: " QUOTE_STARS);
    return;
  }
  at = place(r, y->problem_mark);
  if (y->context == NULL)
    faults_add(r->faults, &at, "not YAML: %s", problem);
  else if (r->no_lines)
    faults_add(r->faults, &at, "not YAML: %s, %s", y->context, problem);
  else
    faults_add(r->faults, &at, "not YAML: %s that begins in line %zu, %s",
               y->context, y->context_mark.line + 1, problem);
}

/* False at the end of what can be read; else the caller deletes the event. */
static bool next_event(struct reader *r, yaml_event_t *ev, const char *text)
{
  if (r->stopped || r->no_memory)
    return false;
  if (!yaml_parser_parse(&r->yaml, ev)) {
    syntax_fault(r, text);
    return false;
  }
  return true;
}

struct node *node_new(struct document *d, enum node_kind kind,
                      struct position at)
{
  struct node *n = arena_alloc(&d->mem, sizeof(*n));

  if (n != NULL) {
    n->kind = kind;
    n->at = at;
    n->scalar = STR("");
  }
  return n;
}

bool node_grow(struct document *d, struct node *n)
{
  size_t room = n->count < 4 ? 4 : n->count * 2;
  struct node **items;
  struct wps_str *keys;
  struct position *key_at;

  /* Filled arrays always hold a power of two, from 4 on. */
  if (n->items != NULL && (n->count < 4 || (n->count & (n->count - 1)) != 0))
    return true;
  items = arena_alloc(&d->mem, room * sizeof(struct node *));
  if (items == NULL)
    return false;
  if (n->count > 0)
    memcpy(items, n->items, n->count * sizeof(struct node *));
  if (n->kind == NODE_MAP) {
    keys = arena_alloc(&d->mem, room * sizeof(*keys));
    key_at = arena_alloc(&d->mem, room * sizeof(*key_at));
    if (keys == NULL || key_at == NULL)
      return false;
    if (n->count > 0) {
      memcpy(keys, n->keys, n->count * sizeof(*keys));
      memcpy(key_at, n->key_at, n->count * sizeof(*key_at));
    }
    n->keys = keys;
    n->key_at = key_at;
  }
  n->items = items;
  return true;
}

bool node_is_null(const struct node *n)
{
  return n->kind == NODE_SCALAR && !n->quoted &&
         (n->scalar.len == 0 || str_eq_c(n->scalar, "~") ||
          str_eq_c(n->scalar, "null"));
}

static bool keys_equal(const struct node *a, const struct node *b)
{
  for (size_t i = 0; i < a->count; i++) {
    size_t k = 0;

    while (k < b->count && !str_eq(a->keys[i], b->keys[k]))
      k++;
    if (k == b->count || !node_equal(a->items[i], b->items[k]))
      return false;
  }
  return true;
}

bool node_equal(const struct node *a, const struct node *b)
{
  bool no_a = a == NULL || node_is_null(a), no_b = b == NULL || node_is_null(b);

  if (no_a || no_b)
    return no_a == no_b;
  if (a->kind != b->kind || a->count != b->count)
    return false;
  if (a->kind == NODE_SCALAR)
    return str_eq(a->scalar, b->scalar);
  if (a->kind == NODE_MAP)
    return keys_equal(a, b);
  for (size_t i = 0; i < a->count; i++)
    if (!node_equal(a->items[i], b->items[i]))
      return false;
  return true;
}

struct node *node_get(const struct node *map, const char *key)
{
  size_t i;

  if (map == NULL || map->kind != NODE_MAP)
    return NULL;
  for (i = 0; i < map->count; i++) {
    if (str_eq_c(map->keys[i], key))
      return map->items[i];
  }
  return NULL;
}

/* Their names are not shown: an unquoted secret may begin like this. */
static void refuse_anchor_and_tag(struct reader *r, const yaml_event_t *ev,
                                  const yaml_char_t *anchor,
                                  const yaml_char_t *tag)
{
  struct position at = place(r, ev->start_mark);

  if (anchor != NULL)
    faults_add(r->faults, &at, "anchors (&name) are not supported");
  if (tag != NULL)
    faults_add(r->faults, &at,
               "tags (!name) are not supported; the key says of which type "
               "its value is");
}

static struct node *read_node(struct reader *r, yaml_event_t *ev,
                              unsigned depth, const char *text);

static bool add_item(struct reader *r, struct node *n, struct node *item)
{
  if (!node_grow(r->doc, n)) {
    r->no_memory = true;
    return false;
  }
  n->items[n->count++] = item;
  return true;
}

static void read_list(struct reader *r, struct node *n, unsigned depth,
                      const char *text)
{
  yaml_event_t ev;
  struct node *item;

  while (next_event(r, &ev, text)) {
    if (ev.type == YAML_SEQUENCE_END_EVENT) {
      yaml_event_delete(&ev);
      return;
    }
    item = read_node(r, &ev, depth, text);
    if (item == NULL || !add_item(r, n, item))
      return;
  }
}

static struct wps_str node_key(const void *value)
{
  return ((const struct node *)value)->scalar;
}

static void add_entry(struct reader *r, struct node *n, struct table *seen,
                      struct node *key, struct node *value)
{
  const struct node *first;
  int status;

  if (key->kind != NODE_SCALAR) {
    faults_add(r->faults, &key->at, "a key has to be text");
    return;
  }
  status = table_put(seen, key);
  if (status == WPS_EEXIST) {
    first = table_get(seen, key->scalar);
    if (r->no_lines)
      faults_add(r->faults, &key->at, "duplicate key `%.*s`",
                 STR_ARG(key->scalar));
    else
      faults_add(r->faults, &key->at,
                 "duplicate key `%.*s`; it is also in line %u",
                 STR_ARG(key->scalar), first->at.line);
    return;
  }
  if (status != WPS_OK || !node_grow(r->doc, n)) {
    r->no_memory = true;
    return;
  }
  n->keys[n->count] = key->scalar;
  n->key_at[n->count] = key->at;
  n->items[n->count++] = value;
}

static void read_map(struct reader *r, struct node *n, unsigned depth,
                     const char *text)
{
  yaml_event_t ev;
  struct table seen;
  struct node *key, *value;

  table_init(&seen, node_key);
  while (next_event(r, &ev, text)) {
    if (ev.type == YAML_MAPPING_END_EVENT) {
      yaml_event_delete(&ev);
      break;
    }
    key = read_node(r, &ev, depth, text);
    if (key == NULL || !next_event(r, &ev, text))
      break;
    value = read_node(r, &ev, depth, text);
    if (value == NULL)
      break;
    add_entry(r, n, &seen, key, value);
  }
  table_free(&seen);
}

/* Takes the event. NULL only when out of memory; after a fault that ends the
 * reading, the part before it. */
static struct node *read_node(struct reader *r, yaml_event_t *ev,
                              unsigned depth, const char *text)
{
  struct position at = place(r, ev->start_mark);
  yaml_event_type_t type = ev->type;
  struct node *n;

  n = node_new(r->doc,
               type == YAML_SEQUENCE_START_EVENT  ? NODE_LIST
               : type == YAML_MAPPING_START_EVENT ? NODE_MAP
                                                  : NODE_SCALAR,
               at);
  if (n != NULL && type == YAML_SCALAR_EVENT) {
    refuse_anchor_and_tag(r, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
    n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    n->scalar = arena_str(&r->doc->mem,
                          (struct wps_str){(const char *)ev->data.scalar.value,
                                           ev->data.scalar.length});
    if (n->scalar.ptr == NULL)
      n = NULL;
  } else if (n != NULL && type == YAML_SEQUENCE_START_EVENT) {
    refuse_anchor_and_tag(r, ev, ev->data.sequence_start.anchor,
                          ev->data.sequence_start.tag);
  } else if (n != NULL && type == YAML_MAPPING_START_EVENT) {
    refuse_anchor_and_tag(r, ev, ev->data.mapping_start.anchor,
                          ev->data.mapping_start.tag);
  } else if (n != NULL && type == YAML_ALIAS_EVENT) {
    faults_add(r->faults, &at,
               "aliases (*name) are not supported; " QUOTE_STARS);
  }
  yaml_event_delete(ev);
  if (n == NULL) {
    r->no_memory = true;
    return NULL;
  }
  if (n->kind == NODE_SCALAR)
    return n;
  if (depth == CONF_DEPTH_MAX) {
    faults_add(r->faults, &at, "nested more than %d levels deep",
               CONF_DEPTH_MAX);
    cut_short(r);
    return n;
  }
  if (n->kind == NODE_LIST)
    read_list(r, n, depth + 1, text);
  else
    read_map(r, n, depth + 1, text);
  return r->no_memory ? NULL : n;
}

static struct node *read_stream(struct reader *r, const char *text)
{
  struct node *root = NULL;
  struct position at;
  yaml_event_t ev;

  while (next_event(r, &ev, text)) {
    switch (ev.type) {
    case YAML_DOCUMENT_START_EVENT:
      at = place(r, ev.start_mark);
      if (root != NULL) {
        faults_add(r->faults, &at,
                   "a second document begins here; there can be only one");
        r->stopped = true;
      }
      yaml_event_delete(&ev);
      break;
    case YAML_ALIAS_EVENT:
    case YAML_SCALAR_EVENT:
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
      root = read_node(r, &ev, 0, text);
      break;
    case YAML_STREAM_END_EVENT:
      r->stopped = true;
      yaml_event_delete(&ev);
      break;
    default:
      yaml_event_delete(&ev);
      break;
    }
  }
  return root;
}

/* UTF-8 is checked before libyaml sees the text, which would tell no line. */
static bool text_is_utf8(struct reader *r, const char *text, size_t len)
{
  struct utf8_state state = {0};
  struct position at;
  size_t i, start = 0; /* of the character that the byte belongs to */

  if (utf8_valid(text, len))
    return true;
  for (i = 0; i < len; i++) {
    if (utf8_complete(&state))
      start = i;
    if (!utf8_feed(&state, text + i, 1))
      break;
  }
  at = place_of_byte(r, text, start);
  faults_add(r->faults, &at, "not valid UTF-8");
  return false;
}

struct node *document_read(struct document *d, const char *name,
                           const char *origin, const char *text, size_t len,
                           struct faults *f)
{
  struct reader r = {.doc = d, .faults = f, .no_lines = origin != NULL};
  struct position start;
  struct node *root = NULL;

  r.name = arena_str(&d->mem, str_from(origin != NULL ? origin : name)).ptr;
  if (r.name == NULL)
    return NULL;
  start = (struct position){r.name, r.no_lines ? 0 : 1, r.no_lines ? 0 : 1};
  if (len > CONF_TEXT_MAX) {
    faults_add(f, &(struct position){r.name, 0, 0},
               "larger than %d bytes, which no configuration is",
               CONF_TEXT_MAX);
    d->cut = true;
    return node_new(d, NODE_SCALAR, start);
  }
  if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
    text += 3;
    len -= 3;
  }
  if (!text_is_utf8(&r, text, len)) {
    d->cut = true;
    return node_new(d, NODE_SCALAR, start);
  }
  if (!yaml_parser_initialize(&r.yaml))
    return NULL;
  yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, len);
  root = read_stream(&r, text);
  yaml_parser_delete(&r.yaml);
  if (r.no_memory)
    return NULL;
  return root != NULL ? root : node_new(d, NODE_SCALAR, start);
}

static const char *kind_text(const struct node *n)
{
  return n->kind == NODE_LIST  ? "a list"
         : n->kind == NODE_MAP ? "a map"
                               : "text";
}

struct document *document_parse(const char *name, const char *text, size_t len,
                                struct faults *f)
{
  struct document *d = calloc(1, sizeof(*d));
  struct node *root;

  if (d == NULL)
    return NULL;
  root = document_read(d, name, NULL, text, len, f);
  if (root == NULL)
    goto fail;
  if (root->kind != NODE_MAP) {
    if (!node_is_null(root))
      faults_add(f, &root->at,
                 "a configuration is a map of keys and values, this is %s",
                 kind_text(root));
    d->cut = d->cut || !node_is_null(root);
    root = node_new(d, NODE_MAP, root->at);
    if (root == NULL)
      goto fail;
  }
  d->root = root;
  return d;

fail:
  document_free(d);
  return NULL;
}

struct document *document_load(const char *path, struct faults *f)
{
  const size_t room = CONF_TEXT_MAX + 1; /* one more shows that it is larger */
  const struct position at = {path, 0, 0};
  struct document *d = NULL;
  char *text = malloc(room);
  size_t len = 0;
  bool whole = true;
  int fd;

  if (text == NULL)
    return NULL;
  fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    faults_add(f, &at, "cannot be opened: %s", strerror(errno));
    d = document_parse(path, "", 0, f);
    if (d != NULL)
      d->cut = true;
    goto done;
  }
  while (len < room) {
    ssize_t got = read(fd, text + len, room - len);

    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0) {
      faults_add(f, &at, "cannot be read: %s", strerror(errno));
      len = 0;
      whole = false;
      break;
    }
    if (got == 0)
      break;
    len += (size_t)got;
  }
  d = document_parse(path, text, len, f);
  if (d != NULL && !whole)
    d->cut = true;

done:
  if (fd >= 0)
    close(fd);
  explicit_bzero(text, len);
  free(text);
  return d;
}

void document_free(struct document *d)
{
  if (d == NULL)
    return;
  arena_free(&d->mem);
  free(d);
}

bool document_complete(const struct document *d)
{
  return !d->cut;
}

struct node *document_root(struct document *d)
{
  return d->root;
}
