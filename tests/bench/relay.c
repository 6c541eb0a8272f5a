/* SPDX-License-Identifier: Apache-2.0 */
/* The floor of publishing: WebSocket frames from one socket to many others, and
 * nothing else. No protocol, no queues, no limits; a socket that takes no more
 * is waited for. What a server costs beyond this is the server's.
 *
 *   relay [FRAMES]      prints its port, ends when its standard input does
 *
 *   GET /sub/GROUP      gets what is published to the group
 *   GET /pub/GROUP      what it sends is published
 *   GET /echo/GROUP     gets back what it sends
 *
 * FRAMES that came together go out with one send() for each receiver (1).
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "bench/meter.h"

enum {
  RECEIVE = 512 * 1024,
  FRAME_MAX = 64 * 1024,
  EVENTS = 1024,
  NAME_MAX_LEN = 32,
  FIN_TEXT = 0x81
};

struct group {
  struct group *next;
  char name[NAME_MAX_LEN];
  int *fds;
  size_t count, size;
};

struct peer {
  int fd;
  bool open, subscriber;
  struct group *to; /* NULL: back to where it came from */
  char *kept;       /* the beginning of what is not complete */
  size_t kept_len;
};

struct relay {
  struct group *groups;
  unsigned long frames; /* at once */
  int epoll;
  char in[FRAME_MAX + RECEIVE], out[FRAME_MAX + RECEIVE];
};

static struct relay relay = {.frames = 1};

static void send_all(int fd, const char *data, size_t len)
{
  struct pollfd room = {.fd = fd, .events = POLLOUT};
  ssize_t n;

  while (len > 0) {
    n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      data += n;
      len -= (size_t)n;
    } else if (errno == EAGAIN) {
      poll(&room, 1, -1);
    } else {
      return; /* it is gone, which its own event says too */
    }
  }
}

/* ---- who is where ---- */

static struct group *group_get(const char *name)
{
  struct group *g = relay.groups;

  while (g != NULL && strcmp(g->name, name) != 0)
    g = g->next;
  if (g != NULL)
    return g;
  g = calloc(1, sizeof(*g));
  if (g == NULL)
    meter_die("relay: out of memory");
  snprintf(g->name, sizeof(g->name), "%s", name);
  g->next = relay.groups;
  relay.groups = g;
  return g;
}

static void group_add(struct group *g, int fd)
{
  if (g->count == g->size) {
    g->size = 2 * g->size + 8;
    g->fds = realloc(g->fds, g->size * sizeof(*g->fds));
    if (g->fds == NULL)
      meter_die("relay: out of memory");
  }
  g->fds[g->count++] = fd;
}

static void peer_end(struct peer *p)
{
  for (size_t i = 0; p->subscriber && i < p->to->count; i++)
    if (p->to->fds[i] == p->fd)
      p->to->fds[i--] = p->to->fds[--p->to->count];
  close(p->fd);
  free(p->kept);
  free(p);
}

/* ---- the handshake ---- */

static void accept_of(const char *key, char out[32])
{
  static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char sum[EVP_MAX_MD_SIZE];
  char text[128];
  unsigned len;

  snprintf(text, sizeof(text), "%.24s%s", key, magic);
  if (EVP_Digest(text, strlen(text), sum, &len, EVP_sha1(), NULL) != 1)
    meter_die("relay: no SHA-1");
  EVP_EncodeBlock((unsigned char *)out, sum, (int)len);
}

/* Where the frames begin; NULL when the head is not complete. */
static char *shake_hands(struct peer *p, char *head, char *end)
{
  static const char key_field[] = "\r\nSec-WebSocket-Key: ";
  char what[8], name[NAME_MAX_LEN], accept[32], answer[256], *key, *rest;
  int n;

  *end = '\0';
  rest = strstr(head, "\r\n\r\n");
  if (rest == NULL)
    return NULL;
  key = strstr(head, key_field);
  if (key == NULL || sscanf(head, "GET /%7[a-z]/%31[^ ] ", what, name) != 2)
    meter_die("relay: asked for %.60s", head);
  p->open = true;
  p->to = strcmp(what, "echo") == 0 ? NULL : group_get(name);
  p->subscriber = strcmp(what, "sub") == 0;
  if (p->subscriber)
    group_add(p->to, p->fd);
  accept_of(key + sizeof(key_field) - 1, accept);
  n = snprintf(answer, sizeof(answer),
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
               accept);
  send_all(p->fd, answer, (size_t)n);
  return rest + 4;
}

/* ---- frames ---- */

static void pass_on(const struct peer *p, size_t len)
{
  if (p->to == NULL) {
    send_all(p->fd, relay.out, len);
    return;
  }
  for (size_t i = 0; i < p->to->count; i++)
    send_all(p->to->fds[i], relay.out, len);
}

static void unmask(char *to, const char *from, size_t len, const char key[4])
{
  uint64_t word, mask;
  size_t i = 0;

  memcpy(&mask, key, 4);
  memcpy((char *)&mask + 4, key, 4);
  for (; i + 8 <= len; i += 8) {
    memcpy(&word, from + i, 8);
    word ^= mask;
    memcpy(to + i, &word, 8);
  }
  for (; i < len; i++)
    to[i] = (char)(from[i] ^ key[i % 4]);
}

/* A whole message of a client as one of a server: the size of what it was, 0
 * when it is not all there. */
static size_t frame_turn(const char *p, size_t have, char *out, size_t *out_len)
{
  const unsigned char *b = (const unsigned char *)p;
  size_t len, head = 2;

  if (have < 2)
    return 0;
  len = b[1] & 0x7f;
  if (len == 126 && have < 4)
    return 0;
  if (len == 126) {
    head = 4;
    len = (size_t)b[2] << 8 | b[3];
  } else if (len == 127) {
    meter_die("relay: a message of 64 KiB or more");
  }
  if (have < head + 4 + len)
    return 0;
  memcpy(out, p, head);
  out[1] = (char)(b[1] & 0x7f);
  unmask(out + head, p + head + 4, len, p + head);
  *out_len = head + len;
  return head + 4 + len;
}

/* What is complete goes on; where the rest begins. */
static char *frames_pass(struct peer *p, char *at, const char *end)
{
  size_t used, len, total = 0;
  unsigned long frames = 0;

  while ((used = frame_turn(at, (size_t)(end - at), relay.out + total, &len)) !=
         0) {
    at += used;
    /* Whoever says goodbye, or answers a ping, says nothing to others. */
    if ((unsigned char)relay.out[total] != FIN_TEXT)
      continue;
    total += len;
    if (++frames < relay.frames)
      continue;
    pass_on(p, total);
    frames = total = 0;
  }
  if (total > 0)
    pass_on(p, total);
  return at;
}

static void keep(struct peer *p, const char *rest, size_t len)
{
  if (len > FRAME_MAX)
    meter_die("relay: a request that does not end");
  free(p->kept);
  p->kept = NULL;
  p->kept_len = len;
  if (len == 0)
    return;
  p->kept = malloc(len);
  if (p->kept == NULL)
    meter_die("relay: out of memory");
  memcpy(p->kept, rest, len);
}

/* False: it has ended. */
static bool serve(struct peer *p)
{
  char *at = relay.in, *end, *frames;
  ssize_t n;

  if (p->kept_len > 0)
    memcpy(at, p->kept, p->kept_len);
  n = recv(p->fd, at + p->kept_len, RECEIVE - 1, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return true;
  if (n <= 0)
    return false;
  end = at + p->kept_len + n;
  if (!p->open && (frames = shake_hands(p, at, end)) != NULL)
    at = frames;
  if (p->open)
    at = frames_pass(p, at, end);
  if (at < end || p->kept_len > 0)
    keep(p, at, (size_t)(end - at));
  return true;
}

/* ---- sockets ---- */

static void watch(int fd, void *data)
{
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = data};

  if (epoll_ctl(relay.epoll, EPOLL_CTL_ADD, fd, &e) != 0)
    meter_die("relay: epoll_ctl: %s", strerror(errno));
}

static void accept_all(int listener)
{
  int fd, on = 1;

  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
         0) {
    struct peer *p = calloc(1, sizeof(*p));

    if (p == NULL)
      meter_die("relay: out of memory");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    p->fd = fd;
    watch(fd, p);
  }
}

static int listen_somewhere(void)
{
  struct sockaddr_in address = meter_loopback(0);
  socklen_t size = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
      listen(fd, 4096) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &size) != 0)
    meter_die("relay: %s", strerror(errno));
  printf("%u\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

int main(int argc, char **argv)
{
  struct epoll_event events[EVENTS];
  struct rlimit files;
  int listener;

  if (argc > 1)
    relay.frames = strtoul(argv[1], NULL, 10);
  if (argc > 2 || relay.frames == 0)
    meter_die("usage: relay [FRAMES]");
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  relay.epoll = epoll_create1(EPOLL_CLOEXEC);
  listener = listen_somewhere();
  watch(listener, &listener);
  watch(STDIN_FILENO, NULL);
  for (;;) {
    int count = epoll_wait(relay.epoll, events, EVENTS, -1);

    for (int i = 0; i < count; i++) {
      struct peer *p = events[i].data.ptr;

      if (p == NULL)
        return 0;
      if ((void *)p == (void *)&listener)
        accept_all(listener);
      else if (!serve(p))
        peer_end(p);
    }
  }
}
