/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c - may it be done? Permissions first, then hub->ask(): a request that
 * an application wants to decide about waits for it, and everything behind it
 * waits, too (azure-server.md 9.5). Streams are asked about once, when they
 * start.
 */
#include "plugins/common/azure/acks.h"
#include "plugins/common/azure/internal.h"
#include "plugins/common/azure/order.h"
#include "plugins/common/azure/stream.h"

static bool allowed(const struct wps_conn *conn,
                    const struct azure_request *req)
{
  switch (req->kind) {
  case AZURE_EVENT:
    return true;
  case AZURE_JOIN:
  case AZURE_LEAVE:
    return wps->conn->allowed(conn, WPS_ACT_JOIN, req->name);
  default:
    return wps->conn->allowed(conn, WPS_ACT_PUBLISH, req->name);
  }
}

static void on_decided(struct wps_conn *conn, void *arg, uint64_t tag,
                       int status)
{
  struct azure_client *client = arg;
  struct azure_error error;
  struct azure_waiting *w;
  char text[AZURE_SENTENCE_MAX];

  (void)tag;
  if (conn == NULL)
    return;
  client->flags &= ~(uint32_t)AZURE_CLIENT_ASKING;
  w = azure_asked(client);
  if (w == NULL) /* we have closed it */
    return;
  /* What it may do can have changed meanwhile. */
  if (status == WPS_OK && allowed(conn, &w->req)) {
    azure_start(client, conn, &w->req, w->msg);
  } else {
    azure_forbidden(w->req.kind, w->req.name, text, &error);
    azure_refuse(client, conn, &w->req, &error);
  }
  azure_waiting_free(w);
  azure_run_waiting(client, conn);
}

static int ask(struct azure_client *client, struct wps_conn *conn,
               const struct azure_request *req, struct wps_message *msg)
{
  struct wps_client_request what = {
      .struct_size = sizeof(what), .group = req->name, .msg = msg};

  switch (req->kind) {
  case AZURE_EVENT:
    return WPS_ENOTFOUND;
  case AZURE_JOIN:
    what.type = WPS_EVENT_JOIN;
    break;
  case AZURE_LEAVE:
    what.type = WPS_EVENT_LEAVE;
    break;
  default:
    what.type = WPS_EVENT_PUBLISH;
    break;
  }
  return wps->hub->ask(conn, &what, on_decided, client, 0);
}

static void wait_for_answer(struct azure_client *client, struct wps_conn *conn,
                            const struct azure_request *req,
                            struct wps_message *msg)
{
  client->flags |= AZURE_CLIENT_ASKING;
  /* The answer will find nothing to be done. */
  if (azure_wait_asked(client, conn, req, msg) != WPS_OK)
    azure_client_close(client, conn, 1011, azure_internal_error.message);
}

/* No ack id is pending for it. */
static void reject(struct azure_client *client, struct wps_conn *conn,
                   const struct azure_request *req,
                   const struct azure_error *error)
{
  if (req->kind == AZURE_STREAM_START)
    azure_stream_refuse(client, conn, req->ref, error);
  azure_answer(client, conn, req->flags, req->id, error);
}

void azure_decide(struct azure_client *client, struct wps_conn *conn,
                  const struct azure_request *req, struct wps_message *msg)
{
  const struct azure_error *wrong = NULL;
  struct azure_error error;
  struct wps_message *own = NULL;
  char text[AZURE_SENTENCE_MAX];
  int rc;

  if (req->kind == AZURE_STREAM_START)
    wrong = azure_stream_check(client, req, &error);
  if (wrong == NULL && !allowed(conn, req)) {
    azure_forbidden(req->kind, req->name, text, &error);
    wrong = &error;
  }
  if (wrong == NULL && req->flags & AZURE_HAS_ACK &&
      azure_acks_begin(&client->acks, req->id) != WPS_OK)
    wrong = &azure_internal_error;
  if (wrong != NULL) {
    reject(client, conn, req, wrong);
    return;
  }
  if (msg == NULL && (req->kind == AZURE_SEND || req->kind == AZURE_EVENT)) {
    msg = own = azure_make_message(conn, req);
    if (msg == NULL) {
      azure_refuse(client, conn, req, &azure_internal_error);
      return;
    }
  }
  rc = ask(client, conn, req, msg);
  if (rc == WPS_OK)
    wait_for_answer(client, conn, req, msg);
  else if (rc == WPS_ENOTFOUND)
    azure_start(client, conn, req, msg);
  else
    azure_refuse(client, conn, req, &azure_internal_error);
  if (own != NULL)
    wps->message->unref(own);
}

/* The client has ended: what would have to be decided about is dropped. */
bool azure_undisputed(struct azure_client *client, struct wps_conn *conn,
                      const struct azure_request *req, struct wps_message *msg)
{
  return allowed(conn, req) && ask(client, conn, req, msg) == WPS_ENOTFOUND;
}
