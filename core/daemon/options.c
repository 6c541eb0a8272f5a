/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/options.c - getopt_long, and what fits together. */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { OPT_DEV = 256, OPT_PORT, OPT_SET, OPT_DEFAULTS, OPT_VERSION, OPT_HELP };

static const struct option long_options[] = {
    {"dev", no_argument, NULL, OPT_DEV},
    {"port", required_argument, NULL, OPT_PORT},
    {"set", required_argument, NULL, OPT_SET},
    {"print-defaults", no_argument, NULL, OPT_DEFAULTS},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0}};

void options_help(void)
{
  puts(
      "usage: webpubsubd -c FILE [--set path.to.key=value]...\n"
      "       webpubsubd -t -c FILE     check the configuration, open no port\n"
      "       webpubsubd --dev [--port N]  loopback, any hub, published key\n"
      "       webpubsubd --print-defaults [-c FILE]\n"
      "       webpubsubd --version | --help\n"
      "\n"
      "Without -c: " SYSCONFDIR
      "/webpubsubd/webpubsubd.yaml, or the file that\n"
      "WEBPUBSUBD_CONFIG names. WEBPUBSUBD_A__B=value sets a.b. Logs go to\n"
      "stderr; SIGTERM drains and exits 0. See webpubsubd(8) and\n"
      "webpubsubd.yaml(5).");
}

static bool complain(const char *what, const char *arg)
{
  fprintf(stderr, "webpubsubd: %s%s; see webpubsubd --help\n", what, arg);
  return false;
}

static bool port_ok(const char *port)
{
  uint64_t number;

  return str_to_u64(str_from(port), &number) && number <= 65535;
}

static bool take(struct options *o, int opt)
{
  switch (opt) {
  case 'c':
    o->file = optarg;
    return true;
  case 't':
    o->mode = MODE_TEST;
    return true;
  case OPT_DEV:
    o->dev = true;
    return true;
  case OPT_PORT:
    o->port = optarg;
    return port_ok(optarg) || complain("--port takes 0 to 65535, not ", optarg);
  case OPT_SET:
    o->sets[o->set_count++] = optarg;
    return strchr(optarg, '=') != NULL ||
           complain("--set takes path.to.key=value, not ", optarg);
  case OPT_DEFAULTS:
    o->mode = MODE_PRINT_DEFAULTS;
    return true;
  case OPT_VERSION:
    o->mode = MODE_VERSION;
    return true;
  case OPT_HELP:
    o->mode = MODE_HELP;
    return true;
  default: /* getopt has said it */
    fputs("see webpubsubd --help\n", stderr);
    return false;
  }
}

bool options_parse(struct options *o, int argc, char **argv)
{
  int opt;

  memset(o, 0, sizeof(*o));
  o->sets = calloc((size_t)argc + 1, sizeof(*o->sets));
  if (o->sets == NULL)
    return complain("out of memory", "");
  while ((opt = getopt_long(argc, argv, "c:t", long_options, NULL)) != -1)
    if (!take(o, opt))
      return false;
  if (optind < argc)
    return complain("unexpected argument ", argv[optind]);
  if (o->dev && o->file != NULL)
    return complain("--dev runs without a file; it cannot stand beside -c", "");
  if (o->port != NULL && !o->dev)
    return complain("--port stands beside --dev; elsewhere use --set "
                    "listen.0.address=...",
                    "");
  if (!o->dev && o->file == NULL && o->mode != MODE_PRINT_DEFAULTS) {
    o->file = getenv("WEBPUBSUBD_CONFIG");
    if (o->file == NULL)
      o->file = SYSCONFDIR "/webpubsubd/webpubsubd.yaml";
  }
  return true;
}

void options_free(struct options *o)
{
  free(o->sets);
}
