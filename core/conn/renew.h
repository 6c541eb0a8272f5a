/* SPDX-License-Identifier: Apache-2.0 */
/* conn/renew.h - clients of hubs whose settings are others now. */
#ifndef WPS_CONN_RENEW_H
#define WPS_CONN_RENEW_H

struct wps_worker;

/* Events of this worker's clients go to the handlers of the present settings.
 * Thread: that worker, after hubs_renew(). */
void conns_renew(struct wps_worker *w);

#endif
