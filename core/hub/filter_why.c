/* SPDX-License-Identifier: Apache-2.0 */
/* hub/filter_why.c - sentences about filters that are refused (7.6). */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "hub/filter_tree.h"

/* Of a longer text the beginning is shown. */
enum { SHOWN_MAX = 1000, SENTENCE_ROOM = 160 };

struct out {
  char *to;
  size_t size, len;
  bool cut; /* there was more */
};

/* The sentence is a C string: no NUL in it. */
static void put(struct out *o, struct wps_str s)
{
  static const char stand_in[] = "\xef\xbf\xbd";

  for (size_t i = 0; i < s.len; i++) {
    const char *from = s.ptr[i] != '\0' ? &s.ptr[i] : stand_in;
    size_t n = s.ptr[i] != '\0' ? 1 : sizeof(stand_in) - 1;

    if (n > o->size - o->len) {
      o->cut = true;
      return;
    }
    memcpy(o->to + o->len, from, n);
    o->len += n;
  }
}

static void put_c(struct out *o, const char *text)
{
  put(o, (struct wps_str){text, strlen(text)});
}

/* ---- a part of the tree ---- */

struct printer {
  const struct wps_filter *f;
  struct wps_str text;
  struct out out;
};

static void print(struct printer *p, uint16_t n);

static void print_operand(struct printer *p, uint16_t n)
{
  bool wrap = p->f->nodes[n].kind >= NODE_NOT;

  if (wrap)
    put_c(&p->out, "(");
  print(p, n);
  if (wrap)
    put_c(&p->out, ")");
}

static struct wps_str slice(const struct printer *p, uint16_t n)
{
  const struct filter_node *node = &p->f->nodes[n];

  return (struct wps_str){p->text.ptr + node->at, node->len};
}

static void print_call(struct printer *p, uint16_t n)
{
  uint16_t first = p->f->nodes[n].first;

  put(&p->out, slice(p, n));
  put_c(&p->out, "(");
  for (uint16_t i = first; i != NO_NODE; i = p->f->nodes[i].next) {
    if (i != first)
      put_c(&p->out, ",");
    print(p, i);
  }
  put_c(&p->out, ")");
}

static void print_binary(struct printer *p, uint16_t n)
{
  static const char *const words[] = {"and", "or", "eq", "ne", "gt",
                                      "ge",  "lt", "le", "in"};
  const struct filter_node *node = &p->f->nodes[n];

  print_operand(p, node->first);
  put_c(&p->out, " ");
  if (node->kind == NODE_FOREIGN_OPERATOR)
    put(&p->out, slice(p, n));
  else
    put_c(&p->out, words[node->kind - NODE_AND]);
  put_c(&p->out, " ");
  print_operand(p, p->f->nodes[node->first].next);
}

static void print(struct printer *p, uint16_t n)
{
  if (p->out.cut)
    return;
  switch (p->f->nodes[n].kind) {
  case NODE_CALL:
    print_call(p, n);
    break;
  case NODE_NOT:
    put_c(&p->out, "not ");
    print_operand(p, p->f->nodes[n].first);
    break;
  default:
    if (p->f->nodes[n].kind > NODE_NOT)
      print_binary(p, n);
    else
      put(&p->out, slice(p, n));
  }
}

/* ---- sentences ---- */

/* How much of it is well-formed. */
static size_t good_part(struct wps_str s)
{
  struct utf8_state state = {0};
  size_t good = 0;

  for (size_t i = 0; i < s.len && utf8_feed(&state, s.ptr + i, 1); i++)
    if (utf8_complete(&state))
      good = i + 1;
  return good;
}

/* The node, or the whole text for NO_NODE, into room[max]. */
static struct wps_str shown(const struct wps_filter *f, struct wps_str text,
                            uint16_t n, char *room, size_t max)
{
  struct printer p = {f, text, {room, max, 0, false}};

  if (n != NO_NODE)
    print(&p, n);
  else
    put(&p.out, text);
  p.out.len = good_part((struct wps_str){room, p.out.len});
  if (p.out.cut) {
    struct wps_str cut =
        utf8_cut((struct wps_str){room, p.out.len}, max > 3 ? max - 3 : 0);

    p.out.len = cut.len;
    put_c(&p.out, "...");
  }
  return (struct wps_str){room, p.out.len};
}

static const char *type_name(enum filter_type type)
{
  static const char *const names[] = {"null", "bool", "string", "int",
                                      "collection"};

  return names[type];
}

/* Of an operator that is not supported only its word. */
static struct wps_str shown_token(const struct wps_filter *f,
                                  struct wps_str text, uint16_t n, char *room,
                                  size_t max)
{
  const struct filter_node *node = &f->nodes[n];

  if (node->kind == NODE_FOREIGN_OPERATOR)
    return (struct wps_str){text.ptr + node->at, node->len};
  return shown(f, text, n, room, max);
}

static void put_detail(struct out *o, const struct wps_filter *f,
                       struct wps_str text, const struct filter_fault *fault,
                       size_t max)
{
  char room[SHOWN_MAX], number[64];

  switch (fault->kind) {
  case FAULT_SYNTAX:
    snprintf(number, sizeof(number), "Syntax error at position %zu in '",
             utf8_utf16_len((struct wps_str){text.ptr, fault->position}));
    put_c(o, number);
    put(o, shown(f, text, NO_NODE, room, max));
    put_c(o, "'.");
    break;
  case FAULT_TYPE:
    put_c(o, "Type '");
    put_c(o, type_name(fault->actual));
    put_c(o, "', expect '");
    put_c(o, type_name(fault->expected));
    put_c(o, "'.");
    break;
  case FAULT_UNSUPPORTED:
    put_c(o, "Token '");
    put(o, shown_token(f, text, fault->token, room, max));
    put_c(o, "' is not supported.");
    break;
  case FAULT_INVALID:
    put_c(o, "Invalid token '");
    put(o, shown_token(f, text, fault->token, room, max));
    put_c(o, "'.");
    break;
  case FAULT_UTF8:
    put_c(o, "The filter is not UTF-8.");
    break;
  case FAULT_TOO_LONG:
    snprintf(number, sizeof(number), "The filter is longer than %d bytes.",
             FILTER_TEXT_MAX);
    put_c(o, number);
    break;
  case FAULT_TOO_MANY:
    snprintf(number, sizeof(number), "The filter has more than %d operators.",
             FILTER_OPERATORS_MAX);
    put_c(o, number);
    break;
  case FAULT_TOO_DEEP:
    snprintf(number, sizeof(number),
             "The filter is nested more than %d levels deep.",
             FILTER_DEPTH_MAX);
    put_c(o, number);
    break;
  default:
    put_c(o, "Out of memory.");
  }
}

void filter_why(const struct wps_filter *f, struct wps_str text,
                const struct filter_fault *fault, char *why, size_t size)
{
  struct out o = {why, size - 1, 0, false};
  size_t max = size > SENTENCE_ROOM ? (size - SENTENCE_ROOM) / 2 : 0;
  char room[SHOWN_MAX];

  if (max > SHOWN_MAX)
    max = SHOWN_MAX;
  put_c(&o, "Invalid syntax for '");
  put(&o, shown(f, text, fault->part, room, max));
  put_c(&o, "': ");
  put_detail(&o, f, text, fault, max);
  put_c(&o, " (Parameter 'filter')");
  o.len = good_part((struct wps_str){why, o.len});
  why[o.len] = '\0';
}
