/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/config.h"
#include "ctl/ws_client.h"

struct asked {
  struct ws_options ws;
  struct repeated headers, sends;
  long receive; /* -1: until the server closes */
};

static const struct option options[] = {
    {"subprotocol", required_argument, NULL, 's'},
    {"header", required_argument, NULL, 'H'},
    {"send", required_argument, NULL, 'm'},
    {"receive", required_argument, NULL, 'r'},
    {"timeout", required_argument, NULL, 't'},
    {"ca", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

static const char help[] =
    "  --subprotocol NAME   offer this subprotocol (or several, with commas)\n"
    "  --header \"N: V\"      add a header to the handshake; may be repeated\n"
    "  --send TEXT          send a text message; may be repeated\n"
    "  --receive N          leave after N messages; without it when the "
    "server\n"
    "                       closes\n"
    "  --timeout 5s         how long to wait for each thing (default 5s)\n"
    "  --ca FILE            certificates to trust instead of the system's\n"
    "\n"
    "Each message is printed as one line, a binary one as 0x and hex digits.\n"
    "The exit status is 0 when all messages asked for have come, without\n"
    "--receive when the server closed with 1000.\n";

static bool read_options(const struct command *self, int argc, char **argv,
                         struct asked *a, int *status)
{
  char *end;
  int c;

  while ((c = ctl_option(self, argc, argv, options, status)) != -1) {
    switch (c) {
    case 's':
      a->ws.subprotocol = optarg;
      break;
    case 'H':
      if (!repeated_add(&a->headers, optarg))
        return false;
      break;
    case 'm':
      if (!repeated_add(&a->sends, optarg))
        return false;
      break;
    case 'r':
      a->receive = strtol(optarg, &end, 10);
      if (*end != '\0' || a->receive < 0) {
        *status = ctl_misuse(self, "--receive wants a number");
        return false;
      }
      break;
    case 't':
      if (!parse_duration(str_from(optarg), &a->ws.timeout_ms)) {
        *status = ctl_misuse(self, "--timeout wants a time such as 5s");
        return false;
      }
      break;
    case 'c':
      a->ws.ca_file = optarg;
      break;
    default:
      return false;
    }
  }
  if (optind != argc - 1) {
    *status = ctl_misuse(self, "give one URL");
    return false;
  }
  a->ws.url = argv[optind];
  a->ws.headers = a->headers.items;
  a->ws.header_count = a->headers.count;
  return true;
}

static void message_print(const struct ws_message *m)
{
  const uint8_t *p = m->data.ptr;

  if (m->opcode == WS_TEXT) {
    fwrite(m->data.ptr, 1, m->data.len, stdout);
  } else {
    fputs("0x", stdout);
    for (size_t i = 0; i < m->data.len; i++)
      printf("%02x", p[i]);
  }
  putchar('\n');
  fflush(stdout);
}

/* 0 when everything asked for has come. */
static int converse(struct ws_client *c, const struct asked *a)
{
  long left = a->receive < 0 ? LONG_MAX : a->receive;
  struct ws_message m;

  for (size_t i = 0; i < a->sends.count; i++) {
    const char *text = a->sends.items[i];

    if (!ws_send(c, WS_TEXT, (struct wps_bytes){text, strlen(text)}))
      return ctl_fail("%s", ws_why(c));
  }
  while (left > 0 && !ferror(stdout)) {
    if (!ws_receive(c, &m))
      return ctl_fail("%s", ws_why(c));
    if (m.opcode == WS_CLOSE) {
      fprintf(stderr, "closed %u %.*s\n", m.code, (int)m.data.len,
              (const char *)m.data.ptr);
      return a->receive < 0 && m.code == 1000 ? 0 : 1;
    }
    message_print(&m);
    left--;
  }
  return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
  struct asked a = {.receive = -1, .ws = {.timeout_ms = 5000}};
  char why[WS_WHY_MAX];
  struct ws_client *c;
  int status = 1;

  if (!read_options(self, argc, argv, &a, &status))
    return status;
  if ((c = ws_open(&a.ws, why, sizeof(why))) == NULL)
    return ctl_fail("%s", why);
  status = converse(c, &a);
  ws_finish(c);
  return status;
}

const struct command command_connect = {
    .name = "connect",
    .arguments =
        "URL [--subprotocol S] [--header \"N: V\"]... [--send TEXT]... "
        "[--receive N] [--timeout 5s] [--ca FILE]",
    .summary = "talk to any WebSocket server",
    .help = help,
    .run = run};
