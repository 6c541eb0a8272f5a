/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "conf/config.h"
#include "ctl/http_client.h"
#include "ctl/net.h"

struct asked {
  struct repeated headers;
  struct net_options net;
  const char *data;
};

static const struct option options[] = {
    {"header", required_argument, NULL, 'H'},
    {"data", required_argument, NULL, 'd'},
    {"timeout", required_argument, NULL, 't'},
    {"ca", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

static const char help[] =
    "  --header \"N: V\"      add a header; may be repeated\n"
    "  --data TEXT          send a body\n"
    "  --timeout 5s         how long to wait for each thing (default 5s)\n"
    "  --ca FILE            certificates to trust instead of the system's\n"
    "\n"
    "The body of the answer goes to stdout, its status to stderr. The exit\n"
    "status is 0 when the answer was 2xx.\n";

static bool read_options(const struct command *self, int argc, char **argv,
                         struct asked *a, int *status)
{
  int c;

  while ((c = ctl_option(self, argc, argv, options, status)) != -1) {
    switch (c) {
    case 'H':
      if (!repeated_add(&a->headers, optarg))
        return false;
      break;
    case 'd':
      a->data = optarg;
      break;
    case 't':
      if (!parse_duration(str_from(optarg), &a->net.timeout_ms)) {
        *status = ctl_misuse(self, "--timeout wants a time such as 5s");
        return false;
      }
      break;
    case 'c':
      a->net.ca_file = optarg;
      break;
    default:
      return false;
    }
  }
  if (optind != argc - 2) {
    *status = ctl_misuse(self, "give a method and a URL");
    return false;
  }
  return true;
}

static int run(const struct command *self, int argc, char **argv)
{
  struct asked a = {.net = {.timeout_ms = 5000}};
  struct http_answer answer;
  struct http_question q;
  struct net_url url;
  struct net *net;
  char why[512];
  int status = 1;

  if (!read_options(self, argc, argv, &a, &status))
    return status;
  if (!net_url_parse(argv[optind + 1], &url, why, sizeof(why)) ||
      (net = net_open(&url, &a.net, why, sizeof(why))) == NULL)
    return ctl_fail("%s", why);
  q = (struct http_question){.method = argv[optind],
                             .url = &url,
                             .headers = a.headers.items,
                             .header_count = a.headers.count,
                             .body = a.data};
  if (!http_ask(net, &q, &answer, why, sizeof(why))) {
    status = ctl_fail("%s", why);
  } else {
    fprintf(stderr, "HTTP %u %s\n", answer.status, http_reason(answer.status));
    fwrite(answer.body.data, 1, answer.body.len, stdout);
    status = answer.status >= 200 && answer.status < 300 ? 0 : 1;
  }
  http_answer_free(&answer);
  net_close(net);
  return status;
}

const struct command command_request = {
    .name = "request",
    .arguments = "METHOD URL [--header \"N: V\"]... [--data TEXT] "
                 "[--timeout 5s] [--ca FILE]",
    .summary = "send one HTTP request",
    .help = help,
    .run = run};
