/* SPDX-License-Identifier: Apache-2.0 */
/* parse_values.h - one property of a JSON client's message, or two that belong
 * together, to the fields of a request. Each takes what it knows out of `v`,
 * the values by their keys, and leaves the request alone where they are absent.
 * Errors of all: EPROTO (malformed), ENOMEM. Thread: any.
 */
#ifndef WPS_JSON_PARSE_VALUES_H
#define WPS_JSON_PARSE_VALUES_H

#include "plugins/common/json_scan.h"
#include "plugins/subprotocol-json/parse.h"

/* X(NAME, text): the properties that mean something, by their length. */
#define JSON_KEYS(X)                                                           \
  X(TYPE, "type")                                                              \
  X(DATA, "data")                                                              \
  X(GROUP, "group")                                                            \
  X(EVENT, "event")                                                            \
  X(ACK_ID, "ackId")                                                           \
  X(ERROR, "error")                                                            \
  X(STATE, "state")                                                            \
  X(NO_ECHO, "noEcho")                                                         \
  X(TARGET, "target")                                                          \
  X(STREAM, "stream")                                                          \
  X(PAYLOAD, "payload")                                                        \
  X(DATA_TYPE, "dataType")                                                     \
  X(METADATA, "metadata")                                                      \
  X(STREAM_ID, "streamId")                                                     \
  X(TTL, "ttlSeconds")                                                         \
  X(SEQUENCE_ID, "sequenceId")                                                 \
  X(INVOCATION_ID, "invocationId")                                             \
  X(STREAM_SEQUENCE_ID, "streamSequenceId")

enum {
#define X(name, text) KEY_##name,
  JSON_KEYS(X)
#undef X
      KEY_COUNT
};

static inline bool json_absent(const struct json_value *v)
{
  return v->type == 0 || v->type == SCAN_NULL;
}

int json_take_group(struct json_parse *p, const struct json_value *v);
int json_take_event(struct json_parse *p, const struct json_value *v);
int json_take_ack(struct json_parse *p, const struct json_value *v);
int json_take_ttl(struct json_parse *p, const struct json_value *v);
int json_take_echo(struct json_parse *p, const struct json_value *v);
int json_take_metadata(struct json_parse *p, const struct json_value *v);
int json_take_state(struct json_parse *p, const struct json_value *v);

/* dataType and data. Where there is metadata, which has been taken before, data
 * may be left out: then it is an empty text. */
int json_take_data(struct json_parse *p, const struct json_value *v);
/* The same where they come together or not at all. */
int json_take_data_pair(struct json_parse *p, const struct json_value *v);
/* A start has neither: who gives any has only to give it well-formed. */
int json_take_no_data(struct json_parse *p, const struct json_value *v);

/* A non-empty id of the client's own, of any length. */
int json_take_id(struct json_parse *p, const struct json_value *id);
/* Of a start only the id has to be usable; all else is a refused request, not
 * a malformed one. */
int json_take_stream(struct json_parse *p, const struct json_value *v);
int json_take_stream_error(struct json_parse *p, const struct json_value *v);

#endif
