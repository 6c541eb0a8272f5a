/* SPDX-License-Identifier: Apache-2.0 */
/* conf/internal.h - what the files of this room share and others need not see.
 */
#ifndef WPS_CONF_INTERNAL_H
#define WPS_CONF_INTERNAL_H

#include "conf/config.h"

enum { CONF_TEXT_MAX = 1024 * 1024, CONF_DEPTH_MAX = 32 };

/* ---- memory of one document or one section, released at once ---- */

struct arena_block;
struct arena {
  struct arena_block *blocks;
};

/* Zeroed; NULL when out of memory. */
void *arena_alloc(struct arena *a, size_t size);
/* A terminated copy; ptr NULL when out of memory. */
struct wps_str arena_str(struct arena *a, struct wps_str s);
/* Wipes before it frees: secrets pass through here. */
void arena_free(struct arena *a);

/* ---- document ---- */

struct document {
  struct arena mem;
  struct node *root; /* always a map */
  bool cut;          /* see document_complete() */
};

/* Parse one value: with `origin`, every position is that name without a line.
 * NULL when out of memory; a faulty text gives what could be read. */
struct node *document_read(struct document *d, const char *name,
                           const char *origin, const char *text, size_t len,
                           struct faults *f);
struct node *node_new(struct document *d, enum node_kind kind,
                      struct position at);
/* Room for one more element; false when out of memory. */
bool node_grow(struct document *d, struct node *n);

/* ---- sections ---- */

struct value {
  int64_t number;
  struct wps_str text;
};

struct entry {
  struct wps_config_item item;
  bool written;
  struct position at; /* of the value, or of the section */
  size_t count;       /* what wps->config->count() says  */
  struct value *values;
  struct wps_config **sections; /* one even when count is 0: its defaults */
};

struct wps_config {
  struct arena own; /* of the outermost only: holds those inside too */
  struct faults *faults;
  struct position at;
  struct entry *entries;
  size_t entry_count;
};

/* One item of a schema whose items may be smaller or larger than ours. */
struct wps_config_item schema_item(const struct wps_config_schema *schema,
                                   size_t index);
struct entry *section_entry(const struct wps_config *cfg, const char *key);

/* ---- manual ---- */

/* "size, 1k to 64m", "list of text": without default. */
void item_type_text(const struct wps_config_item *item, char *out, size_t size);
/* Running text in mdoc: a capital first, a full stop last, short lines. */
struct buf;
void mdoc_sentence(struct buf *out, const char *text);
/* Has it an item without which it cannot be written? */
bool schema_requires(const struct wps_config_schema *schema);

/* ---- names and units ---- */

/* What our key is called that the Azure resource manager calls `word`. */
const char *foreign_name(struct wps_str word);
/* What is to be said about a key (by our name) or a value that belongs to the
 * service but not to this version, or NULL. */
const char *unserved(struct wps_str word);
/* "30s", "64k": the largest unit that divides it. */
void units_duration_text(int64_t ms, char *out, size_t size);
void units_size_text(int64_t bytes, char *out, size_t size);

#endif
