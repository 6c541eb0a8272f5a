/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/access.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "conf/config.h"

static const struct option options[] = {ACCESS_OPTIONS,
                                        {"user", required_argument, NULL, 'u'},
                                        {"role", required_argument, NULL, 'r'},
                                        {"group", required_argument, NULL, 'g'},
                                        {"ttl", required_argument, NULL, 't'},
                                        {"hub", required_argument, NULL, 'b'},
                                        {"api", required_argument, NULL, 'a'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static int run(const struct command *self, int argc, char **argv)
{
  struct access a = {.hub = "chat", .ttl_ms = 3600000};
  char *token = NULL, *url = NULL;
  int c, status = 1;

  while ((c = ctl_option(self, argc, argv, options, &status)) != -1) {
    if (access_option(&a, c, optarg))
      continue;
    switch (c) {
    case 'u':
      a.user = optarg;
      break;
    case 'r':
      if (!repeated_add(&a.roles, optarg))
        return 1;
      break;
    case 'g':
      if (!repeated_add(&a.groups, optarg))
        return 1;
      break;
    case 't':
      if (!parse_duration(str_from(optarg), &a.ttl_ms) || a.ttl_ms < 1000)
        return ctl_misuse(self, "--ttl wants a time such as 1h");
      break;
    case 'b':
      a.hub = optarg;
      break;
    case 'a':
      if (*optarg != '/')
        return ctl_misuse(self, "--api wants a path such as "
                                "/api/hubs/chat/:send");
      a.api = optarg;
      break;
    default:
      return status;
    }
  }
  if (optind != argc)
    return ctl_misuse(self, "\"%s\" is too much", argv[optind]);
  if (access_find(&a)) {
    token = access_token(&a);
    url = token != NULL ? access_url(&a, token) : NULL;
    if (url != NULL) {
      printf("%s\n%s\n", token, url);
      status = 0;
    } else {
      status = ctl_fail("out of memory");
    }
  }
  free(token);
  free(url);
  access_free(&a);
  return status;
}

const struct command command_token = {
    .name = "token",
    .arguments = "[--user U] [--role R]... [--group G]... [--ttl 1h] "
                 "[--hub H | --api PATH] [--dev | --config FILE | "
                 "--connection STRING | --endpoint URL --key KEY]",
    .summary = "make an access token and print it and the URL that it is for",
    .help =
        "  --user U             user id\n"
        "  --role R             role, such as webpubsub.joinLeaveGroup or\n"
        "                       webpubsub.sendToGroup.news; may be repeated\n"
        "  --group G            group to be in from the start; may be "
        "repeated\n"
        "  --ttl 1h             how long it is valid (default 1h)\n"
        "  --hub H              the hub (default chat)\n"
        "  --api PATH           a token of an application server, for one path "
        "of\n"
        "                       the REST API\n" ACCESS_HELP,
    .run = run};
