/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/order.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/acks.h"
#include "plugins/common/azure/internal.h"

/* What may still come from a client that is held: a receive buffer of the
 * smallest frames. */
enum { WAITING_MORE = 256 * 1024 / 6 };

static const struct wps_str too_many_waiting =
    WPS_STR_INIT("Too many requests wait for an event handler.");

static void count_waiting(struct azure_client *client, size_t bytes, bool more)
{
  client->waiting += more ? 1 : (uint32_t)-1;
  client->waiting_bytes += more ? bytes : -bytes;
  atomic_fetch_add_explicit(client->rules->waiting_total, more ? bytes : -bytes,
                            memory_order_relaxed);
}

void azure_waiting_free(struct azure_waiting *w)
{
  if (w->msg != NULL)
    wps->message->unref(w->msg);
  free(w);
}

/* The first of them. */
static struct azure_waiting *take(struct azure_client *client)
{
  struct azure_waiting *w = client->first;

  client->first = w->next;
  if (client->first != NULL)
    client->first->last = w->last;
  count_waiting(client, w->bytes, false);
  return w;
}

void azure_drop_waiting(struct azure_client *client)
{
  while (client->first != NULL)
    azure_waiting_free(take(client));
}

struct azure_waiting *azure_asked(struct azure_client *client)
{
  return client->first != NULL && client->first->asked ? take(client) : NULL;
}

bool azure_must_wait(const struct azure_client *client,
                     const struct azure_request *req)
{
  return client->flags & (AZURE_CLIENT_EVENT | AZURE_CLIENT_ASKING |
                          AZURE_CLIENT_WATCHING) ||
         (req->flags & AZURE_HAS_ACK &&
          azure_acks_find(&client->acks, req->id) == AZURE_ACK_PENDING);
}

static bool waiting_full(const struct azure_client *client, uint32_t parts)
{
  return (uint64_t)client->waiting * parts >= client->rules->waiting_max ||
         client->waiting_bytes * parts >= client->rules->waiting_bytes_max ||
         (client->waiting != 0 &&
          atomic_load_explicit(client->rules->waiting_total,
                               memory_order_relaxed) >=
              client->rules->waiting_total_max);
}

/* Full: nothing is read from it; half empty: it is read again. */
static void regulate(struct azure_client *client, struct wps_conn *conn)
{
  bool held = client->flags & AZURE_CLIENT_HELD;

  if (client->flags & AZURE_CLIENT_CLOSED ||
      (held ? waiting_full(client, 2) : !waiting_full(client, 1)))
    return;
  client->flags ^= AZURE_CLIENT_HELD;
  wps->conn->hold(conn, !held);
}

void azure_run_waiting(struct azure_client *client, struct wps_conn *conn)
{
  while (client->first != NULL &&
         !azure_must_wait(client, &client->first->req)) {
    struct azure_waiting *w = take(client);

    azure_run(client, conn, &w->req, w->msg);
    azure_waiting_free(w);
  }
  regulate(client, conn);
}

/* Is it a repetition of one that is under way or was? */
static bool repeated(struct azure_client *client,
                     const struct azure_request *req)
{
  if (!(req->flags & AZURE_HAS_ACK))
    return false;
  if (azure_acks_find(&client->acks, req->id) != AZURE_ACK_NEW)
    return true;
  (void)azure_acks_begin(&client->acks, req->id);
  return false;
}

void azure_run_last_waiting(struct azure_client *client, struct wps_conn *conn)
{
  for (struct azure_waiting *w = client->first; w != NULL; w = w->next)
    if (!w->asked && !repeated(client, &w->req))
      azure_run_last(client, conn, &w->req, w->msg);
  azure_drop_waiting(client);
}

static char *put(char *at, struct wps_str from, struct wps_str *out)
{
  if (from.ptr == NULL)
    return at;
  *out = (struct wps_str){at, from.len};
  if (from.len > 0)
    memcpy(at, from.ptr, from.len);
  return at + from.len;
}

/* A copy of all that is not in the message. */
static struct azure_waiting *copy(const struct azure_request *req)
{
  size_t pairs = req->state_count * sizeof(struct wps_pair);
  size_t texts = req->name.len + req->ref.len + req->error_message.len +
                 req->error_code.len + req->why.len;
  struct azure_waiting *w;
  char *at;

  for (size_t i = 0; i < req->state_count; i++)
    texts += req->state[i].name.len + req->state[i].value.len;
  w = calloc(1, sizeof(*w) + pairs + texts);
  if (w == NULL)
    return NULL;
  w->bytes = sizeof(*w) + pairs + texts;
  w->req = *req;
  w->req.data = (struct wps_bytes){NULL, 0};
  w->req.metadata = NULL;
  w->req.metadata_count = 0;
  w->req.state = w->state;
  at = put((char *)w->state + pairs, req->name, &w->req.name);
  at = put(at, req->ref, &w->req.ref);
  at = put(at, req->error_message, &w->req.error_message);
  at = put(at, req->error_code, &w->req.error_code);
  at = put(at, req->why, &w->req.why);
  for (size_t i = 0; i < req->state_count; i++) {
    w->state[i].name = w->state[i].value = (struct wps_str){"", 0};
    at = put(at, req->state[i].name, &w->state[i].name);
    at = put(at, req->state[i].value, &w->state[i].value);
  }
  return w;
}

/* `msg`, or NULL, is its from now on. */
static void own(struct azure_waiting *w, struct wps_message *msg)
{
  const struct wps_message_info *info;

  w->msg = msg;
  if (msg == NULL)
    return;
  info = wps->message->info(msg);
  w->bytes += info->data.len;
  for (size_t i = 0; i < info->tag_count; i++)
    w->bytes += info->tags[i].name.len + info->tags[i].value.len;
}

/* Does it bring something to be published or told? */
static bool has_payload(const struct azure_request *req)
{
  return req->kind == AZURE_SEND || req->kind == AZURE_EVENT ||
         (req->kind == AZURE_STREAM_DATA && req->flags & AZURE_HAS_SEQUENCE);
}

int azure_wait(struct azure_client *client, struct wps_conn *conn,
               const struct azure_request *req)
{
  struct azure_waiting *w;
  struct wps_message *msg = NULL;

  if (client->waiting >= client->rules->waiting_max + WAITING_MORE) {
    azure_client_close(client, conn, 1008, too_many_waiting);
    return WPS_OK;
  }
  w = copy(req);
  if (w == NULL)
    return WPS_ENOMEM;
  if (has_payload(req)) {
    msg = azure_make_message(conn, req);
    if (msg == NULL) {
      free(w);
      return WPS_ENOMEM;
    }
  }
  own(w, msg);
  if (client->first != NULL)
    client->first->last->next = w;
  else
    client->first = w;
  client->first->last = w;
  count_waiting(client, w->bytes, true);
  regulate(client, conn);
  return WPS_OK;
}

int azure_wait_asked(struct azure_client *client, struct wps_conn *conn,
                     const struct azure_request *req, struct wps_message *msg)
{
  struct azure_waiting *w = copy(req);

  if (w == NULL)
    return WPS_ENOMEM;
  w->asked = true;
  own(w, msg != NULL ? wps->message->ref(msg) : NULL);
  w->next = client->first;
  w->last = w->next != NULL ? w->next->last : w;
  client->first = w;
  count_waiting(client, w->bytes, true);
  regulate(client, conn);
  return WPS_OK;
}
