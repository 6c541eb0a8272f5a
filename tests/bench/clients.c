/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket clients whose events go to an application, each the next when the
 * one before is through (a closed loop).
 *
 *   clients --port N --path TARGET [--clients 64] [--mode MODE] [--size 128]
 *           [--pid P]... [--seconds 2] [--warmup 0.5]
 *
 *   MODE  event    a user event of that size, until its ack
 *         answer   the same; a message of that size has to come before the ack
 *         connect  the handshake, until "connected"; then it closes
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/meter.h"
#include "bench/ws.h"

enum { EVENTS = 256, TEXT_MAX = 8192 };
enum mode { MODE_EVENT, MODE_ANSWER, MODE_CONNECT };

struct client {
  struct ws ws;
  uint64_t ack;
  bool answered;
};

static struct meter meter = {.warmup = 0.5, .seconds = 2};
static struct ws_target target;
static enum mode mode;
static char text[TEXT_MAX + 1];
static size_t size = 128;

static bool contains(const char *data, size_t len, const char *word)
{
  return memmem(data, len, word, strlen(word)) != NULL;
}

static void send_event(struct client *c)
{
  char message[TEXT_MAX + 256];
  int len = snprintf(message, sizeof(message),
                     "{\"type\":\"event\",\"event\":\"message\",\"ackId\":%llu,"
                     "\"dataType\":\"text\",\"data\":\"%s\"}",
                     (unsigned long long)++c->ack, text);

  c->answered = false;
  ws_send(&c->ws, message, (size_t)len);
}

static void on_ack(struct client *c, const char *data, size_t len)
{
  if (!contains(data, len, "\"success\":true"))
    meter_die("an event failed: %.*s", (int)len, data);
  if (mode == MODE_ANSWER && !c->answered)
    meter_die("an ack came without the answer");
  meter.count++;
  if (!meter.over)
    send_event(c);
}

static void on_message(struct ws *ws, const char *data, size_t len)
{
  struct client *c = ws->owner;

  if (contains(data, len, "\"type\":\"ack\"")) {
    on_ack(c, data, len);
  } else if (contains(data, len, "\"event\":\"connected\"")) {
    if (mode == MODE_CONNECT) {
      meter.count++;
      ws_close(ws);
    } else {
      send_event(c);
    }
  } else if (contains(data, len, "\"type\":\"message\"")) {
    c->answered = contains(data, len, text);
  } else {
    meter_die("not expected: %.*s", (int)len, data);
  }
}

static void run(size_t count)
{
  struct client *clients = calloc(count, sizeof(*clients));
  struct epoll_event events[EVENTS];
  int epoll = epoll_create1(EPOLL_CLOEXEC);

  if (clients == NULL || epoll < 0)
    meter_die("clients: %s", strerror(errno));
  for (size_t i = 0; i < count; i++) {
    clients[i].ws.owner = &clients[i];
    ws_open(&clients[i].ws, epoll, &target);
  }
  meter_start(&meter);
  while (meter_tick(&meter)) {
    int ready = epoll_wait(epoll, events, EVENTS, meter_wait_ms(&meter));

    for (int i = 0; i < ready; i++) {
      struct ws *ws = events[i].data.ptr;

      if (ws_ready(ws, epoll, &target, on_message))
        continue;
      if (mode != MODE_CONNECT)
        meter_die("the server closed a connection");
      ws_open(ws, epoll, &target);
    }
  }
  free(clients);
}

int main(int argc, char **argv)
{
  const char *path = "/";
  uint16_t port = 0;
  size_t count = 64;

  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];

    if (meter_option(&meter, name, value))
      continue;
    if (strcmp(name, "--port") == 0)
      port = (uint16_t)strtoul(value, NULL, 10);
    else if (strcmp(name, "--path") == 0)
      path = value;
    else if (strcmp(name, "--clients") == 0)
      count = strtoul(value, NULL, 10);
    else if (strcmp(name, "--size") == 0)
      size = strtoul(value, NULL, 10);
    else if (strcmp(name, "--mode") == 0)
      mode = strcmp(value, "connect") == 0  ? MODE_CONNECT
             : strcmp(value, "answer") == 0 ? MODE_ANSWER
                                            : MODE_EVENT;
    else
      meter_die("clients: unknown option %s", name);
  }
  if (port == 0 || count == 0 || size > TEXT_MAX)
    meter_die("clients: needs --port, --clients 1.., --size ..%d", TEXT_MAX);
  memset(text, 'x', size);
  ws_target(&target, port, path, "json.webpubsub.azure.v1");
  run(count);
  meter_print(&meter);
  printf("}\n");
  return 0;
}
