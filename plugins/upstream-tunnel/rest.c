/* SPDX-License-Identifier: Apache-2.0 */
/* rest.c - the REST API through a tunnel (azure-server.md 9.3): requests are
 * done one after the other, and each gets its last answer in any case. */
#include <stdlib.h>
#include <string.h>

#include <webpubsub/auth.h>
#include <webpubsub/host.h>
#include <webpubsub/http.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-tunnel/message.h"
#include "plugins/upstream-tunnel/path.h"
#include "plugins/upstream-tunnel/tunnel.h"

enum {
  WAITING_MAX = 100,
  WAITING_BYTES = 4 * 1024 * 1024,
  ABOUT_A_REQUEST = 1024
};

/* It waits as it came, because its JSON, once read, takes thirty times that. */
struct rest_request {
  struct list node; /* in the tunnel's queue */
  struct tunnel *tunnel;
  struct tunnel_message_in in; /* from its turn on */
  size_t len;
  char bytes[];
};

static void request_free(struct rest_request *r)
{
  tunnel_message_free(&r->in);
  peer_unref(&r->tunnel->peer);
  free(r);
}

static size_t bytes_of(const struct rest_request *r)
{
  return ABOUT_A_REQUEST + r->len;
}

/* ---- answers ---- */

static bool is_invoke(const struct rest_request *r)
{
  static const struct wps_str plain = WPS_STR_INIT(":invoke");
  static const struct wps_str escaped = WPS_STR_INIT("%3ainvoke");
  struct wps_str path = path_only(r->in.m.url);

  return str_suffix_fold(path, plain) || str_suffix_fold(path, escaped);
}

static void answer(const struct rest_request *r, struct wps_conn *conn,
                   const struct wps_http_response *said)
{
  struct tunnel_message m = {.type = TUNNEL_RESPONSE,
                             .code = said->code,
                             .ack = r->in.m.ack,
                             .local_routing = r->in.m.local_routing,
                             .channel = r->in.m.channel,
                             .headers = said->headers,
                             .header_count = said->header_count};
  int rc = WPS_OK;

  if (m.channel.ptr == NULL)
    m.channel = STR("");
  if (said->body != NULL)
    m.content = wps->message->frame_bytes(said->body);
  if (is_invoke(r)) {
    m.not_completed = true;
    rc = tunnel_send_message(r->tunnel, conn, &m);
    m.not_completed = false;
    m.content = (struct wps_bytes){NULL, 0};
  }
  if (rc == WPS_OK || rc == WPS_EAGAIN)
    rc = tunnel_send_message(r->tunnel, conn, &m);
  /* The application would wait for ever. */
  if (rc == WPS_ENOMEM)
    peer_end(&r->tunnel->peer, conn, 1013, STR("out of memory"));
}

static void answer_code(const struct rest_request *r, struct wps_conn *conn,
                        uint32_t code)
{
  const struct wps_http_response said = {.struct_size = sizeof(said),
                                         .code = code};

  answer(r, conn, &said);
}

static void answered(void *arg, const struct wps_http_response *said)
{
  struct rest_request *r = arg;
  struct tunnel *t = r->tunnel;
  struct wps_conn *conn = wps->conn->find(t->peer.ref);

  peer_ref(&t->peer);
  t->rest_busy = false;
  if (conn != NULL)
    answer(r, conn, said);
  request_free(r);
  if (conn != NULL)
    rest_go_on(t, conn);
  peer_unref(&t->peer);
}

/* ---- requests ---- */

/* What of its headers goes on: those that belong to the payload. */
static size_t choose_headers(const struct tunnel_message *m,
                             struct wps_pair *out)
{
  struct wps_str key;
  size_t count = 0;

  for (size_t i = 0; i < m->header_count; i++)
    if (str_equal_fold(m->headers[i].name, STR("Content-Type")) ||
        azure_metadata_key(m->headers[i].name, &key))
      out[count++] = m->headers[i];
  return count;
}

/* Errors: EINVAL, ENOMEM. */
static int dispatch(struct rest_request *r, struct wps_str target)
{
  static const struct wps_str roles[] = {WPS_STR_INIT(WPS_ROLE_OWNER)};
  const struct tunnel_message *m = &r->in.m;
  struct wps_conn *conn = wps->conn->find(r->tunnel->peer.ref);
  struct wps_principal who = {.struct_size = sizeof(who),
                              .user = wps->conn->user(conn),
                              .roles = roles,
                              .role_count = 1,
                              .credential = STR("tunnel")};
  struct wps_pair *headers = calloc(m->header_count + 1, sizeof(*headers));
  struct wps_http_call call = {.struct_size = sizeof(call),
                               .method = m->method,
                               .target = target,
                               .headers = headers,
                               .body = m->content,
                               .who = &who};
  struct text remote = {0};
  int rc = WPS_ENOMEM;

  text_add_str(&remote, STR("tunnel:"));
  text_add_str(&remote, wps->conn->id(conn));
  call.remote = text_str(&remote);
  if (headers != NULL && !remote.failed) {
    call.header_count = choose_headers(m, headers);
    rc =
        wps->http->dispatch(r->tunnel->service->peers.self, &call, answered, r);
  }
  text_free(&remote);
  free(headers);
  return rc;
}

/* 0: it is under way. */
static uint32_t begin(struct rest_request *r)
{
  struct wps_str target;

  if (!r->tunnel->service->rest)
    return 403;
  if (!path_target(r->in.m.url, &target))
    return 400;
  if (!path_is_of_hub(target, str_of(r->tunnel->peer.name)))
    return 403;
  switch (dispatch(r, target)) {
  case WPS_OK:
    return 0;
  case WPS_ENOMEM:
    return 503;
  default:
    return 400;
  }
}

static void look_at_room(struct tunnel *t, struct wps_conn *conn)
{
  bool over = t->rest_count >= WAITING_MAX || t->rest_bytes >= WAITING_BYTES;
  bool half =
      t->rest_count <= WAITING_MAX / 2 && t->rest_bytes <= WAITING_BYTES / 2;

  if (t->rest_held ? !half : !over)
    return;
  t->rest_held = over;
  wps->conn->hold(conn, over);
}

static void begin_next(struct tunnel *t, struct wps_conn *conn,
                       struct rest_request *r)
{
  uint32_t code;

  /* It has been read before: memory has run out. */
  if (tunnel_message_read((struct wps_bytes){r->bytes, r->len}, &r->in) !=
      WPS_OK) {
    peer_end(&t->peer, conn, 1013, STR("out of memory"));
    request_free(r);
    return;
  }
  t->rest_busy = true;
  code = begin(r);
  if (code == 0)
    return;
  t->rest_busy = false;
  answer_code(r, conn, code);
  request_free(r);
}

void rest_go_on(struct tunnel *t, struct wps_conn *conn)
{
  struct list *node;

  /* What there was no memory for has ended the tunnel. */
  while (!t->rest_busy && !atomic_load(&t->peer.full) && peer_alive(&t->peer) &&
         (node = list_pop(&t->rest)) != NULL) {
    struct rest_request *r = LIST_ITEM(node, struct rest_request, node);

    t->rest_count--;
    t->rest_bytes -= bytes_of(r);
    begin_next(t, conn, r);
  }
  look_at_room(t, conn);
}

int rest_request(struct tunnel *t, struct wps_conn *conn,
                 struct wps_bytes frame)
{
  struct rest_request *r = malloc(sizeof(*r) + frame.len);

  if (r == NULL)
    return WPS_ENOMEM;
  memset(&r->in, 0, sizeof(r->in));
  r->len = frame.len;
  memcpy(r->bytes, frame.ptr, frame.len);
  peer_ref(&t->peer);
  r->tunnel = t;
  list_add(&t->rest, &r->node);
  t->rest_count++;
  t->rest_bytes += bytes_of(r);
  rest_go_on(t, conn);
  return WPS_OK;
}

void rest_free_all(struct tunnel *t)
{
  struct list *node;

  while ((node = list_pop(&t->rest)) != NULL)
    request_free(LIST_ITEM(node, struct rest_request, node));
}
