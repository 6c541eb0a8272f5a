/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests on kept-alive connections, each the next when the one before is
 * answered, and the clients that get what they send.
 *
 *   requests --port N --path TARGET [--method POST] [--token JWT] [--size 128]
 *            [--connections 1] [--status 202]
 *            [--receivers 0 --receiver-path TARGET]
 *            [--pid P]... [--seconds 2] [--warmup 0.5]
 *
 * Ends with 1 unless each receiver got each message.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/meter.h"
#include "bench/ws.h"

enum { EVENTS = 256, BUFFER = 16 * 1024, DRAIN_SECONDS = 10 };

/* Both kinds are told apart by what epoll hands back. */
struct line {
  struct ws ws; /* a receiver, when `receiver` */
  bool receiver, waiting;
  size_t have;
  char in[BUFFER];
};

static struct meter meter = {.warmup = 0.5, .seconds = 2};
static struct ws_target receiver_target;
static char request[BUFFER];
static size_t request_len, receivers, joined;
static const char *status = "202";
static uint64_t posted, delivered, counted_from, counted_to;

static void post(struct line *l)
{
  if (send(l->ws.fd, request, request_len, MSG_NOSIGNAL) !=
      (ssize_t)request_len)
    meter_die("requests: send: %s", strerror(errno));
  l->waiting = true;
}

static void connect_line(struct line *l, int epoll, uint16_t port)
{
  struct sockaddr_in address = meter_loopback(port);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
  int one = 1;

  l->ws.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(l->ws.fd, (struct sockaddr *)&address, sizeof(address)) != 0)
    meter_die("requests: connect: %s", strerror(errno));
  setsockopt(l->ws.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  epoll_ctl(epoll, EPOLL_CTL_ADD, l->ws.fd, &e);
}

static size_t body_length(const char *head, const char *end)
{
  static const char name[] = "\r\nContent-Length:";

  for (const char *p = head; (p = memchr(p, '\r', (size_t)(end - p))); p++)
    if (strncasecmp(p, name, sizeof(name) - 1) == 0)
      return strtoul(p + sizeof(name) - 1, NULL, 10);
  return 0;
}

static void answered(struct line *l)
{
  ssize_t n =
      recv(l->ws.fd, l->in + l->have, BUFFER - 1 - l->have, MSG_DONTWAIT);
  char *end;
  size_t all;

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0)
    meter_die("requests: the server closed a connection");
  l->have += (size_t)n;
  l->in[l->have] = '\0';
  end = memmem(l->in, l->have, "\r\n\r\n", 4);
  if (end == NULL)
    return;
  all = (size_t)(end + 4 - l->in) + body_length(l->in, end);
  if (l->have < all)
    return;
  if (strncmp(l->in + 9, status, 3) != 0)
    meter_die("requests: answered %.300s", l->in);
  l->have = 0;
  l->waiting = false;
  meter.count++;
  posted++;
  if (!meter.over)
    post(l);
}

static void on_message(struct ws *ws, const char *data, size_t len)
{
  (void)ws;
  if (memmem(data, len, "\"event\":\"connected\"", 19) != NULL)
    joined++;
  else
    delivered++;
}

static void turn(int epoll, int wait_ms)
{
  struct epoll_event events[EVENTS];
  int ready = epoll_wait(epoll, events, EVENTS, wait_ms);

  for (int i = 0; i < ready; i++) {
    struct line *l = events[i].data.ptr;

    if (!l->receiver)
      answered(l);
    else if (!ws_ready(&l->ws, epoll, &receiver_target, on_message))
      meter_die("requests: the server closed a receiver");
  }
}

static bool any_waiting(const struct line *lines, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (lines[i].waiting)
      return true;
  return false;
}

static void run(uint16_t port, size_t connections)
{
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  /* ws comes first in a line, so that epoll's pointer is that of both. */
  struct line *lines = calloc(connections + receivers, sizeof(*lines));
  int64_t deadline;
  bool began = false;

  if (lines == NULL || epoll < 0)
    meter_die("requests: %s", strerror(errno));
  for (size_t i = 0; i < receivers; i++) {
    lines[connections + i].receiver = true;
    ws_open(&lines[connections + i].ws, epoll, &receiver_target);
  }
  while (joined < receivers)
    turn(epoll, -1);
  for (size_t i = 0; i < connections; i++)
    connect_line(&lines[i], epoll, port);
  meter_start(&meter);
  for (size_t i = 0; i < connections; i++)
    post(&lines[i]);
  while (meter_tick(&meter)) {
    if (meter.running && !began) {
      began = true;
      counted_from = delivered;
    }
    turn(epoll, meter_wait_ms(&meter));
  }
  counted_to = delivered;
  deadline = meter_now() + (int64_t)DRAIN_SECONDS * 1000000000;
  while (any_waiting(lines, connections) || delivered < posted * receivers) {
    if (meter_now() > deadline)
      meter_die("requests: %llu of %llu messages came",
                (unsigned long long)delivered,
                (unsigned long long)(posted * receivers));
    turn(epoll, 100);
  }
  if (delivered != posted * receivers)
    meter_die("requests: %llu messages came, %llu were sent",
              (unsigned long long)delivered,
              (unsigned long long)(posted * receivers));
  free(lines);
}

static void prepare(uint16_t port, const char *method, const char *path,
                    const char *token, size_t size)
{
  bool body = strcmp(method, "POST") == 0;
  int len =
      snprintf(request, sizeof(request),
               "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", method, path, port);

  if (token[0] != '\0')
    len += snprintf(request + len, sizeof(request) - (size_t)len,
                    "Authorization: Bearer %s\r\n", token);
  if (body)
    len +=
        snprintf(request + len, sizeof(request) - (size_t)len,
                 "Content-Type: text/plain\r\nContent-Length: %zu\r\n", size);
  len += snprintf(request + len, sizeof(request) - (size_t)len, "\r\n");
  request_len = (size_t)len;
  if (!body)
    return;
  memset(request + request_len, 'x', size);
  request_len += size;
}

int main(int argc, char **argv)
{
  const char *path = "/api/health", *method = "POST", *token = "";
  const char *receiver_path = NULL;
  size_t connections = 1, size = 128;
  uint16_t port = 0;

  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];

    if (meter_option(&meter, name, value))
      continue;
    if (strcmp(name, "--port") == 0)
      port = (uint16_t)strtoul(value, NULL, 10);
    else if (strcmp(name, "--path") == 0)
      path = value;
    else if (strcmp(name, "--method") == 0)
      method = value;
    else if (strcmp(name, "--token") == 0)
      token = value;
    else if (strcmp(name, "--size") == 0)
      size = strtoul(value, NULL, 10);
    else if (strcmp(name, "--connections") == 0)
      connections = strtoul(value, NULL, 10);
    else if (strcmp(name, "--status") == 0)
      status = value;
    else if (strcmp(name, "--receivers") == 0)
      receivers = strtoul(value, NULL, 10);
    else if (strcmp(name, "--receiver-path") == 0)
      receiver_path = value;
    else
      meter_die("requests: unknown option %s", name);
  }
  if (port == 0 || connections == 0 || size > BUFFER / 2 ||
      strlen(path) + strlen(token) > BUFFER / 4 ||
      (receivers != 0) != (receiver_path != NULL))
    meter_die("requests: needs --port, and what fits");
  if (receivers != 0)
    ws_target(&receiver_target, port, receiver_path, "json.webpubsub.azure.v1");
  prepare(port, method, path, token, size);
  run(port, connections);
  meter_print(&meter);
  printf(",\"delivered\":%llu}\n",
         (unsigned long long)(counted_to - counted_from));
  return 0;
}
