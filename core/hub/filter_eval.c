/* SPDX-License-Identifier: Apache-2.0 */
/* hub/filter_eval.c - what a filter says of one client.
 *
 * The same walk over the tree checks a new filter against the model of 7.6
 * (filter_check) and matches clients. Only the first looks at all operands and
 * keeps what is wrong; for a client any error means that it does not match. */
#include <string.h>

#include "base/str.h"
#include "base/utf8.h"
#include "hub/filter_tree.h"
#include "hub/hub.h"

struct value {
  enum filter_type type;
  int32_t number;     /* INT, or BOOL as 0 and 1     */
  struct wps_str str; /* STRING; {NULL,0}: its null  */
};

struct eval {
  const struct wps_filter *f;
  const struct hub_client *client; /* NULL: the model */
  const struct hub_facts *facts;
  struct filter_fault *fault; /* NULL: nobody wants to know */
  bool failed;
  size_t read; /* bytes that functions have looked at */
  struct scratch scratch;
};

static const struct value value_null = {.type = FILTER_NULL};

static struct value value_bool(bool b)
{
  return (struct value){.type = FILTER_BOOL, .number = b};
}

static struct value value_int(int64_t n)
{
  return (struct value){.type = FILTER_INT, .number = (int32_t)n};
}

static struct value value_string(struct wps_str s)
{
  return (struct value){.type = FILTER_STRING, .str = s};
}

static bool is_null(const struct value *v)
{
  return v->type == FILTER_NULL ||
         (v->type == FILTER_STRING && v->str.ptr == NULL);
}

/* ---- errors ---- */

static struct value fail_type(struct eval *e, uint16_t part,
                              enum filter_type actual,
                              enum filter_type expected)
{
  if (e->fault != NULL && !e->failed) {
    e->fault->kind = FAULT_TYPE;
    e->fault->part = part;
    e->fault->actual = actual;
    e->fault->expected = expected;
  }
  e->failed = true;
  return value_null;
}

/* The operator around it becomes the part, see around(). */
static struct value fail_token(struct eval *e, enum filter_fault_kind kind,
                               uint16_t token)
{
  if (e->fault != NULL && !e->failed) {
    e->fault->kind = kind;
    e->fault->token = token;
  }
  e->failed = true;
  return value_null;
}

/* `n` is an operator other than `not`, or a function: the smallest around what
 * has failed in it is what the message shows. */
static void around(struct eval *e, uint16_t n)
{
  if (e->failed && e->fault != NULL && e->fault->part == NO_NODE)
    e->fault->part = n;
}

/* ---- operands ---- */

static struct wps_str string_of(const struct wps_filter *f, uint16_t n)
{
  const struct filter_node *node = &f->nodes[n];

  return (struct wps_str){f->strings + node->value.string.at,
                          node->value.string.len};
}

static bool expect(struct eval *e, uint16_t part, const struct value *v,
                   enum filter_type type)
{
  if (!e->failed && v->type != type)
    fail_type(e, part, v->type, type);
  return !e->failed;
}

static bool equal(const struct value *a, const struct value *b)
{
  if (is_null(a) || is_null(b))
    return is_null(a) && is_null(b);
  if (a->type != b->type)
    return false;
  if (a->type == FILTER_STRING)
    return str_eq(a->str, b->str);
  return a->number == b->number;
}

static struct value or_null(struct wps_str s)
{
  return value_string(s.len != 0 ? s : STR_NONE);
}

static struct value name_value(struct eval *e, uint16_t n)
{
  switch (e->f->nodes[n].what) {
  case FIELD_USER:
    return or_null(e->facts->user);
  case FIELD_CONNECTION:
    return value_string(e->facts->id.len != 0 ? e->facts->id : STR(""));
  case FIELD_PROTOCOL:
    return or_null(e->facts->subprotocol);
  case FIELD_GROUPS:
    return (struct value){.type = FILTER_COLLECTION};
  default:
    return fail_token(e, FAULT_UNSUPPORTED, n);
  }
}

/* ---- functions ---- */

static struct value eval(struct eval *e, uint16_t n);

static struct value call_length(struct eval *e, uint16_t n,
                                const struct value *v)
{
  if (is_null(v))
    return value_null;
  switch (v->type) {
  case FILTER_STRING:
    return value_int((int64_t)utf8_utf16_len(v->str));
  case FILTER_COLLECTION:
    return value_int(e->client != NULL ? e->client->member_count : 0);
  default:
    return fail_token(e, FAULT_INVALID, n);
  }
}

/* A string that was made, or could not be. */
static struct value made(struct eval *e, struct wps_str s)
{
  if (s.ptr == NULL)
    e->failed = true;
  return value_string(s);
}

static struct value call_transform(struct eval *e, uint16_t n,
                                   const struct value *v)
{
  uint8_t function = e->f->nodes[n].what;

  if (is_null(v))
    return value_null;
  if (!expect(e, n, v, FILTER_STRING))
    return value_null;
  if (function == FUNCTION_TRIM)
    return value_string(text_trim(v->str));
  if (e->fault != NULL)
    return value_string(STR("")); /* of a check only the types count */
  return made(e, text_fold(v->str, function == FUNCTION_TOUPPER, &e->scratch));
}

static struct value call_search(struct eval *e, uint16_t n,
                                const struct value *v)
{
  uint8_t function = e->f->nodes[n].what;
  bool index = function == FUNCTION_INDEXOF;

  if (is_null(&v[0]) || is_null(&v[1]))
    return index ? value_int(-1) : value_bool(false);
  if (!expect(e, n, &v[0], FILTER_STRING) ||
      !expect(e, n, &v[1], FILTER_STRING))
    return value_null;
  switch (function) {
  case FUNCTION_CONTAINS:
    return value_bool(text_contains(v[0].str, v[1].str));
  case FUNCTION_STARTSWITH:
    return value_bool(text_starts(v[0].str, v[1].str));
  case FUNCTION_ENDSWITH:
    return value_bool(text_ends(v[0].str, v[1].str));
  default:
    return value_int(text_index(v[0].str, v[1].str));
  }
}

static struct value call_concat(struct eval *e, uint16_t n,
                                const struct value *v)
{
  if (is_null(&v[0]) && is_null(&v[1]))
    return value_null;
  if (is_null(&v[0]) && v[1].type == FILTER_STRING)
    return v[1];
  if (is_null(&v[1]) && v[0].type == FILTER_STRING)
    return v[0];
  if (!expect(e, n, &v[0], FILTER_STRING) ||
      !expect(e, n, &v[1], FILTER_STRING))
    return value_null;
  if (e->fault != NULL)
    return value_string(STR(""));
  return made(e, text_concat(v[0].str, v[1].str, &e->scratch));
}

static struct value call_substring(struct eval *e, uint16_t n,
                                   const struct value *v, uint16_t count)
{
  struct wps_str part;

  if (!expect(e, n, &v[1], FILTER_INT) ||
      (count == 3 && !expect(e, n, &v[2], FILTER_INT)))
    return value_null;
  if (is_null(&v[0]))
    return value_null;
  if (!expect(e, n, &v[0], FILTER_STRING))
    return value_null;
  if (e->fault != NULL)
    return value_string(STR(""));
  if (v[1].number < 0 || (count == 3 && v[2].number < 0) ||
      !text_substring(v[0].str, v[1].number, count == 3 ? v[2].number : -1,
                      &e->scratch, &part))
    return value_null;
  return made(e, part);
}

static bool arguments_ok(uint8_t function, uint16_t count)
{
  switch (function) {
  case FUNCTION_LENGTH:
  case FUNCTION_TOLOWER:
  case FUNCTION_TOUPPER:
  case FUNCTION_TRIM:
    return count == 1;
  case FUNCTION_SUBSTRING:
    return count == 2 || count == 3;
  default:
    return count == 2;
  }
}

static struct value call(struct eval *e, uint16_t n)
{
  const struct filter_node *node = &e->f->nodes[n];
  struct value v[3];
  uint16_t arg = node->first;

  if (node->what == 0)
    return fail_token(e, FAULT_UNSUPPORTED, n);
  if (!arguments_ok(node->what, node->count))
    return fail_token(e, FAULT_INVALID, n);
  for (uint16_t i = 0; i < node->count; i++) {
    v[i] = eval(e, arg);
    if (e->failed)
      return value_null;
    if (v[i].type == FILTER_STRING)
      e->read += v[i].str.len;
    arg = e->f->nodes[arg].next;
  }
  if (e->read > FILTER_READ_MAX) {
    e->failed = true;
    return value_null;
  }
  switch (node->what) {
  case FUNCTION_LENGTH:
    return call_length(e, n, v);
  case FUNCTION_TOLOWER:
  case FUNCTION_TOUPPER:
  case FUNCTION_TRIM:
    return call_transform(e, n, v);
  case FUNCTION_CONCAT:
    return call_concat(e, n, v);
  case FUNCTION_SUBSTRING:
    return call_substring(e, n, v, node->count);
  default:
    return call_search(e, n, v);
  }
}

/* ---- operators ---- */

static struct value eval_not(struct eval *e, uint16_t n)
{
  struct value v = eval(e, e->f->nodes[n].first);

  if (!expect(e, n, &v, FILTER_BOOL))
    return value_null;
  return value_bool(v.number == 0);
}

static struct value eval_logic(struct eval *e, uint16_t n, bool decides)
{
  uint16_t first = e->f->nodes[n].first;
  struct value left = eval(e, first), right;

  if (e->failed)
    return value_null;
  if (e->fault == NULL && left.type == FILTER_BOOL && left.number == decides)
    return left;
  right = eval(e, e->f->nodes[first].next);
  if (!expect(e, n, &left, FILTER_BOOL) || !expect(e, n, &right, FILTER_BOOL))
    return value_null;
  return left.number == decides ? left : right;
}

static bool holds(uint8_t kind, int32_t a, int32_t b)
{
  switch (kind) {
  case NODE_GT:
    return a > b;
  case NODE_GE:
    return a >= b;
  case NODE_LT:
    return a < b;
  default:
    return a <= b;
  }
}

static struct value eval_comparison(struct eval *e, uint16_t n, uint8_t kind)
{
  uint16_t first = e->f->nodes[n].first;
  struct value left = eval(e, first), right;

  if (e->failed)
    return value_null;
  right = eval(e, e->f->nodes[first].next);
  if (e->failed)
    return value_null;
  if (kind == NODE_EQ || kind == NODE_NE)
    return value_bool(equal(&left, &right) == (kind == NODE_EQ));
  /* A null of type string is a string here, as in the service. */
  if (left.type == FILTER_NULL || right.type == FILTER_NULL)
    return value_bool(false);
  if (!expect(e, n, &left, FILTER_INT) || !expect(e, n, &right, FILTER_INT))
    return value_null;
  return value_bool(holds(kind, left.number, right.number));
}

static bool is_member(struct eval *e, const struct filter_node *left,
                      const struct value *v)
{
  if (e->client == NULL || v->type != FILTER_STRING || v->str.ptr == NULL)
    return false;
  return group_membership_hashed(e->client, v->str,
                                 left->kind == NODE_STRING
                                     ? left->hash
                                     : hash_bytes(v->str)) != NULL;
}

static struct value eval_in(struct eval *e, uint16_t n)
{
  const struct filter_node *left = &e->f->nodes[e->f->nodes[n].first];
  const struct filter_node *right = &e->f->nodes[left->next];
  struct value v = eval(e, e->f->nodes[n].first), item;
  bool found = false;

  if (e->failed)
    return value_null;
  if (right->kind == NODE_NAME) {
    item = eval(e, left->next);
    if (!expect(e, n, &item, FILTER_COLLECTION))
      return value_null;
    return value_bool(is_member(e, left, &v));
  }
  for (uint16_t i = right->first; i != NO_NODE; i = e->f->nodes[i].next) {
    if (e->f->nodes[i].kind == NODE_STRING && v.type == FILTER_STRING &&
        v.str.ptr != NULL) {
      /* Thousands of names are compared for each client. */
      found = found || str_eq(v.str, string_of(e->f, i));
    } else {
      item = eval(e, i);
      if (e->failed)
        return value_null;
      found = found || equal(&v, &item);
    }
    if (found && e->fault == NULL)
      break;
  }
  return value_bool(found);
}

static struct value eval_binary(struct eval *e, uint16_t n)
{
  uint8_t kind = e->f->nodes[n].kind;

  switch (kind) {
  case NODE_CALL:
    return call(e, n);
  case NODE_AND:
    return eval_logic(e, n, false);
  case NODE_OR:
    return eval_logic(e, n, true);
  case NODE_IN:
    return eval_in(e, n);
  case NODE_FOREIGN_OPERATOR:
    return fail_token(e, FAULT_UNSUPPORTED, n);
  default:
    return eval_comparison(e, n, kind);
  }
}

static struct value eval(struct eval *e, uint16_t n)
{
  const struct filter_node *node = &e->f->nodes[n];
  struct value v;

  switch (node->kind) {
  case NODE_NULL:
    return value_null;
  case NODE_BOOL:
    return value_bool(node->what != 0);
  case NODE_INT:
    return value_int(node->value.number);
  case NODE_STRING:
    return value_string(string_of(e->f, n));
  case NODE_NAME:
    return name_value(e, n);
  case NODE_FOREIGN:
    return fail_token(e, FAULT_UNSUPPORTED, n);
  case NODE_NOT:
    return eval_not(e, n);
  default:
    v = eval_binary(e, n);
    around(e, n);
    return v;
  }
}

bool filter_match(const struct wps_filter *f, const struct hub_client *c,
                  const struct hub_facts *facts)
{
  struct eval e;
  struct value v;

  /* Not the scratch's room. */
  e.f = f;
  e.client = c;
  e.facts = facts;
  e.fault = NULL;
  e.failed = false;
  e.read = 0;
  scratch_init(&e.scratch);
  v = eval(&e, f->root);
  scratch_free(&e.scratch);
  return !e.failed && v.type == FILTER_BOOL && v.number != 0;
}

void filter_check(const struct wps_filter *f, struct filter_fault *fault)
{
  static const struct hub_facts model = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
  struct eval e = {.f = f, .facts = &model, .fault = fault};
  struct value v = eval(&e, f->root);

  expect(&e, f->root, &v, FILTER_BOOL);
}
