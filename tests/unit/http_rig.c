/* SPDX-License-Identifier: Apache-2.0 */
/* The server and the clients of test_http_server.c. */
#include "tests/unit/http_rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/str.h"
#include "msg/message.h"
#include "msg/principal.h"
#include "plug/plugin.h"

struct workers *ws;
static struct listener_group *listener;
struct http_server server;
static struct wps_instance instance = {.name = (char *)"http-test"};
atomic_bool draining;

/* ---- the server's side ---- */

static void respond(struct wps_reply *reply, uint32_t code, const char *type,
                    struct wps_bytes body)
{
  struct wps_pair header = {STR("Content-Type"), str_from(type)};
  void *to;
  struct wps_frame *frame = frame_new(WPS_TEXT, body.len, &to);
  struct wps_http_response r = {
      .struct_size = sizeof(r),
      .code = code,
      .headers = &header,
      .header_count = 1,
      .body = frame,
  };

  if (body.len > 0)
    memcpy(to, body.ptr, body.len);
  http_respond(reply, &r);
  frame_unref(frame);
}

static void echo(void *inst, void *wstate, struct wps_request *req,
                 struct wps_reply *reply)
{
  (void)inst;
  (void)wstate;
  if (request_api.body_status(req) == WPS_ETOOBIG)
    respond(reply, 413, "text/plain", (struct wps_bytes){"own words", 9});
  else
    respond(reply, 200, "text/plain", request_api.body(req));
}

/* As application errors of the management API look. */
static void own_error(void *inst, void *wstate, struct wps_request *req,
                      struct wps_reply *reply)
{
  static const struct wps_pair headers[] = {
      {WPS_STR_INIT("Content-Type"),
       WPS_STR_INIT("application/json; charset=utf-8")},
      {WPS_STR_INIT("x-ms-error-code"),
       WPS_STR_INIT("Warning.User.NotExisted")}};
  void *to;
  struct wps_frame *frame = frame_new(WPS_TEXT, 9, &to);
  struct wps_http_response r = {.struct_size = sizeof(r),
                                .code = 404,
                                .headers = headers,
                                .header_count = 2,
                                .body = frame};

  (void)inst;
  (void)wstate;
  (void)req;
  memcpy(to, "own words", 9);
  http_respond(reply, &r);
  frame_unref(frame);
}

static void *echo_on_thread(void *arg)
{
  void **pair = arg;

  echo(NULL, NULL, pair[0], pair[1]);
  free(pair);
  return NULL;
}

static void echo_later(void *inst, void *wstate, struct wps_request *req,
                       struct wps_reply *reply)
{
  void **pair = malloc(2 * sizeof(*pair));
  pthread_t thread;

  (void)inst;
  (void)wstate;
  pair[0] = req;
  pair[1] = reply;
  ck_assert_int_eq(pthread_create(&thread, NULL, echo_on_thread, pair), 0);
  pthread_detach(thread);
}

static void fail_with(void *inst, void *wstate, struct wps_request *req,
                      struct wps_reply *reply)
{
  struct wps_str how = request_api.param(req, "how");

  (void)inst;
  (void)wstate;
  if (str_eq_c(how, "ok"))
    reply_api.ok(reply);
  else if (str_eq_c(how, "decline"))
    reply_api.decline(reply);
  else if (str_eq_c(how, "forbidden"))
    reply_api.fail(reply, WPS_EFORBIDDEN, STR("for the log only"));
  else if (str_eq_c(how, "header"))
    respond(reply, 200, "a\r\nX-Evil: 1", (struct wps_bytes){NULL, 0});
  else if (str_eq_c(how, "code"))
    respond(reply, 101, "a", (struct wps_bytes){NULL, 0});
  else if (str_eq_c(how, "principal"))
    reply_finish(reply, REPLY_PRINCIPAL, WPS_OK, STR_NONE, NULL, NULL);
  else
    reply_api.fail(reply, WPS_EINTERNAL, STR_NONE);
}

/* Kept unanswered until the test says so. */
struct wps_reply *_Atomic silent_reply;
struct wps_request *_Atomic silent_request;
atomic_int silent_told;

static void silent_abandoned(void *arg)
{
  (void)arg;
  atomic_fetch_add(&silent_told, 1);
}

static void silent(void *inst, void *wstate, struct wps_request *req,
                   struct wps_reply *reply)
{
  (void)inst;
  (void)wstate;
  reply_api.on_abandon(reply, worker_current(), silent_abandoned, NULL);
  atomic_store(&silent_request, req);
  atomic_store(&silent_reply, reply);
}

static void big(void *inst, void *wstate, struct wps_request *req,
                struct wps_reply *reply)
{
  char *bytes = malloc(BIG);

  (void)inst;
  (void)wstate;
  (void)req;
  memset(bytes, 'x', BIG);
  respond(reply, 200, "text/plain", (struct wps_bytes){bytes, BIG});
  free(bytes);
}

static void who(void *inst, void *wstate, struct wps_request *req,
                struct wps_reply *reply)
{
  const struct wps_principal *p = request_api.principal(req);

  (void)inst;
  (void)wstate;
  ck_assert_uint_eq(request_api.purpose(req), WPS_FOR_API);
  respond(reply, 200, "text/plain",
          (struct wps_bytes){p->user.ptr, p->user.len});
}

static const struct wps_http_route routes[] = {
    {sizeof(routes[0]), 0, "POST", "/echo", "echo", NULL, 0, echo},
    {sizeof(routes[0]), 0, "GET", "/echo", NULL, NULL, 0, echo},
    {sizeof(routes[0]), 0, "POST", "/echo/small", NULL, NULL, 10, echo},
    {sizeof(routes[0]), 0, "POST", "/later", NULL, NULL, 0, echo_later},
    {sizeof(routes[0]), 0, "GET", "/fail/{how}", NULL, NULL, 0, fail_with},
    {sizeof(routes[0]), 0, "GET", "/own", NULL, NULL, 0, own_error},
    {sizeof(routes[0]), 0, "HEAD", "/own/pair", NULL, NULL, 0, own_error},
    {sizeof(routes[0]), 0, "GET", "/own/pair", NULL, NULL, 0, echo},
    {sizeof(routes[0]), 0, "GET", "/silent", NULL, NULL, 0, silent},
    {sizeof(routes[0]), 0, "GET", "/big", NULL, NULL, 0, big},
    {sizeof(routes[0]), WPS_FOR_API, "GET", "/owner", NULL, NULL, 0, who},
    {sizeof(routes[0]), WPS_FOR_API, "GET", "/reader", NULL, WPS_ROLE_READER, 0,
     who},
};

/* ---- hooks: /client... ---- */

struct http_conn *_Atomic waiting;
atomic_int gone_count;

static bool is_client(void *arg, const struct wps_request *req)
{
  (void)arg;
  return str_istarts(req->path, "/client");
}

static void client_gone(void *arg)
{
  (void)arg;
  atomic_store(&waiting, NULL);
  atomic_fetch_add(&gone_count, 1);
}

/* The new owner of an upgraded socket sends back what it reads. */
static void echo_readable(struct stream *stream, void *arg)
{
  char bytes[4096];
  struct iovec iov = {bytes, 0};
  ssize_t n = stream_read(stream, bytes, sizeof(bytes));

  (void)arg;
  if (n == STREAM_AGAIN)
    return;
  if (n <= 0) {
    stream_close(stream, false);
    return;
  }
  iov.iov_len = (size_t)n;
  ck_assert_int_eq(stream_writev(stream, &iov, 1), n);
}

static void echo_writable(struct stream *stream, void *arg)
{
  (void)stream;
  (void)arg;
}

static const struct stream_ops echo_ops = {echo_readable, echo_writable};

static void upgrade(struct http_conn *hc)
{
  size_t head_len, early_len;
  unsigned char *early;
  char *head;
  struct stream *s =
      http_upgrade(hc, STR("two"), &head, &head_len, &early, &early_len);
  struct iovec iov;

  ck_assert_ptr_nonnull(s);
  iov = (struct iovec){head, head_len};
  ck_assert_int_eq(stream_writev(s, &iov, 1), (ssize_t)head_len);
  iov = (struct iovec){early, early_len};
  if (early_len > 0)
    ck_assert_int_eq(stream_writev(s, &iov, 1), (ssize_t)early_len);
  free(early);
  free(head);
  stream_set_ops(s, &echo_ops, NULL);
}

static void client(void *arg, struct http_conn *hc, struct wps_request *req)
{
  struct wps_str how = request_api.query(req, "how");

  (void)arg;
  if (str_eq_c(how, "upgrade")) {
    upgrade(hc);
  } else if (str_eq_c(how, "wait")) {
    http_on_gone(hc, client_gone, NULL);
    atomic_store(&waiting, hc);
  } else {
    http_answer(hc, 400, "X-Own: 1\r\n", STR("not a handshake"),
                STR("because"));
  }
}

void upgrade_waiting(void *arg)
{
  (void)arg;
  upgrade(atomic_exchange(&waiting, NULL));
}

void answer_waiting(void *arg)
{
  (void)arg;
  http_answer(atomic_exchange(&waiting, NULL), 429, NULL, STR("too many"),
              STR("limit"));
}

/* ---- hooks: authorization by the value of a header ---- */

static void authorize_later(void *arg)
{
  http_authorized(arg, WPS_EUNAUTHORIZED, NULL, STR("later"));
}

static void authorize(void *arg, struct http_conn *hc, struct wps_request *req)
{
  struct wps_str role = request_api.header(req, "x-role");
  const struct wps_principal p = {
      .struct_size = sizeof(p),
      .user = STR("ann"),
      .roles = &role,
      .role_count = 1,
  };

  (void)arg;
  if (role.ptr == NULL)
    worker_post_fn(http_conn_worker(hc), authorize_later, hc);
  else if (str_eq_c(role, "nobody"))
    http_authorized(hc, WPS_OK, NULL, STR_NONE);
  else if (str_eq_c(role, "down"))
    http_authorized(hc, WPS_EUNAVAILABLE, NULL, STR("directory is down"));
  else
    http_authorized(hc, WPS_OK, principal_copy(&p), STR_NONE);
}

static bool is_draining(void *arg)
{
  (void)arg;
  return atomic_load(&draining);
}

/* ---- life ---- */

static int start(struct wps_worker *w, void *arg)
{
  int rc = http_worker_start(w, arg);

  return rc != WPS_OK ? rc : listener_start(listener, w, http_accepted, arg);
}

static void stop(struct wps_worker *w, void *arg)
{
  (void)arg;
  listener_stop(listener, w);
  http_worker_stop(w);
}

static const struct worker_hooks worker_hooks = {start, stop, &server};

void rig_setup(void)
{
  char why[256];

  server = (struct http_server){
      .settings = {{16384, 16384, 100},
                   1024 * 1024,
                   PATIENCE_MS,
                   PATIENCE_MS,
                   PATIENCE_MS,
                   PATIENCE_MS,
                   PATIENCE_MS},
      .hooks = {NULL, is_client, client, authorize, is_draining, NULL},
      .router = router_new(),
  };
  for (size_t i = 0; i < ARRAY_LEN(routes); i++)
    ck_assert_int_eq(router_add(server.router, &instance, &routes[i]), WPS_OK);
  atomic_store(&draining, false);
  atomic_store(&waiting, NULL);
  atomic_store(&gone_count, 0);
  atomic_store(&silent_reply, NULL);
  atomic_store(&silent_told, 0);
  ws = workers_new(1);
  listener = listener_open("127.0.0.1:0", NULL, 1, why, sizeof(why));
  ck_assert_msg(listener != NULL, "%s", why);
}

void rig_run(void)
{
  ck_assert_int_eq(workers_start(ws, &worker_hooks, 1), WPS_OK);
}

void rig_setup_and_run(void)
{
  rig_setup();
  rig_run();
}

void rig_teardown(void)
{
  workers_stop(ws);
  listener_free(listener);
  workers_free(ws);
  router_free(server.router);
  ck_assert_uint_eq(atomic_load(&instance.replies_owed), 0);
}

/* ---- the client's side ---- */

static int dial_with(int receive_buffer)
{
  struct sockaddr_in to = {.sin_family = AF_INET};
  struct timeval patience = {PATIENCE_MS / 1000, 0};
  struct wps_str name = listener_name(listener);
  const char *colon = memrchr(name.ptr, ':', name.len);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons((uint16_t)atoi(colon + 1));
  if (receive_buffer != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
               sizeof(receive_buffer));
  ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  return fd;
}

int dial(void)
{
  return dial_with(0);
}

int dial_small(void)
{
  return dial_with(4096);
}

void say_bytes(int fd, const char *bytes, size_t len)
{
  while (len > 0) {
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return; /* refused while we still talk */
    bytes += n;
    len -= (size_t)n;
  }
}

void say(int fd, const char *text)
{
  say_bytes(fd, text, strlen(text));
}

/* A process that was stopped goes on with EINTR when recv() has a limit. */
ssize_t receive(int fd, void *bytes, size_t max, int flags)
{
  ssize_t n, got = 0;

  do {
    n = recv(fd, (char *)bytes + got, max - (size_t)got, flags);
    if (n > 0)
      got += n;
  } while ((n < 0 && errno == EINTR) ||
           (n > 0 && (flags & MSG_WAITALL) != 0 && (size_t)got < max));
  return got > 0 ? got : n;
}

/* All up to the end; "" at once, "TIMEOUT" and "RESET" appended. */
char *hear_all(int fd)
{
  size_t cap = BIG + 65536, len = 0;
  char *text = malloc(cap);
  ssize_t n;

  while ((n = receive(fd, text + len, cap - len - 16, 0)) > 0)
    len += (size_t)n;
  if (n < 0)
    len += (size_t)snprintf(text + len, 16,
                            errno == ECONNRESET ? "RESET" : "TIMEOUT");
  text[len] = '\0';
  close(fd);
  return text;
}

/* One answer with a Content-Length, head and body. */
void hear_one(int fd, char *text, size_t size, bool body)
{
  size_t len = 0, want = 0;
  const char *end = NULL, *length;

  while (end == NULL || len < want) {
    ssize_t n = receive(fd, text + len, end == NULL ? 1 : want - len, 0);

    ck_assert_msg(n > 0, "after: %.*s", (int)len, text);
    len += (size_t)n;
    ck_assert_uint_lt(len, size);
    text[len] = '\0';
    if (end == NULL && (end = strstr(text, "\r\n\r\n")) != NULL) {
      length = strstr(text, "Content-Length: ");
      want = (size_t)(end - text) + 4;
      if (body && length != NULL)
        want += (size_t)atoi(length + 16);
      ck_assert_uint_lt(want, size);
    }
  }
}

/* What is in the socket has been read by then, as far as it will be. */
void turns(int n)
{
  while (n-- > 0)
    worker_turn(ws, 0);
}

char *exchange(const char *request)
{
  int fd = dial();

  say(fd, request);
  return hear_all(fd);
}

void expect_head(const char *text, const char *status_line)
{
  ck_assert_msg(strncmp(text, status_line, strlen(status_line)) == 0,
                "expected %s, got %.200s", status_line, text);
}

void expect_in(const char *text, const char *part)
{
  ck_assert_msg(strstr(text, part) != NULL, "no %s in %.400s", part, text);
}
