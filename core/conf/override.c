/* SPDX-License-Identifier: Apache-2.0 */
/* Values from the command line and the environment, put into the tree before
 * it is checked, so that one check sees what will hold. */
#include "conf/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char prefix[] = "WEBPUBSUBD_";

enum { PATH_TEXT_MAX = 1024, VARIABLES_MAX = 1024 };

struct path {
  struct wps_str parts[CONF_DEPTH_MAX];
  size_t count;
  char text[PATH_TEXT_MAX];
};

/* One value to put, and what is said about it. */
struct put {
  struct document *doc;
  struct faults *faults;
  struct position at;
  const char *const *known; /* NULL: keys are meant as they are written */
  const char *value;
};

static bool path_add(struct path *p, size_t start, size_t end)
{
  if (end == start || p->count == CONF_DEPTH_MAX)
    return false;
  p->parts[p->count++] = (struct wps_str){p->text + start, end - start};
  return true;
}

/* "hubs.chat.anonymous"; a backslash takes the next character as it is. */
static bool path_from_dots(struct path *p, const char *text)
{
  size_t start = 0, at = 0;

  p->count = 0;
  for (; *text != '\0'; text++) {
    if (at + 1 >= sizeof(p->text))
      return false;
    if (*text == '.') {
      if (!path_add(p, start, at))
        return false;
      start = at;
      continue;
    }
    if (*text == '\\' && text[1] != '\0')
      text++;
    p->text[at++] = *text;
  }
  return path_add(p, start, at);
}

/* "HUBS__CHAT__ANONYMOUS" */
static bool path_from_variable(struct path *p, const char *name, size_t len)
{
  size_t start = 0, at;

  p->count = 0;
  if (len >= sizeof(p->text))
    return false;
  memcpy(p->text, name, len);
  str_lower(p->text, len);
  for (at = 0; at + 1 < len; at++) {
    if (p->text[at] != '_' || p->text[at + 1] != '_')
      continue;
    if (!path_add(p, start, at))
      return false;
    start = at + 2;
    at++;
  }
  return path_add(p, start, len);
}

static bool to_index(struct wps_str part, size_t *index)
{
  uint64_t number;

  if (!str_to_u64(part, &number) || number > CONF_TEXT_MAX)
    return false;
  *index = (size_t)number;
  return true;
}

/* Variables have only letters, digits and '_': everything else in a key
 * ("auth-jwt@2") matches '_' there. */
static bool key_matches(struct wps_str part, struct wps_str key)
{
  size_t i;

  if (part.len != key.len)
    return false;
  for (i = 0; i < key.len; i++) {
    char c = key.ptr[i];
    bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    bool digit = c >= '0' && c <= '9';

    if (letter)
      c = (char)(c | 0x20);
    else if (!digit && (unsigned char)c < 0x80)
      c = '_';
    if (part.ptr[i] != c)
      return false;
  }
  return true;
}

/* The entry that a variable's part means: the exact key before a similar one,
 * of the document before those that are only known. */
static struct wps_str meant_key(const struct put *put, const struct node *map,
                                struct wps_str part)
{
  size_t i;

  if (put->known == NULL)
    return part;
  for (i = 0; i < map->count; i++) {
    if (str_eq(map->keys[i], part))
      return part;
  }
  for (i = 0; i < map->count; i++) {
    if (key_matches(part, map->keys[i]))
      return map->keys[i];
  }
  for (i = 0; put->known[i] != NULL; i++) {
    if (key_matches(part, str_from(put->known[i])))
      return str_from(put->known[i]);
  }
  return part;
}

/* The entry or element, made empty when it is new: the tree has no holes, also
 * when a fault ends the walk below it. NULL when out of memory. */
static struct node **map_slot(const struct put *put, struct node *map,
                              struct wps_str part)
{
  struct wps_str key = meant_key(put, map, part);
  struct node *fresh;
  size_t i;

  for (i = 0; i < map->count; i++) {
    if (str_eq(map->keys[i], key))
      return &map->items[i];
  }
  fresh = node_new(put->doc, NODE_SCALAR, put->at);
  key = arena_str(&put->doc->mem, key);
  if (fresh == NULL || key.ptr == NULL || !node_grow(put->doc, map))
    return NULL;
  map->keys[map->count] = key;
  map->key_at[map->count] = put->at;
  map->items[map->count] = fresh;
  return &map->items[map->count++];
}

static struct node **list_slot(const struct put *put, struct node *list,
                               size_t index)
{
  struct node *fresh;

  if (index < list->count)
    return &list->items[index];
  fresh = node_new(put->doc, NODE_SCALAR, put->at);
  if (fresh == NULL || !node_grow(put->doc, list))
    return NULL;
  list->items[list->count] = fresh;
  return &list->items[list->count++];
}

/* What stands in the slot becomes able to take `part` below it: nothing
 * becomes a map or, when a number follows, a list; a scalar a list of one. */
static bool make_inner(const struct put *put, struct node **slot,
                       struct wps_str part, struct wps_str name)
{
  struct node *n = *slot, *inner;
  size_t index = 0;
  bool number = to_index(part, &index);

  if (node_is_null(n)) {
    inner = node_new(put->doc, number ? NODE_LIST : NODE_MAP, put->at);
    if (inner == NULL)
      return false;
    *slot = n = inner;
  }
  if (n->kind == NODE_SCALAR && number) {
    inner = node_new(put->doc, NODE_LIST, n->at);
    if (inner == NULL || !node_grow(put->doc, inner))
      return false;
    inner->items[inner->count++] = n;
    *slot = n = inner;
  }
  if (n->kind == NODE_SCALAR) {
    faults_add(put->faults, &put->at, "`%.*s` is text and has no `%.*s`",
               STR_ARG(name), STR_ARG(part));
    return false;
  }
  if (n->kind == NODE_LIST && !number) {
    faults_add(put->faults, &put->at,
               "`%.*s` is a list; its elements are 0 to %zu, not `%.*s`",
               STR_ARG(name), n->count, STR_ARG(part));
    return false;
  }
  if (n->kind == NODE_LIST && index > n->count) {
    faults_add(put->faults, &put->at,
               "`%.*s` has %zu elements; the next is %zu, not %zu",
               STR_ARG(name), n->count, n->count, index);
    return false;
  }
  return true;
}

/* Lists, maps and quoted texts are YAML; all else is meant as it stands, so
 * that a key may hold "#", a pattern be "*", and an address "[::]:8080". */
static bool is_yaml(struct wps_str text)
{
  static const char pairs[][2] = {
      {'[', ']'}, {'{', '}'}, {'"', '"'}, {'\'', '\''}};
  size_t i;

  text = str_trim(text);
  for (i = 0; i < ARRAY_LEN(pairs); i++) {
    if (text.len >= 2 && text.ptr[0] == pairs[i][0] &&
        text.ptr[text.len - 1] == pairs[i][1])
      return true;
  }
  return false;
}

static struct node *value_node(const struct put *put)
{
  struct wps_str text = str_from(put->value);
  struct node *n;

  if (is_yaml(text))
    return document_read(put->doc, NULL, put->at.file, text.ptr, text.len,
                         put->faults);
  n = node_new(put->doc, NODE_SCALAR, put->at);
  if (n == NULL)
    return NULL;
  n->scalar = arena_str(&put->doc->mem, text);
  return n->scalar.ptr == NULL ? NULL : n;
}

static void put_value(const struct put *put, const struct path *path)
{
  struct node *n = put->doc->root, **slot = &put->doc->root, *value;
  struct wps_str name = STR("the configuration");
  size_t i, index = 0;

  for (i = 0; i < path->count; i++) {
    size_t faults = faults_count(put->faults);

    if (!make_inner(put, slot, path->parts[i], name)) {
      if (faults == faults_count(put->faults))
        goto no_memory;
      return;
    }
    n = *slot;
    name = path->parts[i];
    if (n->kind == NODE_LIST && to_index(name, &index))
      slot = list_slot(put, n, index);
    else
      slot = map_slot(put, n, name);
    if (slot == NULL)
      goto no_memory;
  }
  value = value_node(put);
  if (value == NULL)
    goto no_memory;
  *slot = value;
  return;

no_memory:
  faults_add(put->faults, &put->at, "out of memory");
}

void document_set(struct document *d, const char *path, const char *value,
                  const char *origin, struct faults *f)
{
  struct put put = {.doc = d, .faults = f, .value = value};
  struct path *p = malloc(sizeof(*p));

  put.at.file = arena_str(&d->mem, str_from(origin)).ptr;
  if (p == NULL || put.at.file == NULL)
    faults_add(f, NULL, "out of memory");
  else if (!path_from_dots(p, path))
    faults_add(f, &put.at,
               "`%.200s` is no path of a key, such as hubs.chat.anonymous",
               path);
  else
    put_value(&put, p);
  free(p);
}

/* What Kubernetes puts into every container when a service is called
 * webpubsubd, and what the program itself uses. */
static bool is_foreign(const char *name)
{
  return strncmp(name, "FAULT=", 6) == 0 || strncmp(name, "CONFIG=", 7) == 0 ||
         strncmp(name, "PLUGIN_DIR=", 11) == 0 ||
         strncmp(name, "SERVICE_HOST=", 13) == 0 ||
         strncmp(name, "SERVICE_PORT", 12) == 0 ||
         strncmp(name, "PORT=", 5) == 0 || strncmp(name, "PORT_", 5) == 0;
}

static int variable_cmp(const void *left, const void *right)
{
  return strverscmp(*(const char *const *)left, *(const char *const *)right);
}

static void put_variable(struct document *d, const char *variable,
                         const char *const *known, struct path *path,
                         struct faults *f)
{
  static const char *const none[] = {NULL};
  struct put put = {.doc = d, .faults = f};
  const char *name = variable + sizeof(prefix) - 1;
  const char *equals = strchr(name, '=');
  char origin[PATH_TEXT_MAX + 32];

  put.known = known != NULL ? known : none;
  snprintf(origin, sizeof(origin), "environment %.*s",
           (int)(equals - variable > PATH_TEXT_MAX ? PATH_TEXT_MAX
                                                   : equals - variable),
           variable);
  put.at.file = arena_str(&d->mem, str_from(origin)).ptr;
  put.value = equals + 1;
  if (put.at.file == NULL)
    faults_add(f, NULL, "out of memory");
  else if (!path_from_variable(path, name, (size_t)(equals - name)))
    faults_add(f, &put.at,
               "the name is no path of a key, such as %sHUBS__CHAT__ANONYMOUS",
               prefix);
  else
    put_value(&put, path);
}

void document_environment(struct document *d, char *const *envp,
                          const char *const *known, struct faults *f)
{
  const char **found = calloc(VARIABLES_MAX, sizeof(*found));
  struct path *path = malloc(sizeof(*path));
  size_t count = 0, i;

  if (found == NULL || path == NULL) {
    faults_add(f, NULL, "out of memory");
    goto done;
  }
  for (i = 0; envp[i] != NULL; i++) {
    const char *name = envp[i] + sizeof(prefix) - 1;

    if (strncmp(envp[i], prefix, sizeof(prefix) - 1) != 0 ||
        strchr(name, '=') == NULL || is_foreign(name))
      continue;
    if (count == VARIABLES_MAX) {
      faults_add(f, NULL, "more than %d variables begin with %s", VARIABLES_MAX,
                 prefix);
      break;
    }
    found[count++] = envp[i];
  }
  /* The order of the environment means nothing; A comes before A__B, which
   * reaches into it, and A__2 before A__10, which stands behind it. */
  qsort(found, count, sizeof(*found), variable_cmp);
  for (i = 0; i < count; i++)
    put_variable(d, found[i], known, path, f);

done:
  free(path);
  free(found);
}
