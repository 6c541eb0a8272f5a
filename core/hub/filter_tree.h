/* SPDX-License-Identifier: Apache-2.0 */
/* hub/filter_tree.h - the compiled form, shared by the files of filter.h.
 *
 * One array of nodes, children before their parents; offsets fit 16 bits
 * because the text does. */
#ifndef WPS_HUB_FILTER_TREE_H
#define WPS_HUB_FILTER_TREE_H

#include <stdatomic.h>

#include "hub/filter.h"

enum { NO_NODE = 0xffff };

/* From NODE_NOT on they are operators: in parentheses inside of others. */
enum {
  NODE_NULL,
  NODE_BOOL,
  NODE_INT,
  NODE_STRING,
  NODE_NAME,
  NODE_FOREIGN, /* a literal of OData that we do not have */
  NODE_LIST,
  NODE_CALL,
  NODE_NOT,
  NODE_AND,
  NODE_OR,
  NODE_EQ,
  NODE_NE,
  NODE_GT,
  NODE_GE,
  NODE_LT,
  NODE_LE,
  NODE_IN,
  NODE_FOREIGN_OPERATOR /* `add`, for example */
};

/* What a NODE_NAME or NODE_CALL is of; 0: not known. */
enum { FIELD_USER = 1, FIELD_CONNECTION, FIELD_GROUPS, FIELD_PROTOCOL };
enum {
  FUNCTION_LENGTH = 1,
  FUNCTION_TOLOWER,
  FUNCTION_TOUPPER,
  FUNCTION_TRIM,
  FUNCTION_CONTAINS,
  FUNCTION_STARTSWITH,
  FUNCTION_ENDSWITH,
  FUNCTION_INDEXOF,
  FUNCTION_CONCAT,
  FUNCTION_SUBSTRING
};

struct filter_node {
  uint8_t kind;
  uint8_t what;   /* FIELD_*, FUNCTION_*, or the value of a NODE_BOOL */
  uint16_t count; /* children */
  uint16_t first, next;
  uint16_t at, len; /* of its token or list in the text: for messages */
  union {
    int32_t number;
    struct {
      uint16_t at, len; /* in wps_filter.strings */
    } string;
  } value;
  uint64_t hash; /* of a NODE_STRING, as for tables */
};

struct wps_filter {
  _Atomic uint32_t refs;
  uint16_t root;
  uint16_t node_count;
  struct filter_node *nodes;
  char strings[]; /* values of string literals */
};

/* ---- types ---- */

enum filter_type {
  FILTER_NULL,
  FILTER_BOOL,
  FILTER_STRING,
  FILTER_INT,
  FILTER_COLLECTION
};

/* ---- what is wrong with a text ---- */

enum filter_fault_kind {
  FAULT_NONE,
  FAULT_SYNTAX,      /* position           */
  FAULT_TYPE,        /* actual, expected   */
  FAULT_UNSUPPORTED, /* token              */
  FAULT_INVALID,     /* token              */
  FAULT_UTF8,
  FAULT_TOO_LONG,
  FAULT_TOO_MANY,
  FAULT_TOO_DEEP,
  FAULT_MEMORY
};

struct filter_fault {
  enum filter_fault_kind kind;
  uint16_t part;  /* the operator it is in; NO_NODE: the whole text */
  uint16_t token; /* a node */
  enum filter_type actual, expected;
  size_t position; /* in bytes */
};

/* filter_parse.c: *f is new, with all but refs set; NULL after a fault. */
struct wps_filter *filter_parse(struct wps_str text,
                                struct filter_fault *fault);
/* filter_eval.c: evaluate once against the model of 7.6. */
void filter_check(const struct wps_filter *f, struct filter_fault *fault);
/* filter_why.c: f may be NULL, where there is no tree. */
void filter_why(const struct wps_filter *f, struct wps_str text,
                const struct filter_fault *fault, char *why, size_t size);

/* ---- filter_text.c: strings in UTF-16 units ---- */

/* Room for the strings of one evaluation. */
enum { SCRATCH_ROOM = 512, SCRATCH_MAX = 64 * 1024 };

struct scratch_block;

struct scratch {
  size_t used; /* of room */
  size_t total;
  struct scratch_block *blocks;
  char room[SCRATCH_ROOM];
};

void scratch_init(struct scratch *s); /* leaves room[] as it is */
void scratch_free(struct scratch *s);

/* Those that make strings give {NULL,0} when there is no room. */
struct wps_str text_fold(struct wps_str s, bool upper, struct scratch *scratch);
struct wps_str text_concat(struct wps_str a, struct wps_str b,
                           struct scratch *scratch);
/* length < 0: up to the end. False when it reaches beyond. */
bool text_substring(struct wps_str s, int32_t start, int64_t length,
                    struct scratch *scratch, struct wps_str *out);
struct wps_str text_trim(struct wps_str s);
bool text_contains(struct wps_str s, struct wps_str part);
bool text_starts(struct wps_str s, struct wps_str part);
bool text_ends(struct wps_str s, struct wps_str part);
int32_t text_index(struct wps_str s, struct wps_str part);

#endif
