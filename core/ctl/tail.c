/* SPDX-License-Identifier: Apache-2.0 */
/* tail and send: two commands that speak json.webpubsub.azure.v1. */
#include "ctl/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/str.h"
#include "ctl/ws_client.h"

enum { TIMEOUT_MS = 10000 };

struct talk {
  struct access access;
  const char *group;
  const char *text; /* send */
  bool json, raw;
  long count; /* tail: -1 for ever */
  struct ws_client *ws;
};

static void frame_print(const struct talk *t, const json_t *frame,
                        struct wps_bytes raw)
{
  const json_t *data = json_object_get(frame, "data");
  char *text;

  if (t->raw) {
    fwrite(raw.ptr, 1, raw.len, stdout);
  } else if (json_is_string(data)) {
    fwrite(json_string_value(data), 1, json_string_length(data), stdout);
  } else {
    text = json_dumps(data,
                      JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    fputs(text != NULL ? text : "", stdout);
    free(text);
  }
  putchar('\n');
  fflush(stdout);
}

static bool type_is(const json_t *frame, const char *type)
{
  const char *own = json_string_value(json_object_get(frame, "type"));

  return own != NULL && strcmp(own, type) == 0;
}

/* The next frame as JSON; NULL after a message. */
static json_t *frame_next(struct talk *t, struct wps_bytes *raw)
{
  struct ws_message m;
  json_t *frame;

  if (!ws_receive(t->ws, &m)) {
    ctl_fail("%s", ws_why(t->ws));
    return NULL;
  }
  if (m.opcode == WS_CLOSE) {
    ctl_fail("the server closed: %u %.*s", m.code, (int)m.data.len,
             (const char *)m.data.ptr);
    return NULL;
  }
  frame = json_loadb(m.data.ptr, m.data.len, 0, NULL);
  if (frame == NULL)
    ctl_fail("the server sent what is not JSON");
  *raw = m.data;
  return frame;
}

/* Send a request with ackId 1 and wait until it is done. What comes for a
 * tail in between is printed. */
static bool ask(struct talk *t, json_t *request)
{
  char *text;
  json_t *frame;
  struct wps_bytes raw;
  bool done = false, good = false;

  json_object_set_new(request, "ackId", json_integer(1));
  text = json_dumps(request, JSON_COMPACT | JSON_REAL_PRECISION(15));
  json_decref(request);
  if (text == NULL ||
      !ws_send(t->ws, WS_TEXT, (struct wps_bytes){text, strlen(text)})) {
    ctl_fail("%s", text != NULL ? ws_why(t->ws) : "the text is not UTF-8");
    free(text);
    return false;
  }
  free(text);
  while (!done && (frame = frame_next(t, &raw)) != NULL) {
    if (type_is(frame, "ack")) {
      const json_t *error = json_object_get(frame, "error");

      done = true;
      good = json_is_true(json_object_get(frame, "success"));
      if (!good)
        ctl_fail("refused: %s",
                 json_is_object(error)
                     ? json_string_value(json_object_get(error, "name"))
                     : "no reason given");
    } else if (type_is(frame, "message") && t->text == NULL && t->count != 0) {
      frame_print(t, frame, raw);
      if (t->count > 0)
        t->count--;
    }
    json_decref(frame);
  }
  return good;
}

static bool talk_open(struct talk *t, const char *action)
{
  struct ws_options how = {.subprotocol = "json.webpubsub.azure.v1",
                           .ca_file = t->access.ca_file,
                           .timeout_ms = TIMEOUT_MS};
  char role[1200], *token, *url = NULL;
  char why[WS_WHY_MAX];

  snprintf(role, sizeof(role), "webpubsub.%s.%s", action, t->group);
  t->access.ttl_ms = 300000;
  repeated_add(&t->access.roles, role);
  token = access_token(&t->access);
  if (token != NULL)
    url = access_url(&t->access, token);
  free(token);
  if (url == NULL) {
    ctl_fail("out of memory");
    return false;
  }
  how.url = url;
  t->ws = ws_open(&how, why, sizeof(why));
  free(url);
  if (t->ws == NULL)
    ctl_fail("%s", why);
  else if (strcmp(ws_subprotocol(t->ws), how.subprotocol) != 0)
    ctl_fail("the server does not speak %s", how.subprotocol);
  else
    return true;
  return false;
}

static int tail(struct talk *t)
{
  struct wps_bytes raw;
  json_t *frame;

  if (!talk_open(t, "joinLeaveGroup") ||
      !ask(t, json_pack("{s:s, s:s}", "type", "joinGroup", "group", t->group)))
    return 1;
  fprintf(stderr, "listening\n");
  ws_timeout(t->ws, 0);
  while (t->count != 0 && !ferror(stdout)) {
    if ((frame = frame_next(t, &raw)) == NULL)
      return 1;
    if (type_is(frame, "message")) {
      frame_print(t, frame, raw);
      if (t->count > 0)
        t->count--;
    }
    json_decref(frame);
  }
  return 0;
}

static int send_text(struct talk *t)
{
  json_t *data;

  data = t->json ? json_loads(t->text, JSON_DECODE_ANY, NULL)
                 : json_string(t->text);
  if (data == NULL)
    return ctl_fail(t->json ? "TEXT is not JSON" : "TEXT is not UTF-8");
  if (!talk_open(t, "sendToGroup")) {
    json_decref(data);
    return 1;
  }
  return ask(t, json_pack("{s:s, s:s, s:s, s:o}", "type", "sendToGroup",
                          "group", t->group, "dataType",
                          t->json ? "json" : "text", "data", data))
             ? 0
             : 1;
}

#define USER_HELP "  --user U             user id to come in with\n"

static const struct option options[] = {ACCESS_OPTIONS,
                                        {"user", required_argument, NULL, 'u'},
                                        {"json", no_argument, NULL, 'j'},
                                        {"raw", no_argument, NULL, 'R'},
                                        {"count", required_argument, NULL, 'n'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static bool read_options(const struct command *self, int argc, char **argv,
                         struct talk *t, int *status)
{
  char *end;
  int c;

  while ((c = ctl_option(self, argc, argv, options, status)) != -1) {
    if (access_option(&t->access, c, optarg))
      continue;
    switch (c) {
    case 'u':
      t->access.user = optarg;
      break;
    case 'j':
      t->json = true;
      break;
    case 'R':
      t->raw = true;
      break;
    case 'n':
      t->count = strtol(optarg, &end, 10);
      if (*end != '\0' || t->count < 1) {
        *status = ctl_misuse(self, "--count wants a number");
        return false;
      }
      break;
    default:
      return false;
    }
  }
  return true;
}

static int run(const struct command *self, int argc, char **argv)
{
  bool sends = self == &command_send;
  struct talk t = {.count = -1};
  int status = 1;

  if (!read_options(self, argc, argv, &t, &status))
    return status;
  if (argc - optind != (sends ? 3 : 2))
    return ctl_misuse(self, sends ? "give a hub, a group and a text"
                                  : "give a hub and a group");
  t.access.hub = argv[optind];
  t.group = argv[optind + 1];
  t.text = sends ? argv[optind + 2] : NULL;
  if (access_find(&t.access))
    status = sends ? send_text(&t) : tail(&t);
  if (t.ws != NULL)
    ws_finish(t.ws);
  access_free(&t.access);
  return status;
}

const struct command command_tail = {
    .name = "tail",
    .arguments = "HUB GROUP [--count N] [--raw] [--dev | --config FILE | "
                 "--connection STRING | --endpoint URL --key KEY]",
    .summary = "print what is published to a group, one line per message",
    .help = "  --count N            leave after N messages\n"
            "  --raw                print whole frames, not only their "
            "data\n" USER_HELP ACCESS_HELP,
    .run = run};

const struct command command_send = {
    .name = "send",
    .arguments = "HUB GROUP TEXT [--json] [--dev | --config FILE | "
                 "--connection STRING | --endpoint URL --key KEY]",
    .summary = "publish one message to a group",
    .help =
        "  --json               TEXT is JSON, not text\n" USER_HELP ACCESS_HELP,
    .run = run};
