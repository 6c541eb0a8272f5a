/* SPDX-License-Identifier: Apache-2.0 */
/* subprotocol-json.c - json.webpubsub.azure.v1 and its reliable sister: names
 * and variants of one component. What requests mean is in plugins/common/azure;
 * here is how it looks.
 */
#include <stdlib.h>

#include <webpubsub/plugin.h>

#include "plugins/common/azure/handshake.h"
#include "plugins/common/azure/names.h"
#include "plugins/common/azure/options.h"
#include "plugins/subprotocol-json/client.h"
#include "plugins/subprotocol-json/parse.h"
#include "plugins/subprotocol-json/write.h"

static const char plain_name[] = "json.webpubsub.azure.v1";
static const char reliable_name[] = "json.reliable.webpubsub.azure.v1";
static const char early_name[] = "json.webpubsub.azure";

static const struct wps_config_item items[] = {
    AZURE_OPTION_ITEMS,
    {.key = "python_delay",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "20ms",
     .min = 0,
     .max = 10000,
     .help = "how long the answer to a handshake and acks to the client SDK "
             "for Python wait, whose blocking form misses what comes at once "
             "and then stands still for 30 s; 0: not at all"},
};
static const struct wps_config_schema schema = WPS_CONFIG_SCHEMA(items);

struct instance {
  struct azure_rules rules; /* first: what callbacks get as inst */
  struct azure_rules late;  /* the same, for clients with late acks */
  uint32_t late_ms;
  _Atomic size_t waiting;
  bool early_names;
};

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  struct instance *p = calloc(1, sizeof(*p));

  (void)old;
  if (p == NULL)
    return WPS_ENOMEM;
  azure_rules_read(cfg, self, &json_writer, &p->waiting, &p->rules);
  p->late = p->rules;
  p->late.writer = &json_writer_late;
  p->late_ms = (uint32_t)wps->config->get_int(cfg, "python_delay");
  p->early_names = wps->config->get_bool(cfg, "early_names");
  *inst = p;
  return WPS_OK;
}

static bool is(struct wps_str name, const char *text, size_t size)
{
  return azure_equal_fold(name, (struct wps_str){text, size - 1});
}

static int negotiate(void *inst, const struct wps_request *req,
                     struct wps_str name, struct wps_negotiation *out)
{
  const struct instance *p = inst;
  bool reliable = is(name, reliable_name, sizeof(reliable_name));

  if (!p->early_names && is(name, early_name, sizeof(early_name)))
    return WPS_ENOTSUP;
  if (p->late_ms > 0 && json_late_wanted(req))
    out->delay_ms = p->late_ms;
  out->variant = reliable ? JSON_RELIABLE : JSON_PLAIN;
  return azure_negotiate(req, reliable ? AZURE_RELIABLE : AZURE_PLAIN, out);
}

static void free_client(struct json_client *client)
{
  azure_client_clear(&client->azure);
  if (client->late != NULL)
    json_late_clear(client->late);
  free(client->late);
  free(client);
}

static int open_client(void *inst, struct wps_conn *conn,
                       const struct wps_hello *hello, void **state)
{
  const struct instance *p = inst;
  struct json_client *client = malloc(sizeof(*client));
  int rc;

  if (client == NULL)
    return WPS_ENOMEM;
  client->early = is(hello->selected, early_name, sizeof(early_name));
  client->late = NULL;
  if (p->late_ms > 0 && json_late_wanted(hello->req)) {
    client->late = calloc(1, sizeof(*client->late));
    if (client->late == NULL) {
      free(client);
      return WPS_ENOMEM;
    }
    client->late->delay_ms = p->late_ms;
  }
  rc = azure_client_open(&client->azure,
                         client->late != NULL ? &p->late : &p->rules, conn,
                         hello->variant == JSON_RELIABLE);
  if (rc != WPS_OK) {
    free_client(client);
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
  struct json_client *client = state;
  struct json_parse parse;
  int rc;

  if (opcode != WPS_TEXT) {
    azure_client_close(&client->azure, conn, 1003, not_text);
    return WPS_OK;
  }
  rc = json_parse(&parse, (struct wps_str){data.ptr, data.len}, client->early);
  if (rc == WPS_OK) {
    rc = azure_client_request(&client->azure, conn, &parse.req);
  } else if (rc == WPS_EPROTO) {
    azure_client_close(&client->azure, conn, 1007, malformed);
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
  return azure_client_detached(state, conn, code);
}

static int resumed(struct wps_conn *conn, void *state,
                   const struct wps_resume *how)
{
  (void)how;
  return azure_client_resumed(state, conn);
}

static void closing(struct wps_conn *conn, void *state, struct wps_closing *how)
{
  struct json_client *client = state;

  if (client->late != NULL)
    json_late_flush(client->late, conn);
  azure_client_closing(&client->azure, conn, how);
}

static void close_client(struct wps_conn *conn, void *state, uint16_t code,
                         struct wps_str reason)
{
  (void)code, (void)reason;
  azure_client_end(state, conn);
  free_client(state);
}

static const char *const names[] = {plain_name, reliable_name, early_name,
                                    NULL};

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
