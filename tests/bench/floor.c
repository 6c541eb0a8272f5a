/* SPDX-License-Identifier: Apache-2.0 */
/* What the requests of events cost without a server around them: libcurl on
 * libev, each transfer again when it is through, with as many header fields.
 *
 *   floor --url URL [--transfers 64] [--size 128] [--pid P]... [--seconds 2]
 *         [--warmup 0.5]
 */
#include <curl/curl.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "bench/meter.h"

#define HEX32 "0123456789abcdef0123456789abcdef"

static const char *const fields[] = {
    "Content-Type: text/plain; charset=utf-8",
    "WebHook-Request-Origin: 127.0.0.1",
    "ce-specversion: 1.0",
    "ce-awpsversion: 1.0",
    "ce-type: azure.webpubsub.user.message",
    "ce-source: /hubs/none/client/" HEX32,
    "ce-id: 12345",
    "ce-time: 2026-11-21T12:00:00Z",
    "ce-signature: sha256=" HEX32 HEX32,
    "ce-userId: load",
    "ce-connectionId: " HEX32,
    "ce-hub: none",
    "ce-eventName: message",
    "ce-subprotocol: json.webpubsub.azure.v1",
    "x-ms-client-request-id: 01234567-89ab-cdef-0123-456789abcdef",
    "Expect:",
};

static struct meter meter = {.warmup = 0.5, .seconds = 2};
static struct ev_loop *loop;
static CURLM *multi;
static ev_timer timeout;

static void finish_transfers(void)
{
  CURLMsg *m;
  int left;

  while ((m = curl_multi_info_read(multi, &left)) != NULL) {
    CURL *easy = m->easy_handle;
    long code = 0;

    if (m->msg != CURLMSG_DONE)
      continue;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
    if (m->data.result != CURLE_OK || code / 100 != 2)
      meter_die("floor: %s, status %ld", curl_easy_strerror(m->data.result),
                code);
    meter.count++;
    curl_multi_remove_handle(multi, easy);
    if (!meter.over)
      curl_multi_add_handle(multi, easy);
  }
}

static void on_io(struct ev_loop *l, ev_io *w, int revents)
{
  int running;

  (void)l;
  curl_multi_socket_action(multi, w->fd,
                           (revents & EV_READ ? CURL_CSELECT_IN : 0) |
                               (revents & EV_WRITE ? CURL_CSELECT_OUT : 0),
                           &running);
  finish_transfers();
  if (!meter_tick(&meter))
    ev_break(loop, EVBREAK_ALL);
}

static void on_timeout(struct ev_loop *l, ev_timer *w, int revents)
{
  int running;

  (void)l, (void)w, (void)revents;
  curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
  finish_transfers();
}

static int on_timer(CURLM *m, long ms, void *arg)
{
  (void)m, (void)arg;
  ev_timer_stop(loop, &timeout);
  if (ms >= 0) {
    ev_timer_set(&timeout, (double)ms / 1000, 0);
    ev_timer_start(loop, &timeout);
  }
  return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                     void *of_socket)
{
  ev_io *w = of_socket;

  (void)easy, (void)arg;
  if (w != NULL)
    ev_io_stop(loop, w);
  if (what == CURL_POLL_REMOVE) {
    free(w);
    return 0;
  }
  if (w == NULL) {
    w = calloc(1, sizeof(*w));
    if (w == NULL)
      meter_die("floor: out of memory");
    ev_init(w, on_io);
    curl_multi_assign(multi, fd, w);
  }
  ev_io_set(w, fd,
            (what & CURL_POLL_IN ? EV_READ : 0) |
                (what & CURL_POLL_OUT ? EV_WRITE : 0));
  ev_io_start(loop, w);
  return 0;
}

static size_t take(char *data, size_t one, size_t count, void *arg)
{
  (void)data, (void)arg;
  return one * count;
}

static void start(const char *url, size_t transfers, size_t size)
{
  struct curl_slist *headers = NULL;
  char *body = malloc(size + 1);

  if (body == NULL)
    meter_die("floor: out of memory");
  memset(body, 'x', size);
  for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
    headers = curl_slist_append(headers, fields[i]);
  for (size_t i = 0; i < transfers; i++) {
    CURL *easy = curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_multi_add_handle(multi, easy);
  }
}

int main(int argc, char **argv)
{
  const char *url = NULL;
  size_t transfers = 64, size = 128;

  for (int i = 1; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];

    if (meter_option(&meter, name, value))
      continue;
    if (strcmp(name, "--url") == 0)
      url = value;
    else if (strcmp(name, "--transfers") == 0)
      transfers = strtoul(value, NULL, 10);
    else if (strcmp(name, "--size") == 0)
      size = strtoul(value, NULL, 10);
    else
      meter_die("floor: unknown option %s", name);
  }
  if (url == NULL || transfers == 0)
    meter_die("floor: needs --url");
  loop = ev_default_loop(0);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi = curl_multi_init();
  ev_init(&timeout, on_timeout);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)transfers);
  meter_start(&meter);
  start(url, transfers, size);
  ev_run(loop, 0);
  meter_print(&meter);
  printf("}\n");
  return 0;
}
