/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server with one worker and routes of every kind, and blocking clients
 * for it. The routes and hooks are described in http_rig.c. */
#ifndef WPS_TESTS_UNIT_HTTP_RIG_H
#define WPS_TESTS_UNIT_HTTP_RIG_H

#include <check.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "http/server.h"
#include "plug/reply.h"
#include "tests/unit/on_worker.h"

/* Deadlines that no test waits for outlast a machine that stands still. */
enum { BIG = 8 * 1024 * 1024, PATIENCE_MS = 60000 };

extern struct workers *ws;
extern struct http_server server;
extern atomic_bool draining;
extern struct wps_reply *_Atomic silent_reply;
extern struct wps_request *_Atomic silent_request;
extern atomic_int silent_told;
extern struct http_conn *_Atomic waiting;
extern atomic_int gone_count;

/* setup() makes all but the worker's thread, for tests that change settings
 * before they run(). */
void rig_setup(void);
void rig_run(void);
void rig_setup_and_run(void);
void rig_teardown(void);
int dial(void);
int dial_small(void); /* takes little of what it does not read */
void say_bytes(int fd, const char *bytes, size_t len);
void say(int fd, const char *text);
ssize_t receive(int fd, void *bytes, size_t max, int flags);
char *hear_all(int fd);
void hear_one(int fd, char *text, size_t size, bool body);
char *exchange(const char *request);
void expect_head(const char *text, const char *status_line);
void expect_in(const char *text, const char *part);
void turns(int n);
void upgrade_waiting(void *arg);
void answer_waiting(void *arg);

#define CLOSE "Host: h\r\nConnection: close\r\n\r\n"
#define KEEP "Host: h\r\n\r\n"
#define UPGRADE                                                                \
  "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                   \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                            \
  "Sec-WebSocket-Version: 13\r\n\r\n"

#endif
