/* SPDX-License-Identifier: Apache-2.0 */
/* hub/filter_parse.c - from text to tree. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/table.h"
#include "base/utf8.h"
#include "hub/filter_tree.h"

enum token_kind {
  TOKEN_END,
  TOKEN_WORD,
  TOKEN_NUMBER,
  TOKEN_STRING,
  TOKEN_OPEN,
  TOKEN_CLOSE,
  TOKEN_COMMA,
  TOKEN_BAD
};

struct token {
  enum token_kind kind;
  size_t at, end;
};

struct parser {
  struct wps_str text;
  struct token token; /* the one to be looked at */
  struct wps_filter *filter;
  size_t node_cap, string_len;
  unsigned depth, operators;
  struct filter_fault *fault;
};

/* ---- tokens ---- */

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

/* What is not ASCII may stand in a name; no name that we know has any. */
static bool starts_word(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t word_end(struct wps_str s, size_t at)
{
  for (; at < s.len; at++) {
    char c = s.ptr[at];

    if (!starts_word(c) && !is_digit(c) &&
        !(c == '.' && at + 1 < s.len && starts_word(s.ptr[at + 1])))
      break;
  }
  return at;
}

/* With what OData has besides integers: decimals, dates and GUIDs are then one
 * token that can be named. */
static size_t number_end(struct wps_str s, size_t at)
{
  for (at++; at < s.len; at++) {
    char c = s.ptr[at];

    if (is_digit(c) || starts_word(c))
      continue;
    if ((c != '.' && c != ':' && c != '-' && c != '+') || at + 1 == s.len ||
        (!is_digit(s.ptr[at + 1]) && !starts_word(s.ptr[at + 1])))
      break;
  }
  return at;
}

static enum token_kind string_token(struct wps_str s, size_t *at)
{
  for (++*at; *at < s.len; ++*at) {
    if (s.ptr[*at] != '\'')
      continue;
    if (*at + 1 == s.len || s.ptr[*at + 1] != '\'') {
      ++*at;
      return TOKEN_STRING;
    }
    ++*at;
  }
  return TOKEN_BAD;
}

static void next(struct parser *p)
{
  struct wps_str s = p->text;
  struct token *t = &p->token;
  size_t at = t->end;
  char c;

  while (at < s.len && is_blank(s.ptr[at]))
    at++;
  t->at = at;
  t->end = at;
  t->kind = TOKEN_END;
  if (at == s.len)
    return;
  c = s.ptr[at];
  t->end = at + 1;
  if (c == '(') {
    t->kind = TOKEN_OPEN;
  } else if (c == ')') {
    t->kind = TOKEN_CLOSE;
  } else if (c == ',') {
    t->kind = TOKEN_COMMA;
  } else if (c == '\'') {
    t->end = at;
    t->kind = string_token(s, &t->end);
  } else if (is_digit(c) || ((c == '+' || c == '-') && at + 1 < s.len &&
                             is_digit(s.ptr[at + 1]))) {
    t->kind = TOKEN_NUMBER;
    t->end = number_end(s, at);
  } else if (starts_word(c)) {
    t->kind = TOKEN_WORD;
    t->end = word_end(s, at);
  } else {
    t->kind = TOKEN_BAD;
  }
}

static struct wps_str token_text(const struct parser *p)
{
  return (struct wps_str){p->text.ptr + p->token.at,
                          p->token.end - p->token.at};
}

static bool is_word(const struct parser *p, const char *word)
{
  return p->token.kind == TOKEN_WORD && str_eq_c(token_text(p), word);
}

/* ---- nodes ---- */

static uint16_t fail_with(struct parser *p, enum filter_fault_kind kind)
{
  if (p->fault->kind == FAULT_NONE)
    p->fault->kind = kind;
  return NO_NODE;
}

static uint16_t syntax_error(struct parser *p)
{
  p->fault->position = p->token.end;
  return fail_with(p, FAULT_SYNTAX);
}

/* A node for the current token, or for what it begins. */
static uint16_t node_new(struct parser *p, uint8_t kind)
{
  struct wps_filter *f = p->filter;
  struct filter_node *n;

  if (f->node_count == p->node_cap) {
    size_t cap = p->node_cap == 0 ? 16 : p->node_cap * 2;
    struct filter_node *bigger = realloc(f->nodes, cap * sizeof(*bigger));

    if (bigger == NULL)
      return fail_with(p, FAULT_MEMORY);
    f->nodes = bigger;
    p->node_cap = cap;
  }
  n = &f->nodes[f->node_count];
  memset(n, 0, sizeof(*n));
  n->kind = kind;
  n->first = NO_NODE;
  n->next = NO_NODE;
  n->at = (uint16_t)p->token.at;
  n->len = (uint16_t)(p->token.end - p->token.at);
  return f->node_count++;
}

/* An operator over one or two operands, NO_NODE for none. */
static uint16_t operator_new(struct parser *p, uint8_t kind, uint16_t left,
                             uint16_t right)
{
  struct filter_node *nodes;
  uint16_t n;

  if (++p->operators > FILTER_OPERATORS_MAX)
    return fail_with(p, FAULT_TOO_MANY);
  n = node_new(p, kind);
  if (n == NO_NODE)
    return n;
  nodes = p->filter->nodes;
  nodes[n].first = left;
  nodes[left].next = right;
  nodes[n].count = right == NO_NODE ? 1 : 2;
  return n;
}

static bool enter(struct parser *p)
{
  if (++p->depth <= FILTER_DEPTH_MAX)
    return true;
  fail_with(p, FAULT_TOO_DEEP);
  return false;
}

static void leave(struct parser *p)
{
  p->depth--;
}

/* ---- values ---- */

static uint16_t parse_expression(struct parser *p);

static uint16_t parse_string(struct parser *p)
{
  struct wps_str s = token_text(p);
  uint16_t n = node_new(p, NODE_STRING);
  char *to = p->filter->strings + p->string_len;
  struct filter_node *node;
  size_t len = 0;

  if (n == NO_NODE)
    return n;
  for (size_t i = 1; i + 1 < s.len; i++) {
    to[len++] = s.ptr[i];
    if (s.ptr[i] == '\'')
      i++;
  }
  node = &p->filter->nodes[n];
  node->value.string.at = (uint16_t)p->string_len;
  node->value.string.len = (uint16_t)len;
  node->hash = hash_bytes((struct wps_str){to, len});
  p->string_len += len;
  next(p);
  return n;
}

static bool to_int(struct wps_str s, int32_t *out)
{
  bool minus = s.ptr[0] == '-';
  uint64_t n;

  if (minus || s.ptr[0] == '+')
    s = str_skip(s, 1);
  if (!str_to_u64(s, &n) || n > (uint64_t)INT32_MAX + minus)
    return false;
  *out = (int32_t)(minus ? -(int64_t)n : (int64_t)n);
  return true;
}

static uint16_t parse_number(struct parser *p)
{
  int32_t number = 0;
  bool ours = to_int(token_text(p), &number);
  uint16_t n = node_new(p, ours ? NODE_INT : NODE_FOREIGN);

  if (n == NO_NODE)
    return n;
  p->filter->nodes[n].value.number = number;
  next(p);
  return n;
}

/* Expressions up to the closing parenthesis, which is taken. */
static bool parse_items(struct parser *p, uint16_t parent)
{
  uint16_t last = NO_NODE;

  if (!enter(p))
    return false;
  next(p);
  while (p->token.kind != TOKEN_CLOSE || last != NO_NODE) {
    struct filter_node *nodes;
    uint16_t item = parse_expression(p);

    if (item == NO_NODE)
      return false;
    nodes = p->filter->nodes;
    if (last == NO_NODE)
      nodes[parent].first = item;
    else
      nodes[last].next = item;
    nodes[parent].count++;
    last = item;
    if (p->token.kind == TOKEN_CLOSE)
      break;
    if (p->token.kind != TOKEN_COMMA) {
      syntax_error(p);
      return false;
    }
    next(p);
  }
  leave(p);
  next(p);
  return true;
}

static uint8_t field_of(struct wps_str name)
{
  static const char *const names[] = {"userId", "connectionId", "groups",
                                      "protocol"};

  for (uint8_t i = 0; i < ARRAY_LEN(names); i++)
    if (str_ieq_c(name, names[i]))
      return i + 1;
  return 0;
}

static uint8_t function_of(struct wps_str name)
{
  static const char *const names[] = {
      "length",     "tolower",  "toupper", "trim",   "contains",
      "startswith", "endswith", "indexof", "concat", "substring"};

  for (uint8_t i = 0; i < ARRAY_LEN(names); i++)
    if (str_eq_c(name, names[i]))
      return i + 1;
  return 0;
}

static uint16_t parse_word(struct parser *p)
{
  struct wps_str word = token_text(p);
  bool yes = str_eq_c(word, "true");
  uint8_t kind = NODE_NAME;
  uint16_t n;

  if (yes || str_eq_c(word, "false"))
    kind = NODE_BOOL;
  else if (str_eq_c(word, "null"))
    kind = NODE_NULL;
  n = node_new(p, kind);
  if (n == NO_NODE)
    return n;
  next(p);
  if (kind != NODE_NAME) {
    p->filter->nodes[n].what = yes;
    return n;
  }
  if (p->token.kind != TOKEN_OPEN) {
    p->filter->nodes[n].what = field_of(word);
    return n;
  }
  p->filter->nodes[n].kind = NODE_CALL;
  p->filter->nodes[n].what = function_of(word);
  return parse_items(p, n) ? n : NO_NODE;
}

static uint16_t parse_value(struct parser *p)
{
  uint16_t n;

  switch (p->token.kind) {
  case TOKEN_STRING:
    return parse_string(p);
  case TOKEN_NUMBER:
    return parse_number(p);
  case TOKEN_WORD:
    return parse_word(p);
  case TOKEN_OPEN:
    if (!enter(p))
      return NO_NODE;
    next(p);
    n = parse_expression(p);
    if (n == NO_NODE)
      return n;
    if (p->token.kind != TOKEN_CLOSE)
      return syntax_error(p);
    leave(p);
    next(p);
    return n;
  default:
    return syntax_error(p);
  }
}

/* ---- operators ---- */

static uint16_t parse_unary(struct parser *p)
{
  uint16_t n;

  if (!is_word(p, "not"))
    return parse_value(p);
  if (!enter(p))
    return NO_NODE;
  next(p);
  n = parse_unary(p);
  leave(p);
  return n == NO_NODE ? n : operator_new(p, NODE_NOT, n, NO_NODE);
}

static bool is_foreign_operator(const struct parser *p)
{
  static const char *const words[] = {"add",   "sub", "mul", "div",
                                      "divby", "mod", "has"};

  for (size_t i = 0; i < ARRAY_LEN(words); i++)
    if (is_word(p, words[i]))
      return true;
  return false;
}

/* OData's other operators are taken, so that their refusal names them. */
static uint16_t parse_operand(struct parser *p)
{
  uint16_t left = parse_unary(p), right;

  while (left != NO_NODE && is_foreign_operator(p)) {
    struct token word = p->token;

    next(p);
    right = parse_unary(p);
    if (right == NO_NODE)
      return right;
    left = operator_new(p, NODE_FOREIGN_OPERATOR, left, right);
    if (left == NO_NODE)
      return left;
    p->filter->nodes[left].at = (uint16_t)word.at;
    p->filter->nodes[left].len = (uint16_t)(word.end - word.at);
  }
  return left;
}

static uint16_t parse_collection(struct parser *p)
{
  struct filter_node *node;
  uint16_t n;

  if (p->token.kind == TOKEN_WORD) {
    static const char *const no_names[] = {"true", "false", "null", "not"};

    for (size_t i = 0; i < ARRAY_LEN(no_names); i++)
      if (is_word(p, no_names[i]))
        return syntax_error(p);
    n = node_new(p, NODE_NAME);
    if (n == NO_NODE)
      return n;
    p->filter->nodes[n].what = field_of(token_text(p));
    next(p);
    return p->token.kind == TOKEN_OPEN ? syntax_error(p) : n;
  }
  if (p->token.kind != TOKEN_OPEN)
    return syntax_error(p);
  n = node_new(p, NODE_LIST);
  if (n == NO_NODE || !parse_items(p, n))
    return NO_NODE;
  /* Up to its parenthesis, for messages: blanks behind it are not part. */
  node = &p->filter->nodes[n];
  for (size_t end = p->token.at; end > node->at; end--)
    if (p->text.ptr[end - 1] == ')') {
      node->len = (uint16_t)(end - node->at);
      break;
    }
  return n;
}

static uint16_t parse_comparison(struct parser *p)
{
  static const char *const words[] = {"eq", "ne", "gt", "ge", "lt", "le"};
  uint16_t left = parse_operand(p), right;

  while (left != NO_NODE) {
    uint8_t kind = 0;

    for (uint8_t i = 0; i < ARRAY_LEN(words); i++)
      if (is_word(p, words[i]))
        kind = NODE_EQ + i;
    if (kind == 0 && is_word(p, "in"))
      kind = NODE_IN;
    if (kind == 0)
      return left;
    next(p);
    right = kind == NODE_IN ? parse_collection(p) : parse_operand(p);
    left = right == NO_NODE ? right : operator_new(p, kind, left, right);
  }
  return left;
}

static uint16_t parse_and(struct parser *p)
{
  uint16_t left = parse_comparison(p), right;

  while (left != NO_NODE && is_word(p, "and")) {
    next(p);
    right = parse_comparison(p);
    left = right == NO_NODE ? right : operator_new(p, NODE_AND, left, right);
  }
  return left;
}

static uint16_t parse_expression(struct parser *p)
{
  uint16_t left = parse_and(p), right;

  while (left != NO_NODE && is_word(p, "or")) {
    next(p);
    right = parse_and(p);
    left = right == NO_NODE ? right : operator_new(p, NODE_OR, left, right);
  }
  return left;
}

/* ---- a whole text ---- */

struct wps_filter *filter_parse(struct wps_str text, struct filter_fault *fault)
{
  struct parser p = {.text = text, .fault = fault};

  *fault = (struct filter_fault){
      .kind = FAULT_NONE, .part = NO_NODE, .token = NO_NODE};
  if (text.len > FILTER_TEXT_MAX)
    fault->kind = FAULT_TOO_LONG;
  else if (!utf8_valid(text.ptr, text.len))
    fault->kind = FAULT_UTF8;
  if (fault->kind != FAULT_NONE)
    return NULL;
  p.filter = calloc(1, sizeof(*p.filter) + text.len);
  if (p.filter == NULL) {
    fault->kind = FAULT_MEMORY;
    return NULL;
  }
  next(&p);
  p.filter->root = parse_expression(&p);
  if (p.filter->root != NO_NODE && p.token.kind != TOKEN_END)
    syntax_error(&p);
  if (fault->kind != FAULT_NONE) {
    free(p.filter->nodes);
    free(p.filter);
    return NULL;
  }
  return p.filter;
}

int filter_new(struct wps_str text, const struct wps_filter **out, char *why,
               size_t why_size)
{
  struct filter_fault fault;
  struct wps_filter *f = filter_parse(text, &fault);

  *out = NULL;
  if (f != NULL) {
    atomic_init(&f->refs, 1);
    filter_check(f, &fault);
  }
  if (fault.kind == FAULT_NONE) {
    *out = f;
    return WPS_OK;
  }
  if (why_size != 0)
    filter_why(f, text, &fault, why, why_size);
  filter_unref(f);
  return fault.kind == FAULT_MEMORY ? WPS_ENOMEM : WPS_EINVAL;
}

const struct wps_filter *filter_ref(const struct wps_filter *f)
{
  struct wps_filter *own = (struct wps_filter *)f;

  if (own != NULL)
    atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
  return f;
}

void filter_unref(const struct wps_filter *f)
{
  struct wps_filter *own = (struct wps_filter *)f;

  if (own == NULL ||
      atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
    return;
  free(own->nodes);
  free(own);
}
