/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/bench_traffic.h - what is published in a run, and the check of what
 * comes.
 *
 * A message is BENCH_SIZE_MIN characters or more: a mark, three numbers as
 * hexadecimal digits a to p (its publisher, its place among that one's
 * messages, when it was published, or in an open loop when it was due),
 * filling, an end mark. Each receiver keeps for each publisher which comes
 * next.
 */
#ifndef WPS_CTL_BENCH_TRAFFIC_H
#define WPS_CTL_BENCH_TRAFFIC_H

#include "ctl/bench.h"
#include "ctl/bench_client.h"
#include "ctl/bench_histogram.h"

/* What one receiver has had of one publisher. */
struct track {
  uint32_t next;
  uint64_t seen; /* bit i: message next - 1 - i has come */
};

struct publisher {
  struct client *client;
  uint32_t number, sent;
  uint32_t done;    /* those before it have come everywhere   */
  uint32_t *counts; /* how often each one under way has come   */
  int64_t *stamps;  /* when it was sent, if it does not say so */
  char *frame;
  size_t frame_len, body_at, ack_at; /* within the frame; ack_at may be 0 */
  uint64_t body_mask;
  uint8_t ack_mask[4];
  bool queued;
};

struct traffic {
  const struct bench_options *o;
  struct clients clients;
  struct publisher *publishers;
  size_t publisher_count, per_group; /* publishers of one group */
  uint32_t receivers;                /* of each message         */
  uint32_t window, ring;             /* ring: a power of two - 1 */
  char *filling;                     /* what every message has behind it */
  /* Of the names of groups. Another one in each run, so that what an aborted
   * run has left in the server's sockets goes to nobody. */
  char prefix[8];
  /* Publishers that may go on, first come, first served. */
  uint32_t *queue;
  size_t queue_head, queue_len;
  /* Open loop: message n of all is due at began + n * step. */
  int64_t began;
  double step;
  uint64_t due_count;
  bool publishing, measuring, broken;
  struct histogram latency;
  struct bench_result *result;
};

/* For all of these: false after out of memory. */
bool traffic_init(struct traffic *t);
/* Give a publisher its frame. `ack_at` is where ten digits of `payload` are its
 * ackId, 0 without one; `body_at` where the message is. */
bool publisher_init(struct traffic *t, struct publisher *p, const char *payload,
                    size_t len, size_t body_at, size_t ack_at);
void traffic_free(struct traffic *t);
/* What is to be sent as a message, but for the numbers. */
void body_fill(const struct traffic *t, uint32_t number, char *out);

void traffic_begin(struct traffic *t);
/* Publish what is due, or what the window allows. */
void traffic_publish(struct traffic *t);
/* When it is worth to be called again. */
int64_t traffic_due(const struct traffic *t);

/* The message in a text, NULL without one. */
const char *body_find(const struct traffic *t, struct client *c,
                      const char *text, size_t len);
/* A message has come, `left` characters of the text from its beginning. */
void body_arrived(struct traffic *t, struct client *c, const char *body,
                  size_t left, int64_t now);
/* An ackId has come. */
void ack_arrived(struct traffic *t, struct client *c, uint64_t id, int64_t now);
/* Something else than was published has come. */
void traffic_corrupted(struct traffic *t, const char *what);
/* The reason of a bad verdict; the first one stays. */
void traffic_bad(struct traffic *t, const char *fmt, ...) WPS_PRINTF(2, 3);

/* ackIds count from here, so that they have the same number of digits. */
#define ACK_FIRST UINT64_C(1000000000)

#endif
