/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/renew.h"

#include "conn/client_events.h"
#include "conn/conn.h"

void conns_renew(struct wps_worker *w)
{
  struct conn_worker *cw = w->conns;

  for (uint32_t i = 0; i < cw->slot_count; i++) {
    struct wps_conn *c = conn_in_slot(cw, i);

    if (c != NULL && c->client.hw != NULL && conn_alive(c) &&
        client_events_renew(c) != WPS_OK)
      conn_log(c, WPS_LOG_ERROR,
               "out of memory: the client has no event handlers", NULL, 0);
  }
}
