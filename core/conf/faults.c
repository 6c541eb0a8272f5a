/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

/* A file with more faults than this is of the wrong kind altogether. */
enum { FAULTS_KEPT = 500, MESSAGE_MAX = 1024, TEXT_MAX = 2 * 1024 * 1024 };

struct fault {
  struct position at;
  const char *message;
  size_t order;
};

struct faults {
  struct arena mem;
  struct fault kept[FAULTS_KEPT];
  size_t kept_count;
  size_t count;
};

struct faults *faults_new(void)
{
  return calloc(1, sizeof(struct faults));
}

void faults_free(struct faults *f)
{
  if (f == NULL)
    return;
  arena_free(&f->mem);
  free(f);
}

/* Messages quote the file, and the file may hold what moves a terminal's
 * cursor: C0, DEL, and C1 in their two bytes. */
static void make_printable(char *s)
{
  for (; *s != '\0'; s++) {
    unsigned char c = (unsigned char)*s;

    if (c < 0x20 || c == 0x7f)
      *s = '?';
    else if (c == 0xc2 && ((unsigned char)s[1] & 0xe0) == 0x80)
      s[0] = s[1] = '?';
  }
}

void faults_add(struct faults *f, const struct position *at, const char *fmt,
                ...)
{
  static const struct position nowhere;
  char message[MESSAGE_MAX];
  struct fault *new;
  va_list args;
  size_t i;

  if (at == NULL)
    at = &nowhere;
  va_start(args, fmt);
  if (vsnprintf(message, sizeof(message), fmt, args) < 0)
    message[0] = '\0';
  va_end(args);
  make_printable(message);
  for (i = 0; i < f->kept_count; i++) {
    const struct fault *k = &f->kept[i];

    if (k->at.line == at->line && k->at.column == at->column &&
        (k->at.file == NULL) == (at->file == NULL) &&
        (at->file == NULL || strcmp(k->at.file, at->file) == 0) &&
        strcmp(k->message, message) == 0)
      return;
  }
  f->count++;
  if (f->kept_count == FAULTS_KEPT)
    return;
  new = &f->kept[f->kept_count];
  new->at = *at;
  new->order = f->kept_count;
  new->message = arena_str(&f->mem, str_from(message)).ptr;
  if (at->file != NULL)
    new->at.file = arena_str(&f->mem, str_from(at->file)).ptr;
  if (new->message != NULL)
    f->kept_count++;
}

size_t faults_count(const struct faults *f)
{
  return f->count;
}

/* Files by name and place; what has no line after them, as it came. */
static int fault_cmp(const void *left, const void *right)
{
  const struct fault *a = *(const struct fault *const *)left;
  const struct fault *b = *(const struct fault *const *)right;
  int by_name;

  if ((a->at.line == 0) != (b->at.line == 0))
    return a->at.line == 0 ? 1 : -1;
  if (a->at.line != 0) {
    by_name = strcmp(a->at.file == NULL ? "" : a->at.file,
                     b->at.file == NULL ? "" : b->at.file);
    if (by_name != 0)
      return by_name;
    if (a->at.line != b->at.line)
      return a->at.line < b->at.line ? -1 : 1;
    if (a->at.column != b->at.column)
      return a->at.column < b->at.column ? -1 : 1;
  }
  return a->order < b->order ? -1 : a->order > b->order;
}

char *faults_text(const struct faults *f)
{
  const struct fault *sorted[FAULTS_KEPT];
  struct buf out;
  char *text = NULL;
  size_t i;

  buf_init(&out, TEXT_MAX);
  for (i = 0; i < f->kept_count; i++)
    sorted[i] = &f->kept[i];
  qsort(sorted, f->kept_count, sizeof(sorted[0]), fault_cmp);
  for (i = 0; i < f->kept_count; i++) {
    const struct position *at = &sorted[i]->at;

    if (at->file != NULL && at->line != 0)
      buf_printf(&out, "%s:%u:%u: ", at->file, at->line, at->column);
    else if (at->file != NULL)
      buf_printf(&out, "%s: ", at->file);
    buf_printf(&out, "%s\n", sorted[i]->message);
  }
  if (f->count > f->kept_count)
    buf_printf(&out, "and %zu more\n", f->count - f->kept_count);
  if (buf_c(&out) != NULL)
    text = str_dup((struct wps_str){out.data, out.len});
  buf_free(&out);
  return text;
}
