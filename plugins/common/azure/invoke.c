/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/invoke.h"

#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/event.h"
#include "plugins/common/azure/internal.h"

struct invocation {
  struct invocation *next;
  uint64_t tag; /* of its event; no other one of the client ever had it */
  struct wps_str id;
  char text[];
};

struct azure_invocations {
  struct invocation *first; /* newest first */
  uint64_t last_tag;
  uint32_t count;
};

static void respond(struct azure_client *client, struct wps_conn *conn,
                    struct wps_str id, const struct azure_error *error,
                    const struct wps_message_info *body, bool has_data)
{
  azure_sent(
      client, conn,
      client->rules->writer->invoke_response(conn, id, error, body, has_data));
}

/* The link to the one with this id. */
static struct invocation **find(struct azure_invocations *all,
                                struct wps_str id)
{
  struct invocation **at = &all->first;

  while (*at != NULL && !azure_equal((*at)->id, id))
    at = &(*at)->next;
  return at;
}

static struct invocation *take(struct azure_invocations *all,
                               struct invocation **at)
{
  struct invocation *i = *at;

  *at = i->next;
  all->count--;
  return i;
}

/* A refusal of the upstream is a failure like any other. */
static void on_invoked(struct wps_conn *conn, void *arg, uint64_t tag,
                       int status, const struct wps_event_answer *answer)
{
  struct azure_client *client = arg;
  struct wps_message *body = NULL;
  struct invocation **at, *i;
  bool has_data;

  if (conn == NULL || client->invocations == NULL)
    return;
  at = &client->invocations->first;
  while (*at != NULL && (*at)->tag != tag)
    at = &(*at)->next;
  if (*at == NULL) /* cancelled, or its transport has gone */
    return;
  i = take(client->invocations, at);
  if (status == WPS_OK)
    status = azure_answer_message(answer, &body);
  if (status != WPS_OK) {
    respond(client, conn, i->id, &azure_internal_error, NULL, false);
  } else {
    has_data = answer != NULL && answer->msg != NULL &&
               wps->message->info(answer->msg)->data.len > 0;
    respond(client, conn, i->id, NULL,
            body != NULL ? wps->message->info(body) : NULL, has_data);
  }
  if (body != NULL)
    wps->message->unref(body);
  free(i);
}

static int start(struct azure_client *client, struct wps_conn *conn,
                 const struct azure_request *req)
{
  struct azure_invocations *all = client->invocations;
  struct azure_request event = *req;
  struct invocation *i = calloc(1, sizeof(*i) + req->ref.len);
  struct wps_message *msg;
  int rc;

  if (!(req->flags & AZURE_HAS_DATA)) {
    event.data_type = WPS_DATA_TEXT;
    event.data = (struct wps_bytes){"", 0};
  }
  msg = azure_make_message(conn, &event);
  if (i == NULL || msg == NULL) {
    rc = WPS_ENOMEM;
    goto out;
  }
  i->tag = ++all->last_tag;
  i->id = (struct wps_str){i->text, req->ref.len};
  memcpy(i->text, req->ref.ptr, req->ref.len);
  rc = azure_event_concurrent(conn, req->name, msg, on_invoked, client, i->tag);
  if (rc == WPS_OK) {
    i->next = all->first;
    all->first = i;
    all->count++;
    i = NULL;
  }

out:
  if (msg != NULL)
    wps->message->unref(msg);
  free(i);
  return rc;
}

void azure_invoke(struct azure_client *client, struct wps_conn *conn,
                  const struct azure_request *req)
{
  static const struct wps_str in_use =
      WPS_STR_INIT("The invocation id is in use.");
  static const struct wps_str too_many =
      WPS_STR_INIT("Too many invocations are pending.");
  struct azure_error error = {.name = WPS_STR_INIT("BadRequest")};
  struct azure_invocations *all = client->invocations;
  char text[AZURE_SENTENCE_MAX];
  int rc;

  if (all == NULL) {
    all = client->invocations = calloc(1, sizeof(*all));
    if (all == NULL) {
      respond(client, conn, req->ref, &azure_internal_error, NULL, false);
      return;
    }
  }
  if (req->flags & AZURE_BAD)
    error.message = req->why;
  else if (*find(all, req->ref) != NULL)
    error.message = in_use;
  else if (all->count >= client->rules->invocations_max)
    error.message = too_many;
  if (error.message.ptr != NULL) {
    respond(client, conn, req->ref, &error, NULL, false);
    return;
  }
  rc = start(client, conn, req);
  if (rc == WPS_OK)
    return;
  if (rc == WPS_ENOTFOUND) {
    error.name = (struct wps_str)WPS_STR_INIT("NotFound");
    error.message =
        azure_sentence(text, "No event handler for event '", req->name, "'.");
  } else if (rc == WPS_EAGAIN) {
    error.message = too_many;
  } else {
    error = azure_internal_error;
  }
  respond(client, conn, req->ref, &error, NULL, false);
}

void azure_cancel(struct azure_client *client, struct wps_conn *conn,
                  struct wps_str id)
{
  struct invocation **at, *i;

  if (client->invocations == NULL)
    return;
  at = find(client->invocations, id);
  if (*at == NULL)
    return;
  i = take(client->invocations, at);
  wps->hub->event_cancel(conn, client, i->tag);
  free(i);
}

void azure_invocations_drop(struct azure_client *client, struct wps_conn *conn)
{
  struct azure_invocations *all = client->invocations;

  while (all != NULL && all->first != NULL) {
    struct invocation *i = take(all, &all->first);

    wps->hub->event_cancel(conn, client, i->tag);
    free(i);
  }
}

void azure_invocations_free(struct azure_client *client)
{
  struct azure_invocations *all = client->invocations;

  while (all != NULL && all->first != NULL)
    free(take(all, &all->first));
  free(all);
  client->invocations = NULL;
}
