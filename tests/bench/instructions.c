/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed work for callgrind, which instructions.py runs and counts.
 *
 *   instructions --list        lines of NAME, COUNT, PER and what is counted
 *   instructions NAME COUNT    does it; PER times COUNT units
 *
 * WEBPUBSUBD_PLUGIN_DIR says where the plugins are. What the clients get is
 * checked, so that nothing is cheap because it failed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "msg/message.h"
#include "tests/bench/instructions_rig.h"

#define PAYLOAD                                                                \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"           \
  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PUBLISH(group)                                                         \
  "{\"type\":\"sendToGroup\",\"group\":\"" group "\",\"noEcho\":true,"         \
  "\"dataType\":\"text\",\"data\":\"" PAYLOAD "\"}"

enum {
  WINDOW = 16,   /* frames in one read */
  ROUNDS = 16,   /* turns of a fan-out */
  WARM_UP = 8,   /* turns before the first that counts */
  ACKS = 1100,   /* more than ack_memory: it is full when counting begins */
  ACK_EVERY = 4, /* rounds of WINDOW: one sequenceAck for 64 messages */
  MEMBERS_MAX = 512,
  FRAMES_MAX = 8192
};

static const char json[] = "json.webpubsub.azure.v1";
static const char reliable[] = "json.reliable.webpubsub.azure.v1";

static size_t publishes(unsigned char *out, const char *text, size_t count)
{
  size_t len = 0;

  while (count-- > 0)
    len += rig_frame(out + len, text);
  return len;
}

/* ---- one client ---- */

/* 16 messages in one read, to a group that nobody is in. */
static void publish(size_t count)
{
  unsigned char frames[FRAMES_MAX];
  size_t len = publishes(frames, PUBLISH("empty"), WINDOW);
  int fd = rig_client(json);

  for (size_t i = 0; i < WARM_UP; i++) {
    rig_say(fd, frames, len);
    rig_turn();
  }
  for (size_t i = 0; i < count; i++) {
    rig_say(fd, frames, len);
    rig_measured_turn();
  }
  rig_expect(fd, "{", 0);
  close(fd);
}

/* One message in a read, and its ack. */
static void round_trip(size_t count)
{
  char text[512];
  int fd = rig_client(json);

  for (size_t i = 0; i < ACKS + count; i++) {
    snprintf(text, sizeof(text),
             "{\"type\":\"sendToGroup\",\"group\":\"empty\",\"ackId\":%zu,"
             "\"noEcho\":true,\"dataType\":\"text\",\"data\":\"" PAYLOAD "\"}",
             100000 + i);
    rig_say_frame(fd, text);
    if (i < ACKS)
      rig_turn();
    else
      rig_measured_turn();
    rig_expect(fd, "\"success\":true", 1);
  }
  close(fd);
}

static void connect_one(void *arg)
{
  const struct wps_str *request = arg;
  int fd = rig_dial();

  rig_say(fd, request->ptr, request->len);
  rig_turn();
  rig_expect(fd, "\"event\":\"connected\"", 1);
  close(fd);
}

/* Accepted, the token checked, 101 and greeting written. */
static void handshake(size_t count)
{
  char text[2048];
  struct wps_str request = {text, rig_handshake(text, sizeof(text), json)};

  for (size_t i = 0; i < WARM_UP + count; i++) {
    if (i < WARM_UP)
      connect_one(&request);
    else
      measured(connect_one, &request);
    rig_turn(); /* it leaves */
  }
}

static void join_and_leave(void *arg)
{
  int fd = *(const int *)arg;

  rig_say_frame(fd, "{\"type\":\"joinGroup\",\"group\":\"bench\",\"ackId\":1}");
  rig_turn();
  rig_expect(fd, "\"success\":true", 1);
  close(fd);
  rig_turn();
}

/* To a group that has a member already. */
static void join_leave(size_t count)
{
  int fds[2];

  fds[0] = rig_client(json);
  rig_say_frame(fds[0], "{\"type\":\"joinGroup\",\"group\":\"bench\"}");
  rig_turn();
  for (size_t i = 0; i < WARM_UP + count; i++) {
    fds[1] = rig_client(json);
    if (i < WARM_UP)
      join_and_leave(&fds[1]);
    else
      measured(join_and_leave, &fds[1]);
  }
  close(fds[0]);
}

/* ---- a message as bytes ---- */

struct encoding_of {
  const struct wps_instance *instance;
  struct wps_message_info info;
};

static void encode_one(void *arg)
{
  struct encoding_of *e = arg;
  struct wps_message *msg = message_api.create(&e->info);
  struct wps_frame *frame;

  if (msg == NULL || message_frame(msg, e->instance, 0, &frame) != WPS_OK)
    rig_die("encode", "failed");
  message_unref(msg);
}

/* A message made, written, and freed. */
static void encode(const char *plugin, size_t count)
{
  struct encoding_of e = {.info = {.struct_size = sizeof(e.info),
                                   .data_type = WPS_DATA_TEXT,
                                   .data = {PAYLOAD, strlen(PAYLOAD)},
                                   .from = WPS_FROM_GROUP,
                                   .group = STR("bench"),
                                   .user = STR("alice")}};

  for (size_t i = 0; i < rig.instances.count; i++)
    if (strcmp(rig.instances.items[i]->name, plugin) == 0)
      e.instance = rig.instances.items[i];
  if (e.instance == NULL)
    rig_die(plugin, "not there");
  for (size_t i = 0; i < count; i++)
    measured(encode_one, &e);
}

static void encode_json(size_t count)
{
  encode("subprotocol-json", count);
}

static void encode_simple(size_t count)
{
  encode("subprotocol-simple", count);
}

/* ---- many clients ---- */

static void join(int *fds, size_t count, const char *protocol)
{
  if (count > MEMBERS_MAX)
    rig_die("members", "too many");
  for (size_t i = 0; i < count; i++) {
    fds[i] = rig_client(protocol);
    rig_say_frame(fds[i],
                  "{\"type\":\"joinGroup\",\"group\":\"bench\",\"ackId\":1}");
    rig_turn();
    rig_expect(fds[i], "\"success\":true", 1);
  }
}

static void part(const int *fds, size_t count)
{
  for (size_t i = 0; i < count; i++)
    close(fds[i]);
}

/* ROUNDS turns, in each of which `window` messages come and go to all. */
static void fan_out(size_t count, size_t window, const char *protocol)
{
  unsigned char frames[FRAMES_MAX];
  char ack[64];
  size_t len = publishes(frames, PUBLISH("bench"), window);
  int from = rig_client(json), fds[MEMBERS_MAX];

  join(fds, count, protocol);
  for (size_t round = 1; round <= WARM_UP + ROUNDS; round++) {
    rig_say(from, frames, len);
    if (protocol == reliable && round % ACK_EVERY == 0) {
      snprintf(ack, sizeof(ack),
               "{\"type\":\"sequenceAck\",\"sequenceId\":%zu}",
               (round - 1) * window);
      for (size_t i = 0; i < count; i++)
        rig_say_frame(fds[i], ack);
    }
    if (round <= WARM_UP)
      rig_turn();
    else
      rig_measured_turn();
    for (size_t i = 0; i < count; i++)
      rig_expect(fds[i], PAYLOAD, window);
  }
  part(fds, count);
  close(from);
}

static void deliver(size_t count)
{
  fan_out(count, 1, json);
}

static void deliver_burst(size_t count)
{
  fan_out(count, WINDOW, json);
}

static void deliver_reliable(size_t count)
{
  fan_out(count, WINDOW, reliable);
}

/* ---- REST ---- */

static size_t rest_request(char *out, size_t size, const char *path,
                           const char *query)
{
  char token[1024];
  int len;

  rig_token(token, sizeof(token), path, "");
  len = snprintf(out, size,
                 "POST %s?api-version=2024-12-01%s HTTP/1.1\r\n"
                 "Host: pubsub.example.com\r\n"
                 "Authorization: Bearer %s\r\n"
                 "Content-Type: text/plain\r\n"
                 "Content-Length: %zu\r\n\r\n" PAYLOAD,
                 path, query, token, strlen(PAYLOAD));
  if (len < 0 || (size_t)len >= size)
    rig_die("a request", "too long");
  return (size_t)len;
}

static void requests(const char *path, const char *query, size_t turns,
                     size_t count)
{
  char text[2048];
  size_t len = rest_request(text, sizeof(text), path, query);
  int fd = rig_dial();

  for (size_t i = 0; i < WARM_UP + count; i++) {
    rig_say(fd, text, len);
    for (size_t turn = 0; turn < turns; turn++) {
      if (i < WARM_UP)
        rig_turn();
      else
        rig_measured_turn();
    }
    rig_expect(fd, "HTTP/1.1 202", 1);
  }
  close(fd);
}

static void rest_send(size_t count)
{
  requests("/api/hubs/bench/groups/empty/:send", "", 1, count);
}

/* All are asked, none of them is meant. They are looked at in pieces, and the
 * first of those has a turn of its own. */
static void filter(size_t count)
{
  int fds[MEMBERS_MAX];

  join(fds, count, json);
  requests("/api/hubs/bench/:send",
           "&filter=startswith(userId,%27bob%27)%20or%20"
           "(%27vip%27%20in%20groups%20and%20userId%20ne%20null)",
           2, ROUNDS);
  for (size_t i = 0; i < count; i++)
    rig_expect(fds[i], "{", 0);
  part(fds, count);
}

/* ---- the list ---- */

static const struct scenario {
  const char *name;
  void (*run)(size_t count);
  size_t count, per;
  const char *text;
} scenarios[] = {
    {"publish", publish, 16, WINDOW,
     "a JSON publish read and parsed, 16 in a read, nobody gets it"},
    {"round-trip", round_trip, 100, 1,
     "a JSON publish alone in its read, and its ack written"},
    {"encode-json", encode_json, 100, 1,
     "a message made, written as JSON, and freed"},
    {"encode-simple", encode_simple, 100, 1,
     "a message made, written as it is, and freed"},
    {"deliver", deliver, 50, ROUNDS,
     "a delivery to one JSON client, one a turn"},
    {"deliver-burst", deliver_burst, 50, ROUNDS *WINDOW,
     "a delivery to one JSON client, 16 a turn"},
    {"deliver-reliable", deliver_reliable, 50, ROUNDS *WINDOW,
     "the same, reliable JSON, an ack for each 64"},
    {"handshake", handshake, 50, 1,
     "accept, upgrade with a token of HS256, greeting"},
    {"join-leave", join_leave, 50, 1,
     "a client joins a group, gets its ack, and closes its socket"},
    {"rest-send", rest_send, 50, 1,
     "a send by REST to a group that nobody is in"},
    {"filter", filter, 50, ROUNDS,
     "a client looked at by the filter of a send by REST"},
};

int main(int argc, char **argv)
{
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
      printf("%s %zu %zu %s\n", scenarios[i].name, scenarios[i].count,
             scenarios[i].per, scenarios[i].text);
    return EXIT_SUCCESS;
  }
  for (size_t i = 0; argc == 3 && i < ARRAY_LEN(scenarios); i++)
    if (strcmp(argv[1], scenarios[i].name) == 0) {
      rig_start();
      scenarios[i].run((size_t)strtoul(argv[2], NULL, 10));
      rig_stop();
      return EXIT_SUCCESS;
    }
  fputs("usage: instructions --list | NAME COUNT\n", stderr);
  return 2;
}
