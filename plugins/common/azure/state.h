/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - group states (azure-client.md 5.9). Each answers its request
 * itself; WATCH later, with the snapshot behind the ack. Thread: the client's
 * worker.
 */
#ifndef WPS_AZURE_STATE_H
#define WPS_AZURE_STATE_H

#include "plugins/common/azure/client.h"

void azure_state_set(struct azure_client *client, struct wps_conn *conn,
                     const struct azure_request *req);
void azure_state_watch(struct azure_client *client, struct wps_conn *conn,
                       const struct azure_request *req);
void azure_state_unwatch(struct azure_client *client, struct wps_conn *conn,
                         const struct azure_request *req);

#endif
