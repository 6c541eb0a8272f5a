/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/state.h"

#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/acks.h"
#include "plugins/common/azure/internal.h"

enum { STATE_BYTES_MAX = 512 };

static const struct azure_error not_permitted = {
    WPS_STR_INIT("Forbidden"), WPS_STR_INIT("Permission denied.")};
static const struct azure_error not_a_member = {
    WPS_STR_INIT("Forbidden"), WPS_STR_INIT("Not a member of group.")};
static const char no_member_of[] = "Not a member of group ";
static const struct azure_error too_large = {
    WPS_STR_INIT("BadRequest"),
    WPS_STR_INIT("State payload exceeds maximum size 512 bytes.")};

/* The end of a request; an id that has succeeded is remembered. */
static void end(struct azure_client *client, struct wps_conn *conn,
                uint32_t flags, uint64_t id, const struct azure_error *error)
{
  if ((flags & AZURE_HAS_ACK) != 0 && error == NULL &&
      azure_acks_begin(&client->acks, id) == WPS_OK)
    azure_finish(client, conn, id, NULL);
  else
    azure_answer(client, conn, flags, id, error);
}

static bool fits(const struct azure_request *req)
{
  size_t left = STATE_BYTES_MAX;

  for (size_t i = 0; i < req->state_count; i++) {
    const struct wps_pair *p = &req->state[i];

    if (p->name.len > left || p->value.len > left - p->name.len)
      return false;
    left -= p->name.len + p->value.len;
  }
  return true;
}

void azure_state_set(struct azure_client *client, struct wps_conn *conn,
                     const struct azure_request *req)
{
  static const struct wps_pair none = {WPS_STR_INIT(""), WPS_STR_INIT("")};
  const struct azure_error *error = NULL;
  const struct wps_pair *entries = NULL;
  struct wps_member *member = wps->hub->member(conn, req->name);

  if ((req->flags & AZURE_HAS_STATE) != 0)
    entries = req->state_count != 0 ? req->state : &none;
  if (!wps->conn->allowed(conn, WPS_ACT_SET_STATE, req->name))
    error = &not_permitted;
  else if (member == NULL)
    error = &not_a_member;
  else if (entries != NULL && !fits(req))
    error = &too_large;
  else if (wps->hub->member_state(member, entries, req->state_count) != WPS_OK)
    error = &azure_internal_error;
  end(client, conn, req->flags, req->id, error);
}

/* ---- watching ---- */

/* What the picture has to come with. */
struct watch {
  struct azure_client *client; /* while there is a connection */
  uint64_t id;
  uint32_t flags;
  size_t group_len;
  char group[];
};

static struct watch *watch_new(struct azure_client *client,
                               const struct azure_request *req)
{
  struct watch *watch = malloc(sizeof(*watch) + req->name.len);

  if (watch == NULL)
    return NULL;
  watch->client = client;
  watch->id = req->id;
  watch->flags = req->flags;
  watch->group_len = req->name.len;
  memcpy(watch->group, req->name.ptr, req->name.len);
  return watch;
}

/* As many of them as one message holds. */
static void send_snapshot(const struct azure_client *client,
                          struct wps_conn *conn, struct wps_str group,
                          const struct wps_states *states)
{
  const struct azure_writer *writer = client->rules->writer;
  size_t count = states->count;
  struct wps_message *msg = writer->snapshot(group, states->items, count);

  while (msg == NULL && count > 1)
    msg = writer->snapshot(group, states->items, count /= 2);
  if (count != states->count || msg == NULL)
    wps->log->write(client->rules->self, conn, WPS_LOG_WARN,
                    "a snapshot of group states is cut: %zu of %zu",
                    msg == NULL ? 0 : count, states->count);
  if (msg == NULL)
    return;
  (void)wps->conn->deliver(conn, msg);
  wps->message->unref(msg);
}

/* `head` ends with a blank, before the name of the group. */
static void forbid_watch(struct azure_client *client, struct wps_conn *conn,
                         uint32_t flags, uint64_t id, const char *head,
                         struct wps_str group)
{
  struct azure_error error = {.name = WPS_STR_INIT("Forbidden")};
  char text[AZURE_SENTENCE_MAX];

  error.message = azure_sentence(text, head, group, ".");
  end(client, conn, flags, id, &error);
}

static void on_states(struct wps_conn *conn, void *arg, uint64_t tag,
                      const struct wps_states *states)
{
  struct watch *watch = arg;
  struct azure_client *client = watch->client;
  struct wps_str group = {watch->group, watch->group_len};

  (void)tag;
  if (conn != NULL) {
    client->flags &= ~(uint32_t)AZURE_CLIENT_WATCHING;
    if (states->status == WPS_OK) {
      end(client, conn, watch->flags, watch->id, NULL);
      send_snapshot(client, conn, group, states);
    } else {
      forbid_watch(client, conn, watch->flags, watch->id, no_member_of, group);
    }
    azure_run_waiting(client, conn);
  }
  free(watch);
}

void azure_state_watch(struct azure_client *client, struct wps_conn *conn,
                       const struct azure_request *req)
{
  struct wps_member *member = wps->hub->member(conn, req->name);
  struct watch *watch;

  if (!wps->conn->allowed(conn, WPS_ACT_GET_STATE, req->name)) {
    forbid_watch(client, conn, req->flags, req->id,
                 "No permission to get states of group ", req->name);
    return;
  }
  if (member == NULL) {
    forbid_watch(client, conn, req->flags, req->id, no_member_of, req->name);
    return;
  }
  watch = watch_new(client, req);
  if (watch == NULL ||
      wps->hub->member_watch(member, on_states, watch, 0) != WPS_OK) {
    free(watch);
    end(client, conn, req->flags, req->id, &azure_internal_error);
    return;
  }
  client->flags |= AZURE_CLIENT_WATCHING;
}

void azure_state_unwatch(struct azure_client *client, struct wps_conn *conn,
                         const struct azure_request *req)
{
  struct wps_member *member = wps->hub->member(conn, req->name);

  if (member != NULL)
    wps->hub->member_unwatch(member);
  end(client, conn, req->flags, req->id, NULL);
}
