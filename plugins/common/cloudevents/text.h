/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - growing bytes and small questions about text. Thread: any. */
#ifndef CLOUDEVENTS_TEXT_H
#define CLOUDEVENTS_TEXT_H

#include <webpubsub/types.h>

#define STR(literal) ((struct wps_str){"" literal, sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).len, (s).ptr

/* Once memory has run out nothing is added any more, and `failed` says so. */
struct text {
  char *ptr;
  size_t len, cap;
  bool failed;
  uint8_t reserved[7];
};

void text_add(struct text *t, const void *bytes, size_t len);
void text_add_str(struct text *t, struct wps_str s);
void text_printf(struct text *t, const char *fmt, ...) WPS_PRINTF(2, 3);
/* A NUL behind what is there, which does not count. */
void text_terminate(struct text *t);
void text_free(struct text *t);
static inline void text_clear(struct text *t)
{
  t->len = 0;
  t->failed = false;
}
static inline struct wps_str text_str(const struct text *t)
{
  return (struct wps_str){t->ptr != NULL ? t->ptr : "", t->len};
}

struct wps_str str_of(const char *s); /* NULL: absent */
bool str_equal(struct wps_str a, struct wps_str b);
bool str_equal_fold(struct wps_str a, struct wps_str b); /* ASCII */
bool str_prefix_fold(struct wps_str s, struct wps_str prefix);
/* Without blanks and tabs around it. */
struct wps_str str_strip(struct wps_str s);
/* The next part of a list with commas, trimmed; false at its end. */
bool str_next_part(struct wps_str *list, struct wps_str *part);

bool utf8_ok(struct wps_str s);
/* Well-formed UTF-8 in which U+FFFD stands for what was none. */
void text_add_clean(struct text *t, struct wps_str s);
/* A JSON string with its quotes, after the same repair. */
void text_add_json(struct text *t, struct wps_str s);

#endif
