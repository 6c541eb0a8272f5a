/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

static const struct command *const commands[] = {
    &command_new_plugin,  &command_plugin_info, &command_token,
    &command_hash_secret, &command_tail,        &command_send,
    &command_connect,     &command_request,     &command_bench,
    &command_manual,
};

int ctl_fail(const char *fmt, ...)
{
  va_list args;

  fputs("webpubsubctl: ", stderr);
  va_start(args, fmt);
  vfprintf(stderr, fmt, args);
  va_end(args);
  fputc('\n', stderr);
  return 1;
}

int ctl_misuse(const struct command *self, const char *fmt, ...)
{
  va_list args;

  fprintf(stderr, "webpubsubctl %s: ", self->name);
  va_start(args, fmt);
  vfprintf(stderr, fmt, args);
  va_end(args);
  fprintf(stderr, "\nusage: webpubsubctl %s %s\n", self->name, self->arguments);
  return EXIT_USAGE;
}

void ctl_help(const struct command *self)
{
  printf("usage: webpubsubctl %s %s\n\n%s.\n\n%s", self->name, self->arguments,
         self->summary, self->help);
}

bool repeated_add(struct repeated *r, const char *item)
{
  if (r->count == CTL_REPEAT_MAX) {
    ctl_fail("an option is given more than %d times", CTL_REPEAT_MAX);
    return false;
  }
  r->items[r->count++] = item;
  return true;
}

int ctl_option(const struct command *self, int argc, char **argv,
               const struct option *options, int *status)
{
  int c = getopt_long(argc, argv, "h", options, NULL);

  if (c == 'h') {
    ctl_help(self);
    *status = 0;
    return '?';
  }
  if (c == '?')
    *status = EXIT_USAGE;
  return c;
}

static void usage(FILE *to)
{
  fputs("usage: webpubsubctl COMMAND [ARGUMENT]...\n\ncommands:\n", to);
  for (size_t i = 0; i < ARRAY_LEN(commands); i++)
    fprintf(to, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
  fputs("\n\"webpubsubctl COMMAND --help\" says more about one.\n", to);
}

/* What nobody has got is no success: a full disk, a reader that has left. */
static int run(const struct command *self, int argc, char **argv)
{
  int status = self->run(self, argc, argv);

  if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0)
    status = ctl_fail("the output cannot be written");
  return status;
}

int main(int argc, char **argv)
{
  if (argc < 2) {
    usage(stderr);
    return EXIT_USAGE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
      strcmp(argv[1], "help") == 0) {
    usage(stdout);
    return 0;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("webpubsubctl %s, plugin ABI %d.%d\n", PACKAGE_VERSION,
           WPS_ABI_MAJOR, WPS_ABI_MINOR);
    return 0;
  }
  /* A peer that has gone is an error of write(), not a signal. */
  signal(SIGPIPE, SIG_IGN);
  for (size_t i = 0; i < ARRAY_LEN(commands); i++)
    if (strcmp(argv[1], commands[i]->name) == 0)
      return run(commands[i], argc - 1, argv + 1);
  ctl_fail("there is no command \"%s\"", argv[1]);
  usage(stderr);
  return EXIT_USAGE;
}
