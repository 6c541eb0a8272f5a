/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/bench_traffic.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "ctl/bench_process.h"
#include "ctl/ws_client.h"

/* Places within a message. */
enum {
  MARK_LEN = 5,
  NUMBER_AT = 5,
  SEQUENCE_AT = 13,
  STAMP_AT = 21,
  FILLING_AT = 37,
  TURN_MAX = 64 /* messages of one publisher, before the next one's turn */
};

static const char mark[] = "#wpb:";

/* ---- digits ---- */

/* Eight digits as they stand in memory. Four bits of each byte are a digit, the
 * rest makes it a letter. */
static uint64_t digits_of(uint32_t value)
{
  uint64_t v = value;

  v = (v | v << 16) & UINT64_C(0x0000ffff0000ffff);
  v = (v | v << 8) & UINT64_C(0x00ff00ff00ff00ff);
  v = (v | v << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
  return htobe64(v + UINT64_C(0x6161616161616161));
}

/* False when they are no digits. */
static inline bool digits_read(const char *at, uint32_t *out)
{
  uint64_t v;

  memcpy(&v, at, sizeof(v));
  v = be64toh(v) - UINT64_C(0x6161616161616161);
  if ((v & UINT64_C(0xf0f0f0f0f0f0f0f0)) != 0)
    return false;
  v = (v | v >> 4) & UINT64_C(0x00ff00ff00ff00ff);
  v = (v | v >> 8) & UINT64_C(0x0000ffff0000ffff);
  *out = (uint32_t)(v | v >> 16);
  return true;
}

static inline void digits_put(char *at, uint32_t value, uint64_t masked)
{
  uint64_t v = digits_of(value) ^ masked;

  memcpy(at, &v, sizeof(v));
}

/* ---- setting up ---- */

bool traffic_init(struct traffic *t)
{
  size_t size = (size_t)t->o->size;

  t->ring = 1;
  while (t->ring < t->window)
    t->ring *= 2;
  t->ring--;
  t->filling = malloc(size - FILLING_AT);
  t->queue = calloc(t->publisher_count + 1, sizeof(*t->queue));
  t->publishers = calloc(t->publisher_count + 1, sizeof(*t->publishers));
  if (t->filling == NULL || t->queue == NULL || t->publishers == NULL)
    return false;
  for (size_t i = 0; i < size - FILLING_AT; i++)
    t->filling[i] = (char)('0' + i % 10);
  t->filling[size - FILLING_AT - 1] = '$';
  return true;
}

void body_fill(const struct traffic *t, uint32_t number, char *out)
{
  memcpy(out, mark, MARK_LEN);
  digits_put(out + NUMBER_AT, number, 0);
  digits_put(out + SEQUENCE_AT, 0, 0);
  digits_put(out + STAMP_AT, 0, 0);
  digits_put(out + STAMP_AT + 8, 0, 0);
  memcpy(out + FILLING_AT, t->filling, (size_t)t->o->size - FILLING_AT);
}

bool publisher_init(struct traffic *t, struct publisher *p, const char *payload,
                    size_t len, size_t body_at, size_t ack_at)
{
  const uint8_t *key = p->client->mask;
  uint8_t word[8];
  size_t head;

  p->frame =
      client_frame(p->client, WS_TEXT, payload, len, &p->frame_len, &head);
  /* The numbers of a body are a multiple of four apart: one word masks all. */
  for (size_t i = 0; i < sizeof(word); i++)
    word[i] = key[(body_at + NUMBER_AT + i) % 4];
  memcpy(&p->body_mask, word, sizeof(word));
  for (size_t i = 0; i < 4; i++)
    p->ack_mask[i] = key[(ack_at + i) % 4];
  p->body_at = head + body_at;
  p->ack_at = ack_at > 0 ? head + ack_at : 0;
  if (t->window > 0)
    p->counts = calloc(t->ring + 1, sizeof(*p->counts));
  if (ack_at > 0)
    p->stamps = calloc(t->ring + 1, sizeof(*p->stamps));
  return p->frame != NULL && (t->window == 0 || p->counts != NULL) &&
         (ack_at == 0 || p->stamps != NULL);
}

void traffic_free(struct traffic *t)
{
  for (size_t i = 0; t->publishers != NULL && i < t->publisher_count; i++) {
    free(t->publishers[i].counts);
    free(t->publishers[i].stamps);
    free(t->publishers[i].frame);
  }
  free(t->publishers);
  free(t->queue);
  free(t->filling);
}

/* ---- faults ---- */

void traffic_bad(struct traffic *t, const char *fmt, ...)
{
  va_list args;

  if (t->result->why[0] != '\0')
    return;
  va_start(args, fmt);
  vsnprintf(t->result->why, sizeof(t->result->why), fmt, args);
  va_end(args);
}

void traffic_corrupted(struct traffic *t, const char *what)
{
  t->result->corrupted++;
  traffic_bad(t, "%s", what);
}

/* ---- publishing ---- */

static void queue_add(struct traffic *t, struct publisher *p)
{
  size_t at = t->queue_head + t->queue_len;

  if (p->queued)
    return;
  p->queued = true;
  t->queue[at < t->publisher_count ? at : at - t->publisher_count] = p->number;
  t->queue_len++;
}

static void publish(struct traffic *t, struct publisher *p, int64_t stamp)
{
  char *body = p->frame + p->body_at, *to;
  uint64_t id = ACK_FIRST + p->sent;

  digits_put(body + SEQUENCE_AT, p->sent, p->body_mask);
  digits_put(body + STAMP_AT, (uint32_t)((uint64_t)stamp >> 32), p->body_mask);
  digits_put(body + STAMP_AT + 8, (uint32_t)stamp, p->body_mask);
  if (p->ack_at > 0) {
    p->stamps[p->sent & t->ring] = stamp;
    for (size_t i = 10; i-- > 0; id /= 10)
      p->frame[p->ack_at + i] =
          (char)((uint8_t)('0' + id % 10) ^ p->ack_mask[i % 4]);
  }
  to = client_room(&t->clients, p->client, p->frame_len);
  if (to == NULL)
    return;
  memcpy(to, p->frame, p->frame_len);
  p->sent++;
  t->result->published++;
  if (t->measuring)
    t->result->measured_published++;
}

void traffic_begin(struct traffic *t)
{
  t->publishing = true;
  t->began = bench_now();
  if (t->o->rate > 0)
    t->step = 1e9 / (t->o->rate * (double)t->publisher_count);
  else
    for (size_t i = 0; i < t->publisher_count; i++)
      queue_add(t, &t->publishers[i]);
}

int64_t traffic_due(const struct traffic *t)
{
  if (!t->publishing)
    return INT64_MAX;
  if (t->o->rate > 0)
    return t->began + (int64_t)((double)t->due_count * t->step);
  return t->queue_len > 0 ? 0 : INT64_MAX;
}

void traffic_publish(struct traffic *t)
{
  struct publisher *p;
  int64_t now, due;

  if (t->o->rate <= 0 && t->queue_len == 0)
    return;
  now = bench_now();
  if (t->o->rate > 0) {
    while (!t->broken && (due = traffic_due(t)) <= now)
      publish(t, &t->publishers[t->due_count++ % t->publisher_count], due);
    return;
  }
  for (size_t turns = t->queue_len; turns > 0 && !t->broken; turns--) {
    p = &t->publishers[t->queue[t->queue_head]];
    p->queued = false;
    t->queue_len--;
    if (++t->queue_head == t->publisher_count)
      t->queue_head = 0;
    for (int i = 0; i < TURN_MAX && p->sent - p->done < t->window; i++)
      publish(t, p, now);
    if (p->sent - p->done < t->window)
      queue_add(t, p);
  }
}

/* ---- arrivals ---- */

/* Not the message that was to be next: too early, or one from before. False
 * when it has come already. */
static bool out_of_turn(struct traffic *t, struct track *track,
                        uint32_t sequence)
{
  struct bench_result *r = t->result;
  uint32_t distance;

  if (sequence > track->next) {
    distance = sequence - track->next + 1;
    track->seen = distance < 64 ? track->seen << distance | 1 : 1;
    track->next = sequence + 1;
    traffic_bad(t, "message %u came before %u", sequence,
                sequence - distance + 1);
    return true;
  }
  distance = track->next - 1 - sequence;
  if (distance < 64 && (track->seen >> distance & 1) == 0) {
    track->seen |= UINT64_C(1) << distance;
    r->reordered++;
    return true;
  }
  r->duplicated++;
  traffic_bad(t, "message %u came twice", sequence);
  return false;
}

static inline void arrived(struct traffic *t, struct publisher *p,
                           struct track *track, uint32_t sequence,
                           int64_t stamp, int64_t now)
{
  uint32_t slot = sequence & t->ring;

  if (LIKELY(sequence == track->next)) {
    track->next++;
    track->seen = track->seen << 1 | 1;
  } else if (!out_of_turn(t, track, sequence)) {
    return;
  }
  t->result->received++;
  if (t->measuring) {
    t->result->measured++;
    histogram_add(&t->latency, now - stamp);
  }
  if (p->counts == NULL || ++p->counts[slot] != t->receivers)
    return;
  p->counts[slot] = 0;
  if (sequence >= p->done)
    p->done = sequence + 1;
  queue_add(t, p);
}

const char *body_find(const struct traffic *t, struct client *c,
                      const char *text, size_t len)
{
  const char *at;

  /* Where the last one stood: only what is in front may change. */
  if (c->hint + (size_t)t->o->size <= len &&
      memcmp(text + c->hint, mark, MARK_LEN) == 0)
    return text + c->hint;
  at = memmem(text, len, mark, MARK_LEN);
  if (at != NULL)
    c->hint = (unsigned)(at - text);
  return at;
}

void body_arrived(struct traffic *t, struct client *c, const char *body,
                  size_t left, int64_t now)
{
  size_t size = (size_t)t->o->size;
  uint32_t number, sequence, high, low;
  struct publisher *p;

  if (left < size ||
      memcmp(body + FILLING_AT, t->filling, size - FILLING_AT) != 0 ||
      !digits_read(body + NUMBER_AT, &number) ||
      !digits_read(body + SEQUENCE_AT, &sequence) ||
      !digits_read(body + STAMP_AT, &high) ||
      !digits_read(body + STAMP_AT + 8, &low) || number >= t->publisher_count ||
      sequence >= t->publishers[number].sent) {
    traffic_corrupted(t, "a message was changed on its way");
    return;
  }
  p = &t->publishers[number];
  if (c->tracks == NULL || p->client->group != c->group) {
    traffic_corrupted(t, "a message came to a client of another group");
    return;
  }
  arrived(t, p, &c->tracks[number % t->per_group], sequence,
          (int64_t)((uint64_t)high << 32 | low), now);
}

void ack_arrived(struct traffic *t, struct client *c, uint64_t id, int64_t now)
{
  struct publisher *p = c->publisher;
  uint64_t sequence = id - ACK_FIRST;

  if (p == NULL || p->stamps == NULL || id < ACK_FIRST || sequence >= p->sent)
    traffic_corrupted(t, "an ack came for what was not published");
  else
    arrived(t, p, c->tracks, (uint32_t)sequence, p->stamps[sequence & t->ring],
            now);
}
