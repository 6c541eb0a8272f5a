/* SPDX-License-Identifier: Apache-2.0 */
/* An application that costs as little as one can: HTTP/1.1 with kept-alive
 * connections on epoll, so that it is not what is measured.
 *
 *   answerer            prints its port, ends when its standard input does
 *
 *   OPTIONS             200 with WebHook-Allowed-Origin
 *   a path with "echo"  200 with the request's body as text
 *   anything else       204
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/meter.h"

enum { BUFFER = 64 * 1024, EVENTS = 256 };

static const char no_content[] = "HTTP/1.1 204 No Content\r\n\r\n";
static const char allowed[] = "HTTP/1.1 200 OK\r\nWebHook-Allowed-Origin: *\r\n"
                              "Content-Length: 0\r\n\r\n";

struct peer {
  int fd;
  size_t have;
  char in[BUFFER + 1];
};

static size_t content_length(const char *head, const char *end)
{
  static const char name[] = "\r\nContent-Length:";

  for (const char *p = head; (p = memchr(p, '\r', (size_t)(end - p))); p++)
    if (strncasecmp(p, name, sizeof(name) - 1) == 0)
      return strtoul(p + sizeof(name) - 1, NULL, 10);
  return 0;
}

static void put(struct peer *p, const char *data, size_t len)
{
  if (send(p->fd, data, len, MSG_NOSIGNAL) < 0 && errno != EPIPE &&
      errno != ECONNRESET)
    meter_die("answerer: send: %s", strerror(errno));
}

static void answer(struct peer *p, const char *head, const char *body,
                   size_t len)
{
  static char out[BUFFER + 256];
  const char *line = memchr(head, '\r', (size_t)(body - head));

  if (memcmp(head, "OPTIONS ", 8) == 0) {
    put(p, allowed, sizeof(allowed) - 1);
  } else if (memmem(head, (size_t)(line - head), "echo", 4) != NULL) {
    int n = snprintf(out, 256,
                     "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     len);

    memcpy(out + n, body, len);
    put(p, out, (size_t)n + len);
  } else {
    put(p, no_content, sizeof(no_content) - 1);
  }
}

/* False: it has ended. */
static bool serve(struct peer *p)
{
  size_t at = 0;
  ssize_t n = recv(p->fd, p->in + p->have, BUFFER - p->have, 0);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return true;
  if (n <= 0)
    return false;
  p->have += (size_t)n;
  p->in[p->have] = '\0';
  for (;;) {
    char *head = p->in + at;
    char *end = memmem(head, p->have - at, "\r\n\r\n", 4);
    size_t length, all;

    if (end == NULL)
      break;
    length = content_length(head, end);
    all = (size_t)(end + 4 - head) + length;
    if (length > BUFFER || all > BUFFER)
      meter_die("answerer: a request of %zu bytes", all);
    if (p->have - at < all)
      break;
    answer(p, head, end + 4, length);
    at += all;
  }
  p->have -= at;
  memmove(p->in, p->in + at, p->have);
  return true;
}

static void add(int epoll, int fd, void *data)
{
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = data};

  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0)
    meter_die("answerer: epoll_ctl: %s", strerror(errno));
}

static void accept_all(int epoll, int listener)
{
  int fd;

  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
         0) {
    struct peer *p = calloc(1, sizeof(*p));

    if (p == NULL)
      meter_die("answerer: out of memory");
    p->fd = fd;
    add(epoll, fd, p);
  }
}

int main(void)
{
  struct sockaddr_in address = meter_loopback(0);
  socklen_t size = sizeof(address);
  struct epoll_event events[EVENTS];
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  if (bind(listener, (struct sockaddr *)&address, size) != 0 ||
      listen(listener, 1024) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    meter_die("answerer: %s", strerror(errno));
  add(epoll, listener, &listener);
  add(epoll, STDIN_FILENO, NULL);
  printf("%u\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int count = epoll_wait(epoll, events, EVENTS, -1);

    for (int i = 0; i < count; i++) {
      struct peer *p = events[i].data.ptr;

      if (p == NULL)
        return 0;
      if ((void *)p == (void *)&listener) {
        accept_all(epoll, listener);
      } else if (!serve(p)) {
        close(p->fd);
        free(p);
      }
    }
  }
}
