/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with a plugin that builds and passes its own test. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "ctl/templates.h"

enum { NAME_MAX_ = 48, FILE_MAX = 1024 * 1024 };

struct plan {
  const char *kind;
  const char *name;          /* "my-echo"              */
  char ident[NAME_MAX_ + 1]; /* "my_echo"              */
  const char *dir;
  char full[PATH_MAX]; /* dir, absolute          */
};

static const struct option options[] = {{"kind", required_argument, NULL, 'k'},
                                        {"dir", required_argument, NULL, 'd'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static const char *template_find(const char *name)
{
  for (const struct template *t = templates; t->name != NULL; t++)
    if (strcmp(t->name, name) == 0)
      return t->text;
  return NULL;
}

static bool name_fits(const char *name)
{
  size_t n = strlen(name);

  return n > 0 && n <= NAME_MAX_ && name[0] >= 'a' && name[0] <= 'z' &&
         strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static bool kind_fits(const char *kind)
{
  static const char *const kinds[] = {"subprotocol", "auth", "upstream",
                                      "http"};

  for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
    if (strcmp(kind, kinds[i]) == 0)
      return true;
  return false;
}

/* "auth.yaml", "auth.test", ... */
static const char *part_find(const struct plan *p, const char *what)
{
  char name[64];

  snprintf(name, sizeof(name), "%s.%s", p->kind, what);
  return template_find(name);
}

static const char *word_value(const struct plan *p, const char *word,
                              size_t len)
{
  const struct {
    const char *word, *value;
  } words[] = {{"KIND", p->kind},
               {"NAME", p->name},
               {"IDENT", p->ident},
               {"DIR", p->full},
               {"CHECKS", part_find(p, "test")},
               {"ABOUT", part_find(p, "md")}};

  for (size_t i = 0; i < ARRAY_LEN(words); i++)
    if (strlen(words[i].word) == len && memcmp(words[i].word, word, len) == 0)
      return words[i].value;
  return NULL;
}

/* Puts values for @WORD@. A value may contain words in its turn, once. */
static void expand(const struct plan *p, const char *text, struct buf *out,
                   unsigned depth)
{
  const char *at, *end, *value;

  while ((at = strchr(text, '@')) != NULL) {
    buf_add(out, text, (size_t)(at - text));
    end = strchr(at + 1, '@');
    value = end != NULL ? word_value(p, at + 1, (size_t)(end - at) - 1) : NULL;
    if (value == NULL) {
      buf_add_byte(out, '@');
      text = at + 1;
      continue;
    }
    if (depth < 2)
      expand(p, value, out, depth + 1);
    text = end + 1;
  }
  buf_add_c(out, text);
}

static bool file_write(const struct plan *p, const char *template,
                       const char *name, mode_t mode)
{
  const char *text = template_find(template);
  char path[PATH_MAX + NAME_MAX_ + 16];
  struct buf out;
  ssize_t done = -1;
  int fd;

  if (text == NULL) {
    ctl_fail("the template %s is missing", template);
    return false;
  }
  snprintf(path, sizeof(path), "%s/%s", p->dir, name);
  buf_init(&out, FILE_MAX);
  expand(p, text, &out, 0);
  fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd >= 0 && !out.failed)
    done = write(fd, out.data, out.len);
  if (fd < 0 || close(fd) != 0 || done < 0 || (size_t)done != out.len) {
    ctl_fail("%s: %s", path, strerror(errno));
    buf_free(&out);
    return false;
  }
  buf_free(&out);
  return true;
}

static bool folder_make(struct plan *p)
{
  if (mkdir(p->dir, 0777) != 0) {
    /* An existing folder may hold somebody's work. */
    ctl_fail(errno == EEXIST ? "%s is there already and stays as it is"
                             : "%s cannot be made",
             p->dir);
    return false;
  }
  if (realpath(p->dir, p->full) == NULL) {
    ctl_fail("%s: %s", p->dir, strerror(errno));
    return false;
  }
  return true;
}

static bool plugin_write(struct plan *p)
{
  char code[64], main_name[64], config[64], test[64];

  snprintf(code, sizeof(code), "%s.c.in", p->kind);
  snprintf(main_name, sizeof(main_name), "%s.c", p->name);
  snprintf(config, sizeof(config), "%s.yaml", p->name);
  snprintf(test, sizeof(test), "test_%s.sh", p->name);
  if (!folder_make(p) || !file_write(p, code, main_name, 0666))
    return false;
  snprintf(code, sizeof(code), "%s.yaml", p->kind);
  return file_write(p, code, config, 0666) &&
         file_write(p, "plugin.mk", "Makefile", 0666) &&
         file_write(p, "README.md", "README.md", 0666) &&
         file_write(p, "test.sh", test, 0777);
}

static int run(const struct command *self, int argc, char **argv)
{
  static struct plan p;
  char folder[NAME_MAX_ + 32];
  int c, status = 1;

  while ((c = ctl_option(self, argc, argv, options, &status)) != -1) {
    if (c == 'k')
      p.kind = optarg;
    else if (c == 'd')
      p.dir = optarg;
    else
      return status;
  }
  if (optind != argc - 1)
    return ctl_misuse(self, "give one name");
  p.name = argv[optind];
  if (!name_fits(p.name))
    return ctl_misuse(self,
                      "a name has lower-case letters, digits and "
                      "hyphens, begins with a letter, and is no longer "
                      "than %d",
                      NAME_MAX_);
  if (p.kind == NULL || !kind_fits(p.kind))
    return ctl_misuse(self, "--kind is subprotocol, auth, upstream or http");
  for (size_t i = 0; p.name[i] != '\0'; i++)
    p.ident[i] = p.name[i] == '-' ? '_' : p.name[i];
  snprintf(folder, sizeof(folder), "./%s-%s", p.kind, p.name);
  if (p.dir == NULL)
    p.dir = folder;
  if (!plugin_write(&p))
    return 1;
  printf("%s: now \"make check\" there, then look into %s.c\n", p.dir, p.name);
  return 0;
}

const struct command command_new_plugin = {
    .name = "new-plugin",
    .arguments = "NAME --kind subprotocol|auth|upstream|http [--dir DIR]",
    .summary = "write a folder with a new plugin that builds and passes a test",
    .help =
        "  --kind KIND          subprotocol, auth, upstream or http\n"
        "  --dir DIR            the folder (default ./KIND-NAME), which must\n"
        "                       not be there yet\n",
    .run = run};
