/* SPDX-License-Identifier: Apache-2.0 */
/* json_client.h - what tests of subprotocol-json have in common: the plugin
 * through its component, one client, a fake host. Included by Check tests. */
#ifndef WPS_TEST_JSON_CLIENT_H
#define WPS_TEST_JSON_CLIENT_H

#include <webpubsub/event.h>

#include "tests/unit/fake_host.h"

extern const struct wps_subprotocol *ops;
extern void *inst;
extern struct wps_conn *conn;

enum { PLAIN = 0, RELIABLE = 1 };

/* Fixtures: a client whose greeting has been read. */
void setup(void);
void setup_reliable(void);
void teardown(void);

void frame(const char *text);
/* The next thing sent is `want`, or there is none. */
void sends(const char *want);
/* What the hub was asked, and with which payload. */
const struct fake_asked *asked(size_t index, uint32_t what, const char *name);
const struct wps_message_info *payload(size_t index, uint32_t type,
                                       const char *data, size_t len);
/* How a message is written; lives until the next call. */
const char *encoded(const struct wps_message_info *info, uint32_t variant);
/* What an upstream says; the message is the caller's. */
struct wps_event_answer answer_of(uint32_t type, const char *body);

#endif
