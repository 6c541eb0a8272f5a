/* SPDX-License-Identifier: Apache-2.0 */
/* subprotocol-json.c - json.webpubsub.azure.v1 and its reliable sister: two
 * names and two variants of one component. What requests mean is in
 * plugins/common/azure; here is how it looks.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include <webpubsub/plugin.h>

#include "plugins/common/azure/client.h"
#include "plugins/common/azure/handshake.h"
#include "plugins/common/azure/names.h"
#include "plugins/subprotocol-json/parse.h"
#include "plugins/subprotocol-json/write.h"

static const char plain_name[] = "json.webpubsub.azure.v1";
static const char reliable_name[] = "json.reliable.webpubsub.azure.v1";

static const struct wps_config_item items[] = {
    {.key = "session_retain",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "30s",
     .min = 1,
     .max = 3600 * 1000,
     .help = "how long a reliable client may be away"},
    {.key = "session_messages",
     .type = WPS_CONF_INT,
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .help = "messages that a reliable client may leave unacknowledged"},
    {.key = "session_bytes",
     .type = WPS_CONF_SIZE_BYTES,
     .fallback = "16m",
     .min = 1024,
     .max = INT64_C(1) << 40,
     .help = "their bytes"},
    {.key = "ack_memory",
     .type = WPS_CONF_INT,
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .help = "successful ack ids that are remembered for each client"},
    {.key = "event_queue",
     .type = WPS_CONF_INT,
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .help = "requests of one client that may wait behind an event; while "
             "there are so many, nothing is read from the client"},
    {.key = "event_queue_bytes",
     .type = WPS_CONF_SIZE_BYTES,
     .fallback = "1m",
     .min = 1024,
     .max = INT64_C(1) << 32,
     .help = "their bytes"},
    {.key = "event_queue_total",
     .type = WPS_CONF_SIZE_BYTES,
     .fallback = "256m",
     .min = 1024 * 1024,
     .max = INT64_C(1) << 40,
     .help = "the bytes of all clients together; over it, nothing is read from "
             "those that have requests waiting"},
    {.key = "drop_on_event_failure",
     .type = WPS_CONF_BOOL,
     .fallback = "false",
     .help = "close a client (1011) when an event that it sent without an "
             "ackId fails"},
};
static const struct wps_config_schema schema = WPS_CONFIG_SCHEMA(items);

struct instance {
  struct azure_rules rules; /* first: what callbacks get as inst */
  _Atomic size_t waiting;
};

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  struct instance *p = calloc(1, sizeof(*p));
  struct azure_rules *rules = p != NULL ? &p->rules : NULL;

  (void)old;
  if (rules == NULL)
    return WPS_ENOMEM;
  atomic_init(&p->waiting, 0);
  rules->waiting_total = &p->waiting;
  rules->waiting_total_max =
      (size_t)wps->config->get_int(cfg, "event_queue_total");
  rules->self = self;
  rules->writer = &json_writer;
  rules->ack_window = (uint32_t)wps->config->get_int(cfg, "ack_memory");
  rules->waiting_max = (uint32_t)wps->config->get_int(cfg, "event_queue");
  rules->waiting_bytes_max =
      (size_t)wps->config->get_int(cfg, "event_queue_bytes");
  rules->drop_on_event_failure =
      wps->config->get_bool(cfg, "drop_on_event_failure");
  rules->session = (struct wps_session){
      .struct_size = sizeof(rules->session),
      .retain_ms = (uint32_t)wps->config->get_int(cfg, "session_retain"),
      .max_messages = (uint32_t)wps->config->get_int(cfg, "session_messages"),
      .max_bytes = (uint64_t)wps->config->get_int(cfg, "session_bytes"),
      .replaced_code = 1008,
      .replaced_reason = WPS_STR_INIT("Replaced by a newer connection.")};
  *inst = rules;
  return WPS_OK;
}

static int negotiate(void *inst, const struct wps_request *req,
                     struct wps_str name, struct wps_negotiation *out)
{
  static const struct wps_str reliable = {reliable_name,
                                          sizeof(reliable_name) - 1};

  (void)inst;
  out->variant = azure_equal_fold(name, reliable) ? JSON_RELIABLE : JSON_PLAIN;
  return azure_negotiate(
      req, out->variant == JSON_RELIABLE ? AZURE_RELIABLE : AZURE_PLAIN, out);
}

static int open_client(void *inst, struct wps_conn *conn,
                       const struct wps_hello *hello, void **state)
{
  struct azure_client *client = malloc(sizeof(*client));
  int rc;

  if (client == NULL)
    return WPS_ENOMEM;
  rc = azure_client_open(client, inst, conn, hello->variant == JSON_RELIABLE);
  if (rc != WPS_OK) {
    azure_client_clear(client);
    free(client);
    return rc;
  }
  *state = client;
  return WPS_OK;
}

static int frame(struct wps_conn *conn, void *state, uint32_t opcode,
                 struct wps_bytes data)
{
  static const struct wps_str not_text =
      WPS_STR_INIT("Only text messages are allowed.");
  static const struct wps_str malformed =
      WPS_STR_INIT("The client message is not a valid JSON protocol message.");
  struct azure_client *client = state;
  struct json_parse parse;
  int rc;

  if (opcode != WPS_TEXT) {
    azure_client_close(client, conn, 1003, not_text);
    return WPS_OK;
  }
  rc = json_parse(&parse, (struct wps_str){data.ptr, data.len});
  if (rc == WPS_OK) {
    rc = azure_client_request(client, conn, &parse.req);
  } else if (rc == WPS_EPROTO) {
    azure_client_close(client, conn, 1007, malformed);
    rc = WPS_OK;
  }
  json_parse_free(&parse);
  return rc;
}

static int encode(void *inst, const struct wps_message *msg, uint32_t variant,
                  struct wps_frame **out)
{
  (void)inst;
  return json_write_message(msg, variant, out);
}

static int deliver(struct wps_conn *conn, void *state,
                   const struct wps_delivery *d)
{
  (void)state;
  return json_write_delivery(conn, d);
}

static int detached(struct wps_conn *conn, void *state, uint16_t code)
{
  (void)conn, (void)state;
  return azure_client_detached(code);
}

static int resumed(struct wps_conn *conn, void *state,
                   const struct wps_resume *how)
{
  (void)how;
  return azure_client_resumed(state, conn);
}

static void closing(struct wps_conn *conn, void *state, struct wps_closing *how)
{
  azure_client_closing(state, conn, how);
}

static void close_client(struct wps_conn *conn, void *state, uint16_t code,
                         struct wps_str reason)
{
  (void)code, (void)reason;
  azure_client_end(state, conn);
  azure_client_clear(state);
  free(state);
}

static const char *const names[] = {plain_name, reliable_name, NULL};

static const struct wps_subprotocol ops = {.struct_size = sizeof(ops),
                                           .names = names,
                                           .negotiate = negotiate,
                                           .open = open_client,
                                           .frame = frame,
                                           .encode = encode,
                                           .deliver = deliver,
                                           .detached = detached,
                                           .resumed = resumed,
                                           .closing = closing,
                                           .close = close_client};

static const struct wps_component component = {
    .struct_size = sizeof(component),
    .kind = WPS_KIND_SUBPROTOCOL,
    .name = "json",
    .summary = "Azure Web PubSub clients in JSON, plain and reliable",
    .schema = &schema,
    .create = create,
    .destroy = free,
    .ops.subprotocol = &ops};

WPS_PLUGIN("subprotocol-json", "1.0", "Apache-2.0", &component);
