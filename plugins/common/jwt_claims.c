/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/jwt_claims.h"

#include "plugins/common/json_scan.h"
#include "plugins/common/jwt_base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

/* A whole number of so many digits is the same to a double and to jansson. */
enum { DIGITS_MAX = 15 };

static bool same(struct wps_str a, struct wps_str b)
{
  return a.len == b.len && (a.len == 0 || (a.ptr[0] == b.ptr[0] &&
                                           memcmp(a.ptr, b.ptr, a.len) == 0));
}

int claims_decode(struct claims *c, struct wps_str text)
{
  size_t room = TOKEN_BASE64_ROOM(text.len);

  memset(c, 0, offsetof(struct claims, few));
  c->bytes = room <= sizeof(c->few_bytes) ? c->few_bytes : malloc(room);
  if (c->bytes == NULL)
    return WPS_ENOMEM;
  return token_base64url_decode(text, c->bytes, &c->len) ? WPS_OK : WPS_EPROTO;
}

void claims_clear(struct claims *c)
{
  for (size_t i = 0; i < c->text_count; i++)
    free(c->texts[i]);
  free(c->texts);
  if (c->items != c->few)
    free(c->items);
  if (c->pairs != c->few_pairs)
    free(c->pairs);
  if (c->bytes != c->few_bytes)
    free(c->bytes);
  json_decref(c->tree);
  memset(c, 0, offsetof(struct claims, few));
}

/* By length and first letter there is one name that it can be. */
static enum claim_name name_of(struct wps_str name)
{
  static const struct wps_str names[CLAIM_NAMES] = {
      [CLAIM_AUD] = WPS_STR_INIT("aud"),
      [CLAIM_EXP] = WPS_STR_INIT("exp"),
      [CLAIM_ISS] = WPS_STR_INIT("iss"),
      [CLAIM_NBF] = WPS_STR_INIT("nbf"),
      [CLAIM_SUB] = WPS_STR_INIT("sub"),
      [CLAIM_ROLE] = WPS_STR_INIT("role"),
      [CLAIM_NAMEID] = WPS_STR_INIT("nameid"),
      [CLAIM_GROUP] = WPS_STR_INIT("webpubsub.group")};
  enum claim_name n = CLAIM_NAMES;

  if (name.len == 3)
    n = name.ptr[0] == 'a'   ? CLAIM_AUD
        : name.ptr[0] == 'e' ? CLAIM_EXP
        : name.ptr[0] == 'i' ? CLAIM_ISS
        : name.ptr[0] == 'n' ? CLAIM_NBF
                             : CLAIM_SUB;
  else if (name.len == 4)
    n = CLAIM_ROLE;
  else if (name.len == 6)
    n = CLAIM_NAMEID;
  else if (name.len == 15)
    n = CLAIM_GROUP;
  return n < CLAIM_NAMES && same(name, names[n]) ? n : CLAIM_NAMES;
}

/* The next of c->items, as yet without a value. */
static struct claim *claim_begin(struct claims *c, struct wps_str name)
{
  struct claim *claim = &c->items[c->count++];
  enum claim_name n = name_of(name);

  *claim = (struct claim){.name = name, .first = c->pair_count};
  if (n < CLAIM_NAMES)
    c->known[n] = claim;
  return claim;
}

/* ---- scanned ---- */

/* False: not for us. */
static bool scan_value(struct claims *c, struct claim *to,
                       const struct json_value *v)
{
  struct wps_str text = json_value_raw(v);
  uint8_t type = CLAIM_OTHER;
  uint64_t number = 0;

  if (c->pair_count == CLAIMS_FEW)
    return false;
  switch (v->type) {
  case SCAN_STRING:
    if (v->escaped)
      return false;
    text = json_value_inner(v);
    type = CLAIM_TEXT;
    break;
  case SCAN_NUMBER:
    if (v->len > DIGITS_MAX || json_scan_u64(v, &number) != WPS_OK)
      return false;
    type = CLAIM_NUMBER;
    to->number = (double)number;
    break;
  case SCAN_OBJECT:
  case SCAN_ARRAY:
    return false;
  default: /* words */
    break;
  }
  if (!to->list)
    to->type = type;
  else if (type != CLAIM_TEXT)
    to->type = CLAIM_OTHER;
  c->pairs[c->pair_count++] = (struct wps_pair){to->name, text};
  to->count++;
  return true;
}

/* Past the scalar at p in a list that is known to be well-formed; NULL: no
 * scalar. */
static const char *scalar_end(const char *p, const char *end)
{
  if (*p == '{' || *p == '[')
    return NULL;
  if (*p != '"') {
    while (p < end && strchr(", \t\r\n", *p) == NULL)
      p++;
    return p;
  }
  p = memchr(p + 1, '"', (size_t)(end - p) - 1);
  return p == NULL ? NULL : p + 1;
}

static bool scan_list(struct claims *c, struct claim *to,
                      const struct json_value *v)
{
  const char *p = v->ptr + 1, *end = v->ptr + v->len - 1, *next;
  struct json_value one;

  to->list = true;
  to->type = CLAIM_TEXT;
  for (; p < end; p = next) {
    next = p + 1;
    if (strchr(", \t\r\n", *p) != NULL)
      continue;
    /* A quote that is escaped does not end the string: what then comes out here
     * is none. */
    next = scalar_end(p, end);
    if (next == NULL ||
        json_scan_value((struct wps_str){p, (size_t)(next - p)}, &one) !=
            WPS_OK ||
        !scan_value(c, to, &one))
      return false;
  }
  return true;
}

static bool scan_member(struct claims *c, const struct json_member *m)
{
  struct wps_str name = json_value_inner(&m->key);
  struct claim *to;

  if (c->count == CLAIMS_FEW || m->key.escaped)
    return false;
  for (size_t i = 0; i < c->count; i++)
    if (same(c->items[i].name, name))
      return false;
  to = claim_begin(c, name);
  return m->value.type == SCAN_ARRAY ? scan_list(c, to, &m->value)
                                     : scan_value(c, to, &m->value);
}

static bool claims_scan(struct claims *c)
{
  struct json_scan scan;
  struct json_member m;
  int more;

  c->items = c->few;
  c->pairs = c->few_pairs;
  if (json_scan_object(
          &scan, (struct wps_str){(const char *)c->bytes, c->len}) != WPS_OK)
    return false;
  while ((more = json_scan_member(&scan, &m)) > 0)
    if (!scan_member(c, &m))
      return false;
  return more == 0;
}

/* ---- by jansson ---- */

json_t *claims_tree(const uint8_t *bytes, size_t len)
{
  json_t *tree;

  /* jansson takes a NUL byte after a number for white space. */
  if (len == 0 || memchr(bytes, '\0', len) != NULL)
    return NULL;
  tree = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
  if (!json_is_object(tree)) {
    json_decref(tree);
    return NULL;
  }
  return tree;
}

/* The shortest text that reads back as the same number: 0.1 stays 0.1. */
static char *dump_real(double value)
{
  char *text = malloc(32);

  for (int digits = 15; text != NULL && digits <= 17; digits++) {
    snprintf(text, 32, "%.*g", digits, value);
    if (strtod(text, NULL) == value)
      break;
  }
  return text;
}

static int tree_value(struct claims *c, struct claim *to, const json_t *value)
{
  struct wps_pair *pair = &c->pairs[c->pair_count];
  uint8_t type = CLAIM_OTHER;
  char *text;

  pair->name = to->name;
  if (json_is_string(value)) {
    pair->value =
        (struct wps_str){json_string_value(value), json_string_length(value)};
    type = CLAIM_TEXT;
  } else {
    text = json_is_real(value)
               ? dump_real(json_real_value(value))
               : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text == NULL)
      return WPS_ENOMEM;
    c->texts[c->text_count++] = text;
    pair->value = (struct wps_str){text, strlen(text)};
    if (json_is_number(value)) {
      type = CLAIM_NUMBER;
      to->number = json_number_value(value);
    }
  }
  if (!to->list)
    to->type = type;
  else if (type != CLAIM_TEXT)
    to->type = CLAIM_OTHER;
  c->pair_count++;
  to->count++;
  return WPS_OK;
}

static int tree_member(struct claims *c, const char *name, const json_t *value)
{
  struct claim *to = claim_begin(c, (struct wps_str){name, strlen(name)});
  const json_t *one;
  size_t i;

  if (!json_is_array(value))
    return tree_value(c, to, value);
  to->list = true;
  to->type = CLAIM_TEXT;
  json_array_foreach(value, i, one)
  {
    if (tree_value(c, to, one) != WPS_OK)
      return WPS_ENOMEM;
  }
  return WPS_OK;
}

int claims_parse_tree(struct claims *c)
{
  const char *name;
  json_t *value;
  size_t n = 0;

  c->count = c->pair_count = 0;
  c->items = NULL;
  c->pairs = NULL;
  memset(c->known, 0, sizeof(c->known));
  if ((c->tree = claims_tree(c->bytes, c->len)) == NULL)
    return WPS_EPROTO;
  if (json_object_size(c->tree) == 0)
    return WPS_OK;
  json_object_foreach(c->tree, name, value) n +=
      json_is_array(value) ? json_array_size(value) : 1;
  c->items = calloc(json_object_size(c->tree), sizeof(*c->items));
  c->pairs = calloc(n + 1, sizeof(*c->pairs));
  c->texts = calloc(n + 1, sizeof(*c->texts));
  if (c->items == NULL || c->pairs == NULL || c->texts == NULL)
    return WPS_ENOMEM;
  json_object_foreach(c->tree, name, value)
  {
    if (tree_member(c, name, value) != WPS_OK)
      return WPS_ENOMEM;
  }
  return WPS_OK;
}

int claims_parse(struct claims *c)
{
  return claims_scan(c) ? WPS_OK : claims_parse_tree(c);
}
