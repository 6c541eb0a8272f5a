/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the keys that all subprotocols of the Azure family have, and the
 * rules they make.
 */
#ifndef WPS_AZURE_OPTIONS_H
#define WPS_AZURE_OPTIONS_H

#include <webpubsub/config.h>

#include "plugins/common/azure/client.h"

/* Items for the array of a schema, first in it. `early_names` is for the
 * plugin itself. */
#define AZURE_OPTION_ITEMS                                                     \
  {.key = "session_retain",                                                    \
   .type = WPS_CONF_DURATION_MS,                                               \
   .fallback = "30s",                                                          \
   .min = 1,                                                                   \
   .max = 3600 * 1000,                                                         \
   .help = "how long a reliable client may be away"},                          \
      {.key = "session_messages",                                              \
       .type = WPS_CONF_INT,                                                   \
       .fallback = "1000",                                                     \
       .min = 1,                                                               \
       .max = 1000000,                                                         \
       .help = "messages that a reliable client may leave unacknowledged"},    \
      {.key = "session_bytes",                                                 \
       .type = WPS_CONF_SIZE_BYTES,                                            \
       .fallback = "16m",                                                      \
       .min = 1024,                                                            \
       .max = INT64_C(1) << 40,                                                \
       .help = "their bytes"},                                                 \
      {.key = "ack_memory",                                                    \
       .type = WPS_CONF_INT,                                                   \
       .fallback = "1000",                                                     \
       .min = 1,                                                               \
       .max = 1000000,                                                         \
       .help = "successful ack ids that are remembered for each client"},      \
      {.key = "event_queue",                                                   \
       .type = WPS_CONF_INT,                                                   \
       .fallback = "1000",                                                     \
       .min = 1,                                                               \
       .max = 1000000,                                                         \
       .help = "requests of one client that may wait behind an event; while "  \
               "there are so many, nothing is read from the client"},          \
      {.key = "event_queue_bytes",                                             \
       .type = WPS_CONF_SIZE_BYTES,                                            \
       .fallback = "1m",                                                       \
       .min = 1024,                                                            \
       .max = INT64_C(1) << 32,                                                \
       .help = "their bytes"},                                                 \
      {.key = "event_queue_total",                                             \
       .type = WPS_CONF_SIZE_BYTES,                                            \
       .fallback = "256m",                                                     \
       .min = 1024 * 1024,                                                     \
       .max = INT64_C(1) << 40,                                                \
       .help = "the bytes of all clients together; over it, nothing is read "  \
               "from those that have requests waiting"},                       \
      {.key = "drop_on_event_failure",                                         \
       .type = WPS_CONF_BOOL,                                                  \
       .fallback = "false",                                                    \
       .help = "close a client (1011) when an event that it sent without an "  \
               "ackId fails"},                                                 \
      {.key = "streams",                                                       \
       .type = WPS_CONF_INT,                                                   \
       .fallback = "100",                                                      \
       .min = 0,                                                               \
       .max = 1000,                                                            \
       .help = "streams that one client may have open"},                       \
      {.key = "stream_idle",                                                   \
       .type = WPS_CONF_DURATION_MS,                                           \
       .fallback = "5m",                                                       \
       .min = 1,                                                               \
       .max = 24 * 3600 * 1000,                                                \
       .help = "a stream ends when nothing has come for so long, unless its "  \
               "start says how long"},                                         \
      {.key = "stream_ack_delay",                                              \
       .type = WPS_CONF_DURATION_MS,                                           \
       .fallback = "20ms",                                                     \
       .min = 0,                                                               \
       .max = 100,                                                             \
       .help = "how long the acknowledgement of a fragment may wait for "      \
               "others"},                                                      \
      {.key = "stream_ack_every",                                              \
       .type = WPS_CONF_INT,                                                   \
       .fallback = "16",                                                       \
       .min = 1,                                                               \
       .max = 1000,                                                            \
       .help = "fragments after which it waits no longer"},                    \
      {.key = "invocations",                                                   \
       .type = WPS_CONF_INT,                                                   \
       .fallback = "100",                                                      \
       .min = 0,                                                               \
       .max = 10000,                                                           \
       .help = "invocations that one client may have under way"},              \
  {                                                                            \
    .key = "early_names", .type = WPS_CONF_BOOL, .fallback = "false",          \
    .help = "also take the subprotocol's name of before its first version"     \
  }

/* `waiting` lives as long as the rules. Thread: main. */
void azure_rules_read(const struct wps_config *cfg, struct wps_instance *self,
                      const struct azure_writer *writer,
                      _Atomic size_t *waiting, struct azure_rules *out);

#endif
