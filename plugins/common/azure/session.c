/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - the life of a client around its requests: greeting, recovery,
 * last words (azure-client.md 5.4, 7, 9.3; azure-server.md 7.8).
 */
#include "plugins/common/azure/client.h"

#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/acks.h"

#define CLOSED_BY_APP "Application server closed the connection."

static const struct wps_str closed_by_app = WPS_STR_INIT(CLOSED_BY_APP);
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
  return greet(client, conn);
}

int azure_client_detached(uint16_t code)
{
  /* Clients that mean to come back close without a code, or not at all. */
  return code == 1000 ? WPS_ECLOSED : WPS_OK;
}

static struct wps_str closed_text(struct wps_str reason, char **told)
{
  static const char head[] = CLOSED_BY_APP " Reason: ";
  size_t len = sizeof(head) - 1 + reason.len;

  if (reason.len == 0 || *told != NULL || (*told = malloc(len)) == NULL)
    return closed_by_app;
  memcpy(*told, head, sizeof(head) - 1);
  memcpy(*told + sizeof(head) - 1, reason.ptr, reason.len);
  return (struct wps_str){*told, len};
}

void azure_closing(struct wps_closing *how, char **told, struct wps_str *words)
{
  *words = (struct wps_str){NULL, 0};
  switch (how->cause) {
  case WPS_CLOSED_COMMAND:
    *words = how->told = closed_text(how->reason, told);
    break;
  case WPS_CLOSED_SHUTDOWN:
    how->code = 1001;
    how->told = (struct wps_str)WPS_STR_INIT("ServiceReload");
    break;
  case WPS_CLOSED_SLOW:
    how->code = 1008;
    how->reason = queue_full;
    how->told = (struct wps_str)WPS_STR_INIT("SlowClient");
    break;
  case WPS_CLOSED_SESSION_FULL:
    how->code = 1008;
    how->reason = buffer_full;
    how->told = buffer_full;
    break;
  case WPS_CLOSED_SILENT:
    how->told = (struct wps_str)WPS_STR_INIT("PingTimeout");
    break;
  case WPS_CLOSED_FAILURE:
    how->code = 1011;
    how->reason = failed;
    *words = failed;
    break;
  default: /* TOO_BIG, FRAMING: as preset, without a word */
    break;
  }
}

void azure_client_closing(struct azure_client *client, struct wps_conn *conn,
                          struct wps_closing *how)
{
  struct wps_str words;

  azure_closing(how, &client->told, &words);
  /* The message has the text, of any length; the close frame stays empty. */
  if (how->cause == WPS_CLOSED_COMMAND)
    how->reason = (struct wps_str){"", 0};
  if (words.ptr != NULL)
    (void)client->rules->writer->disconnected(conn, words);
}
