/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - the life of a client around its requests: greeting, recovery,
 * last words (azure-client.md 5.4, 7, 9.3; azure-server.md 3.9, 7.8).
 */
#include "plugins/common/azure/client.h"

#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/invoke.h"
#include "plugins/common/azure/names.h"
#include "plugins/common/azure/stream.h"

static const struct wps_str queue_full =
    WPS_STR_INIT("The outbound message queue is full.");
static const struct wps_str buffer_full =
    WPS_STR_INIT("The reliable message buffer is full.");
static const struct wps_str failed = WPS_STR_INIT("Internal server error");

static int greet(struct azure_client *client, struct wps_conn *conn)
{
  struct wps_str token = {NULL, 0};
  int rc;

  if (client->flags & AZURE_CLIENT_RELIABLE)
    token = wps->conn->session_token(conn);
  rc = client->rules->writer->connected(conn, token);
  return rc == WPS_EAGAIN ? WPS_OK : rc;
}

int azure_client_open(struct azure_client *client,
                      const struct azure_rules *rules, struct wps_conn *conn,
                      bool reliable)
{
  int rc;

  memset(client, 0, sizeof(*client));
  client->rules = rules;
  if (reliable) {
    client->flags = AZURE_CLIENT_RELIABLE;
    rc = wps->conn->session_enable(conn, &rules->session);
    if (rc != WPS_OK)
      return rc;
  }
  return greet(client, conn);
}

int azure_client_resumed(struct azure_client *client, struct wps_conn *conn)
{
  int rc = greet(client, conn);

  if (rc != WPS_OK)
    return rc;
  /* When another socket has taken over, nobody was detached. */
  azure_invocations_drop(client, conn);
  azure_streams_resumed(client, conn);
  return WPS_OK;
}

int azure_client_detached(struct azure_client *client, struct wps_conn *conn,
                          uint16_t code)
{
  azure_invocations_drop(client, conn);
  /* Clients that mean to come back close without a code, or not at all. */
  return code == 1000 ? WPS_ECLOSED : WPS_OK;
}

/* "Application server closed the connection." and the reason, if there is one;
 * without memory, as if there were none. */
static struct wps_str closed_by_server(struct wps_str reason, char **kept)
{
  static const char head[] = "Application server closed the connection.";
  static const char link[] = " Reason: ";
  size_t len = sizeof(head) - 1;

  free(*kept);
  *kept = reason.len != 0 ? malloc(len + sizeof(link) + reason.len) : NULL;
  if (*kept == NULL)
    return (struct wps_str){head, len};
  memcpy(*kept, head, len);
  memcpy(*kept + len, link, sizeof(link) - 1);
  len += sizeof(link) - 1;
  memcpy(*kept + len, reason.ptr, reason.len);
  return (struct wps_str){*kept, len + reason.len};
}

bool azure_closing(struct wps_closing *how, char **kept, struct wps_str *words)
{
  switch (how->cause) {
  case WPS_CLOSED_COMMAND:
    if (!azure_utf8_ok(how->reason))
      how->reason = (struct wps_str){"", 0};
    how->told = closed_by_server(how->reason, kept);
    *words = how->told;
    return true;
  case WPS_CLOSED_SHUTDOWN:
    how->code = 1001;
    how->told = (struct wps_str)WPS_STR_INIT("ServiceReload");
    return false;
  case WPS_CLOSED_SLOW:
    how->code = 1008;
    how->reason = queue_full;
    how->told = (struct wps_str)WPS_STR_INIT("SlowClient");
    return false;
  case WPS_CLOSED_SESSION_FULL:
    how->code = 1008;
    how->reason = buffer_full;
    how->told = buffer_full;
    return false;
  case WPS_CLOSED_SILENT:
    how->told = (struct wps_str)WPS_STR_INIT("PingTimeout");
    return false;
  case WPS_CLOSED_FAILURE:
    how->code = 1011;
    how->reason = failed;
    *words = failed;
    return true;
  default: /* TOO_BIG, FRAMING: as preset, without a word */
    return false;
  }
}

void azure_client_closing(struct azure_client *client, struct wps_conn *conn,
                          struct wps_closing *how)
{
  struct wps_str words;

  if (!azure_closing(how, &client->told, &words))
    return;
  (void)client->rules->writer->disconnected(conn, words);
  /* The message has the text, of any length; the close frame stays empty. */
  if (how->cause == WPS_CLOSED_COMMAND)
    how->reason = (struct wps_str){"", 0};
}
