/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - abuse protection: does a URL want events? (azure-server.md 4)
 *
 * Asked once per URL, that is per handler and hub, and from time to time again,
 * on each worker. Thread: the worker's. */
#ifndef WEBHOOK_PROBE_H
#define WEBHOOK_PROBE_H

#include <webpubsub/types.h>

struct list;
struct target;

enum { PROBE_PASSED = 1, PROBE_WAIT, PROBE_FAILED };

/* PROBE_WAIT: the delivery (its node) is in a list now, and delivery_go_on() or
 * delivery_refused() comes later, if it is still there. PROBE_FAILED: *why. */
int probe_ask(struct target *t, struct wps_str hub, struct list *delivery,
              const char **why);
/* Ask what may be asked now. */
void probes_pump(struct target *t);
void probes_free(struct target *t);

#endif
