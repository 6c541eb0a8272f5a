/* SPDX-License-Identifier: Apache-2.0 */
/* conf/config.h - a YAML file becomes validated sections.
 *
 * document: text with positions -> overrides from environment and --set ->
 * section: a mapping checked against a schema, defaults filled in. Faults are
 * collected and printed at once, sorted by position. Thread: main; a finished
 * section may be read by any thread.
 */
#ifndef WPS_CONF_CONFIG_H
#define WPS_CONF_CONFIG_H

#include "base/base.h"

#include <webpubsub/config.h>

/* ---- faults ---- */

struct faults;

struct position {
  const char *file; /* name, or "environment WEBPUBSUBD_X", "--set x.y" */
  uint32_t line;    /* 1..., 0: no position in a file                   */
  uint32_t column;
};

struct faults *faults_new(void);
void faults_free(struct faults *f);
/* Thread: main. `at` NULL: no position. Equal faults are kept once. */
void faults_add(struct faults *f, const struct position *at, const char *fmt,
                ...) WPS_PRINTF(3, 4);
size_t faults_count(const struct faults *f);
/* "FILE:LINE:COLUMN: message\n" each, sorted by position. The result is
 * malloc'ed. */
char *faults_text(const struct faults *f);

/* ---- document: a tree of nodes ---- */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
  enum node_kind kind;
  struct position at; /* of the value */
  struct wps_str scalar;
  bool quoted;  /* scalar in quotes: never null */
  size_t count; /* list elements or map entries */
  struct node **items;
  struct wps_str *keys; /* map only; key_at where each stands */
  struct position *key_at;
};

struct document;

/* Aliases, anchors, tags, duplicate keys, several documents, invalid UTF-8,
 * nesting over 32 and texts over 1 MiB are faults. NULL only when out of
 * memory: a faulty text gives what could be read. An empty file is an empty
 * map. */
struct document *document_parse(const char *name, const char *text, size_t len,
                                struct faults *f);
struct document *document_load(const char *path, struct faults *f);
void document_free(struct document *d);
struct node *document_root(struct document *d);
/* False when reading ended early (it could not be opened, is no YAML, too deep
 * or too large): then keys that seem to be missing may stand behind that place,
 * and checking sections would tell of faults that are none. */
bool document_complete(const struct document *d);
/* Override or add one value. `path` is "a.b.c", list elements by number; the
 * value is taken as it stands, but for "[a, b]", "{a: b}" and quoted texts,
 * which are parsed as YAML. Positions are `origin` without a line. */
void document_set(struct document *d, const char *path, const char *value,
                  const char *origin, struct faults *f);
/* Apply every WEBPUBSUBD_A__B=value of envp (names lower-cased, "__" between
 * levels, a single "_" stays or stands for "-" where such a key exists in the
 * document or in `known`, a NULL-terminated list of key names such as
 * plugin names). WEBPUBSUBD_FAULT, WEBPUBSUBD_CONFIG and WEBPUBSUBD_PLUGIN_DIR
 * are passed over, and what Kubernetes sets for a service of that name. */
void document_environment(struct document *d, char *const *envp,
                          const char *const *known, struct faults *f);

struct node *node_get(const struct node *map, const char *key); /* or NULL */
/* Nothing was written: an empty plain scalar, "~" or "null". */
bool node_is_null(const struct node *n);
/* The same keys and values, wherever they stand; NULL is like null. */
bool node_equal(const struct node *a, const struct node *b);

/* ---- sections ----
 *
 * wps->config->error(cfg, key, "too old") is reported as "`key`: too old". */

/* Check `node` (NULL: all defaults, position of `parent`) against one or two
 * schemas (the second, such as an upstream's handler_schema, may be NULL).
 * Unknown keys are faults that name the nearest known key, unless they are in
 * `ignored` (NULL-terminated, may be NULL), which also passes over keys that
 * the schema has: their values are checked elsewhere. A value that is empty,
 * `null` or `~` without quotes is as if its key were not there. Always returns
 * a section, unless out of memory; with faults its values are the defaults. It
 * does not need the document any more, but `f` as long as error() is called.
 *
 * A nested section (not a list) that is not written has count() 0, and
 * section_at(0) is the section of its defaults, so that only those who need the
 * difference ask. `min` and `max` of texts and secrets count bytes. */
struct wps_config *section_check(const struct node *node,
                                 const struct position *parent,
                                 const struct wps_config_schema *schema,
                                 const struct wps_config_schema *more,
                                 const char *const *ignored, struct faults *f);
void section_free(struct wps_config *cfg);
struct position section_position(const struct wps_config *cfg, const char *key);
/* Was the key written (in file, environment, --set), or is it the default? */
bool section_has(const struct wps_config *cfg, const char *key);
/* Where wps->config->error() of this section reports to; set by section_check.
 */
struct faults *section_faults(const struct wps_config *cfg);

/* The table behind wps->config (implemented in conf/access.c). */
extern const struct wps_config_api config_api;

/* "500ms", "30s", "2h"; "64k", "1m". False when it is neither. */
bool parse_duration(struct wps_str s, int64_t *ms);
bool parse_size(struct wps_str s, int64_t *bytes);
/* Value of a SECRET: file:PATH (trailing newline dropped, must not be readable
 * by others), env:NAME, or itself. False with a sentence. *out is malloc'ed. */
bool parse_secret(struct wps_str s, char **out, size_t *out_len, char *why,
                  size_t why_size);
/* The text with each "${file:PATH}" and "${env:NAME}" in it replaced by that
 * secret. False with a sentence. *out is malloc'ed. */
bool parse_secrets_within(struct wps_str s, char **out, size_t *out_len,
                          char *why, size_t why_size);

/* The nearest of `known` to `word` by edit distance, NULL when none is near. */
const char *nearest(struct wps_str word, const char *const *known,
                    size_t known_count);

#endif
