/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/options.h"

#include <stdatomic.h>
#include <string.h>

static uint32_t number(const struct wps_config *cfg, const char *key)
{
  return (uint32_t)wps->config->get_int(cfg, key);
}

static size_t size(const struct wps_config *cfg, const char *key)
{
  return (size_t)wps->config->get_int(cfg, key);
}

void azure_rules_read(const struct wps_config *cfg, struct wps_instance *self,
                      const struct azure_writer *writer,
                      _Atomic size_t *waiting, struct azure_rules *out)
{
  memset(out, 0, sizeof(*out));
  atomic_init(waiting, 0);
  out->self = self;
  out->writer = writer;
  out->ack_window = number(cfg, "ack_memory");
  out->waiting_max = number(cfg, "event_queue");
  out->waiting_bytes_max = size(cfg, "event_queue_bytes");
  out->waiting_total_max = size(cfg, "event_queue_total");
  out->waiting_total = waiting;
  out->drop_on_event_failure =
      wps->config->get_bool(cfg, "drop_on_event_failure");
  out->streams_max = number(cfg, "streams");
  out->stream_idle_ms = number(cfg, "stream_idle");
  out->stream_ack_ms = number(cfg, "stream_ack_delay");
  out->stream_ack_every = number(cfg, "stream_ack_every");
  out->invocations_max = number(cfg, "invocations");
  out->session = (struct wps_session){
      .struct_size = sizeof(out->session),
      .retain_ms = number(cfg, "session_retain"),
      .max_messages = number(cfg, "session_messages"),
      .max_bytes = size(cfg, "session_bytes"),
      .replaced_code = 1008,
      .replaced_reason = WPS_STR_INIT("Replaced by a newer connection.")};
}
