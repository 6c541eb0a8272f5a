/* SPDX-License-Identifier: Apache-2.0 */
/* For instructions.c: the server whole, its one worker on the thread of the
 * program, clients at the other end of socket pairs. A turn of the worker runs
 * when it is asked for; clock and random numbers are made up. So a run is the
 * same each time. */
#ifndef WPS_TESTS_BENCH_INSTRUCTIONS_RIG_H
#define WPS_TESTS_BENCH_INSTRUCTIONS_RIG_H

#include "daemon/server.h"

extern struct server rig;
extern struct wps_worker *rig_worker;

/* The end, with a sentence. */
_Noreturn void rig_die(const char *what, const char *why);

void rig_start(void);
void rig_stop(void);

/* ---- what is counted ---- */

/* A turn: what the sockets have is read, what follows from it is written. */
void rig_turn(void);
/* The same, counted. */
void rig_measured_turn(void);
/* A call that is counted; the name that the runner gives to callgrind. */
void measured(void (*fn)(void *arg), void *arg);

/* ---- clients ---- */

/* A token for a path below the endpoint, "" or ",\"name\":value" behind. */
void rig_token(char *out, size_t size, const char *path, const char *claims);
/* A socket that the worker has accepted. */
int rig_dial(void);
void rig_say(int fd, const void *bytes, size_t len);
/* Everything that has come holds `text` that often. */
void rig_expect(int fd, const char *text, size_t times);
/* A masked text frame at `out`; its length. */
size_t rig_frame(unsigned char *out, const char *text);
void rig_say_frame(int fd, const char *text);
/* The request of a handshake, for rig_say(). */
size_t rig_handshake(char *out, size_t size, const char *protocol);
/* A client that has had its greeting. */
int rig_client(const char *protocol);

#endif
