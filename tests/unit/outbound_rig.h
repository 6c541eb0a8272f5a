/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of what waits for a socket: a queue on a worker, its other end in
 * the test. All that is done to the queue is done in steps on the worker, so
 * that a step is never cut by a flush. */
#ifndef WPS_TESTS_UNIT_OUTBOUND_RIG_H
#define WPS_TESTS_UNIT_OUTBOUND_RIG_H

#include <semaphore.h>

#include "conn/conn.h"
#include "conn/outbound.h"

struct client {
  struct outbound o;
  sem_t left, emptied, failed; /* posted by the callbacks of these names */
  char why[64];
};

extern struct workers *all;
extern struct wps_worker *w;
extern struct stream *stream;
extern const struct stream_ops rig_stream_ops; /* arg: struct outbound */
extern int peer;
extern struct client c, heir; /* who has the socket, who may get it */

/* What the peer has to get, and what it got. */
enum { WIRE_MAX = 4 << 20 };
extern unsigned char expected[WIRE_MAX], got[WIRE_MAX];
extern size_t expected_len;

void client_init(struct client *client);
void rig_setup(void);
void rig_teardown(void);
/* SOCK_SEQPACKET: the peer sees what one write was. `send_buffer` 0: as it is.
 */
void make_pair(int type, int send_buffer);
/* A small send buffer; frames of 300, 200000 and 300 bytes, all counted, of
 * which the second is partly written. */
void fill(void);
void await(sem_t *sem);

/* ---- on the worker ---- */

void expect(const void *bytes, size_t len);
struct wps_frame *frame_of(size_t len, uint32_t seed);
/* These are expected to arrive. */
void push(size_t len, uint32_t flags);
void push_parts(const struct wps_part *parts, size_t count);
/* A step: handshake, frame of 5 bytes, parts, frame of 200 bytes; the frames
 * are counted. */
void push_four(void *arg);

/* ---- on the peer's side ---- */

/* One read; waits for it. */
size_t receive(size_t have, size_t max);
/* All that is expected; the number of reads that took. */
uint32_t receive_all(void);
void receive_nothing(void);

#endif
