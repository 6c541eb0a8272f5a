/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/options.h - the command line of webpubsubd (webpubsubd(8)). */
#ifndef WPS_DAEMON_OPTIONS_H
#define WPS_DAEMON_OPTIONS_H

#include "base/base.h"

enum run_mode {
  MODE_RUN,
  MODE_TEST,           /* -t                */
  MODE_PRINT_DEFAULTS, /* --print-defaults  */
  MODE_VERSION,
  MODE_HELP
};

struct options {
  enum run_mode mode;
  const char *file; /* -c; NULL with --dev */
  bool dev;
  const char *port; /* --port, NULL: 8080 */
  char **sets;      /* "path=value" of --set, in order; borrowed from argv */
  size_t set_count;
};

/* False after a message on stderr. The result borrows from argv. */
bool options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);
void options_help(void);

#endif
