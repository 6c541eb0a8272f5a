/* SPDX-License-Identifier: Apache-2.0 */
/* invoke.h - events that a client wants an answer to, several at a time
 * (azure-client.md 5.7). Thread: the client's worker.
 */
#ifndef WPS_AZURE_INVOKE_H
#define WPS_AZURE_INVOKE_H

#include "plugins/common/azure/client.h"

/* Both answer by the writer, at once or later. */
void azure_invoke(struct azure_client *client, struct wps_conn *conn,
                  const struct azure_request *req);
void azure_cancel(struct azure_client *client, struct wps_conn *conn,
                  struct wps_str id);

/* The transport is gone: forget and abort all of them. */
void azure_invocations_drop(struct azure_client *client, struct wps_conn *conn);
void azure_invocations_free(struct azure_client *client);

#endif
