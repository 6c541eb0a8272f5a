/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/instructions_rig.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ev.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/worker_private.h"
#include "wire/listener.h"
#include "wire/stream.h"

#define KEY "key-of-the-benchmarks-0123456789-abcdefgh"
#define HOST "pubsub.example.com"
#define HUB_PATH "/client/hubs/bench"

enum { ANSWER_MAX = 1 << 20, CONFIG_MAX = 1024, CLAIMS_MAX = 1024 };

static const int64_t now_ms = INT64_C(1800000000000);

struct server rig;
struct wps_worker *rig_worker;
static struct settings settings;
static struct options options;
static char folder[] = "/tmp/instructions-XXXXXX";
static char config[64];
static struct worker_hooks hooks[8];
static size_t hook_count;

void rig_die(const char *what, const char *why)
{
  fprintf(stderr, "instructions: %s: %s\n", what, why);
  exit(EXIT_FAILURE);
}

/* ---- in place of what is different each time ---- */

int64_t clock_now_us(void)
{
  return INT64_C(1000000000);
}

int64_t clock_unix_ms(void)
{
  return now_ms;
}

/* These by the linker's --wrap. */
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);
int __wrap_RAND_bytes(unsigned char *out, int len);
int __wrap_workers_start(struct workers *ws, const struct worker_hooks *given,
                         size_t count);

int __wrap_RAND_bytes(unsigned char *out, int len)
{
  static uint64_t state = 42;

  for (int i = 0; i < len; i++) {
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    out[i] = (unsigned char)(state >> 56);
  }
  return 1;
}

ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags)
{
  UNUSED(flags);
  __wrap_RAND_bytes(out, (int)len);
  return (ssize_t)len;
}

/* No thread: the worker is this one. */
int __wrap_workers_start(struct workers *ws, const struct worker_hooks *given,
                         size_t count)
{
  rig_worker = workers_at(ws, 0);
  worker_enter(rig_worker);
  memcpy(hooks, given, count * sizeof(*given));
  for (; hook_count < count; hook_count++) {
    int rc = hooks[hook_count].start(rig_worker, hooks[hook_count].arg);

    if (rc != WPS_OK)
      return rc;
  }
  return WPS_OK;
}

/* ---- life ---- */

/* Also after rig_die(). */
static void remove_folder(void)
{
  char path[64];

  snprintf(path, sizeof(path), "%s/socket", folder);
  unlink(path);
  unlink(config);
  rmdir(folder);
}

static void write_config(void)
{
  char text[CONFIG_MAX];
  FILE *f;

  if (mkdtemp(folder) == NULL)
    rig_die(folder, strerror(errno));
  atexit(remove_folder);
  snprintf(config, sizeof(config), "%s/webpubsubd.yaml", folder);
  snprintf(text, sizeof(text),
           "listen: [{address: 'unix:%s/socket'}]\n"
           "endpoints: ['http://" HOST "']\n"
           "access_keys: ['" KEY "']\n"
           "workers: '1'\n"
           "plugins: {subprotocol-json: {}, subprotocol-simple: {},\n"
           "          auth-jwt: {}, http-rest: {}}\n"
           "hubs: {bench: {}}\n"
           "log: {level: error}\n",
           folder);
  umask(077);
  f = fopen(config, "w");
  if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
    rig_die(config, strerror(errno));
}

void rig_start(void)
{
  char why[1024] = "";

  signal(SIGPIPE, SIG_IGN);
  write_config();
  options.file = config;
  if (!settings_load(&settings, &options))
    rig_die(config, faults_text(settings.faults));
  log_setup(STDERR_FILENO, settings_log_level(&settings), LOG_KEY_VALUE);
  if (!server_start(&rig, &settings, &options, why, sizeof(why)))
    rig_die("the server cannot start", why);
  rig_turn();
}

void rig_stop(void)
{
  while (hook_count-- > 0) {
    hooks[hook_count].stop(rig_worker, hooks[hook_count].arg);
    worker_run_deferred(rig_worker);
  }
  server_stop(&rig);
  settings_free(&settings);
}

/* ---- what is counted ---- */

/* Twice, because deferred calls and flush come before the next poll. */
static void turn(void *arg)
{
  UNUSED(arg);
  ev_run(rig_worker->loop, EVRUN_NOWAIT);
  ev_run(rig_worker->loop, EVRUN_NOWAIT);
}

__attribute__((noinline)) void measured(void (*fn)(void *arg), void *arg)
{
  fn(arg);
  /* Not a tail call: collecting ends with the return of this function. */
  __asm__ volatile("" ::: "memory");
}

void rig_turn(void)
{
  turn(NULL);
}

void rig_measured_turn(void)
{
  measured(turn, NULL);
}

/* ---- clients ---- */

void rig_token(char *out, size_t size, const char *path, const char *claims)
{
  static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
  char payload[CLAIMS_MAX], text[2 * CLAIMS_MAX];
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned mac_len = 0;
  size_t at = base64url_encoded_len(strlen(header)), len;

  len = (size_t)snprintf(payload, sizeof(payload),
                         "{\"aud\":\"http://" HOST "%s\",\"exp\":%lld%s}", path,
                         (long long)(now_ms / 1000 + 3600), claims);
  if (len >= sizeof(payload))
    rig_die("a token", "too long");
  base64url_encode(header, strlen(header), text);
  text[at++] = '.';
  base64url_encode(payload, len, text + at);
  at += base64url_encoded_len(len);
  HMAC(EVP_sha256(), KEY, (int)strlen(KEY), (unsigned char *)text, at, mac,
       &mac_len);
  text[at++] = '.';
  base64url_encode(mac, mac_len, text + at);
  at += base64url_encoded_len(mac_len);
  snprintf(out, size, "%.*s", (int)at, text);
}

int rig_dial(void)
{
  int fds[2];
  struct stream *s;

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
    rig_die("socketpair", strerror(errno));
  s = stream_new(fds[0], NULL);
  if (s == NULL)
    rig_die("stream_new", "out of memory");
  http_accepted(&rig.http, rig_worker, s, STR("192.0.2.1:50000"),
                rig.listeners[0]);
  return fds[1];
}

void rig_say(int fd, const void *bytes, size_t len)
{
  if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
    rig_die("send", strerror(errno));
}

void rig_expect(int fd, const char *text, size_t times)
{
  static char answer[ANSWER_MAX];
  ssize_t n = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
  const char *at = answer, *end;
  size_t found = 0;

  if (n == 0 || (n < 0 && errno != EAGAIN))
    rig_die("recv", n == 0 ? "the server closed" : strerror(errno));
  end = answer + (n < 0 ? 0 : n);
  while ((at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
    at += strlen(text);
    found++;
  }
  if (found == times)
    return;
  fprintf(stderr, "instructions: %zu of %zu times %s in:\n%.*s\n", found, times,
          text, (int)(end - answer), answer);
  exit(EXIT_FAILURE);
}

size_t rig_frame(unsigned char *out, const char *text)
{
  static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
  size_t len = strlen(text), at = 0;

  out[at++] = 0x81;
  if (len < 126) {
    out[at++] = (unsigned char)(0x80 | len);
  } else {
    out[at++] = 0x80 | 126;
    out[at++] = (unsigned char)(len >> 8);
    out[at++] = (unsigned char)len;
  }
  memcpy(out + at, mask, sizeof(mask));
  at += sizeof(mask);
  for (size_t i = 0; i < len; i++)
    out[at + i] = (unsigned char)(text[i] ^ mask[i % 4]);
  return at + len;
}

void rig_say_frame(int fd, const char *text)
{
  unsigned char bytes[4096];

  rig_say(fd, bytes, rig_frame(bytes, text));
}

size_t rig_handshake(char *out, size_t size, const char *protocol)
{
  char token[CLAIMS_MAX];
  int len;

  rig_token(token, sizeof(token), HUB_PATH,
            ",\"sub\":\"alice\",\"role\":[\"webpubsub.sendToGroup\","
            "\"webpubsub.joinLeaveGroup\"]");
  len = snprintf(out, size,
                 "GET " HUB_PATH "?access_token=%s HTTP/1.1\r\n"
                 "Host: " HOST "\r\n"
                 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 "Sec-WebSocket-Extensions: permessage-deflate; "
                 "client_max_window_bits\r\n"
                 "Sec-WebSocket-Protocol: %s\r\n\r\n",
                 token, protocol);
  if (len < 0 || (size_t)len >= size)
    rig_die("a handshake", "too long");
  return (size_t)len;
}

int rig_client(const char *protocol)
{
  char request[2 * CLAIMS_MAX];
  int fd = rig_dial();

  rig_say(fd, request, rig_handshake(request, sizeof(request), protocol));
  rig_turn();
  rig_expect(fd, "\"event\":\"connected\"", 1);
  return fd;
}
