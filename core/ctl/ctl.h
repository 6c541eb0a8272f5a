/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/ctl.h - webpubsubctl: one file per command, one process per run.
 *
 * Everything blocks, with deadlines; there is one thread. What a command
 * prints on stdout is its result, all else goes to stderr.
 */
#ifndef WPS_CTL_CTL_H
#define WPS_CTL_CTL_H

#include "base/base.h"

#include <getopt.h>

enum { EXIT_USAGE = 2 };

struct command {
  const char *name;
  const char *arguments; /* "NAME --kind KIND [--dir DIR]"               */
  const char *summary;   /* one line                                     */
  const char *help;      /* the options, lines of its own                */
  /* argv[0] is the command's name; returns an exit status. */
  int (*run)(const struct command *self, int argc, char **argv);
};

extern const struct command command_bench, command_connect, command_hash_secret,
    command_manual, command_new_plugin, command_plugin_info, command_request,
    command_send, command_tail, command_token;

/* "webpubsubctl: ..." to stderr; returns 1, or EXIT_USAGE with a hint. */
int ctl_fail(const char *fmt, ...) WPS_PRINTF(1, 2);
int ctl_misuse(const struct command *self, const char *fmt, ...)
    WPS_PRINTF(2, 3);
void ctl_help(const struct command *self);

/* An option that may be repeated, at most CTL_REPEAT_MAX times. */
enum { CTL_REPEAT_MAX = 256 };
struct repeated {
  const char *items[CTL_REPEAT_MAX];
  size_t count;
};
bool repeated_add(struct repeated *r, const char *item);

/* getopt_long with --help and errors done: -1 at the end, '?' when the command
 * is to return *status. */
int ctl_option(const struct command *self, int argc, char **argv,
               const struct option *options, int *status);

#endif
