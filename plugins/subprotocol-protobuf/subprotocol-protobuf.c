/* SPDX-License-Identifier: Apache-2.0 */
/* subprotocol-protobuf.c - protobuf.webpubsub.azure.v1 and its reliable sister:
 * two names and two variants of one component. What requests mean is in
 * plugins/common/azure; here is how it looks.
 */
#include <stdlib.h>

#include <webpubsub/plugin.h>

#include "plugins/common/azure/client.h"
#include "plugins/common/azure/handshake.h"
#include "plugins/common/azure/names.h"
#include "plugins/common/azure/options.h"
#include "plugins/subprotocol-protobuf/parse.h"
#include "plugins/subprotocol-protobuf/write.h"

static const char plain_name[] = "protobuf.webpubsub.azure.v1";
static const char reliable_name[] = "protobuf.reliable.webpubsub.azure.v1";
static const char early_name[] = "protobuf.webpubsub.azure";

static const struct wps_config_item items[] = {
    AZURE_OPTION_ITEMS,
    {.key = "json_as_text",
     .type = WPS_CONF_BOOL,
     .fallback = "false",
     .help = "show JSON to these clients as text, for those that do not know "
             "the field for JSON"},
};
static const struct wps_config_schema schema = WPS_CONFIG_SCHEMA(items);

struct instance {
  struct azure_rules rules; /* first: what callbacks get as inst */
  _Atomic size_t waiting;
  bool early_names;
  bool json_as_text;
};

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  struct instance *p = calloc(1, sizeof(*p));

  (void)old;
  if (p == NULL)
    return WPS_ENOMEM;
  p->early_names = wps->config->get_bool(cfg, "early_names");
  p->json_as_text = wps->config->get_bool(cfg, "json_as_text");
  azure_rules_read(cfg, self,
                   p->json_as_text ? &protobuf_text_writer : &protobuf_writer,
                   &p->waiting, &p->rules);
  *inst = p;
  return WPS_OK;
}

static bool is(struct wps_str name, const char *literal, size_t size)
{
  return azure_equal_fold(name, (struct wps_str){literal, size - 1});
}

static int negotiate(void *inst, const struct wps_request *req,
                     struct wps_str name, struct wps_negotiation *out)
{
  const struct instance *p = inst;

  if (is(name, early_name, sizeof(early_name)) && !p->early_names)
    return WPS_ENOTSUP;
  if (is(name, reliable_name, sizeof(reliable_name))) {
    out->variant = PROTOBUF_RELIABLE;
    return azure_negotiate(req, AZURE_RELIABLE, out);
  }
  out->variant = PROTOBUF_PLAIN;
  return azure_negotiate(req, AZURE_PLAIN, out);
}

static int open_client(void *inst, struct wps_conn *conn,
                       const struct wps_hello *hello, void **state)
{
  struct azure_client *client = malloc(sizeof(*client));
  int rc;

  if (client == NULL)
    return WPS_ENOMEM;
  rc = azure_client_open(client, inst, conn,
                         hello->variant == PROTOBUF_RELIABLE);
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
  static const struct wps_str not_binary =
      WPS_STR_INIT("Only binary messages are allowed.");
  static const struct wps_str malformed = WPS_STR_INIT(
      "The client message is not a valid protobuf protocol message.");
  struct azure_client *client = state;
  struct protobuf_parse parse;
  int rc;

  if (opcode != WPS_BINARY) {
    azure_client_close(client, conn, 1003, not_binary);
    return WPS_OK;
  }
  rc = protobuf_parse(&parse, data);
  if (rc == WPS_OK) {
    rc = azure_client_request(client, conn, &parse.req);
  } else if (rc == WPS_EPROTO) {
    azure_client_close(client, conn, 1007, malformed);
    rc = WPS_OK;
  }
  protobuf_parse_free(&parse);
  return rc;
}

static int encode(void *inst, const struct wps_message *msg, uint32_t variant,
                  struct wps_frame **out)
{
  const struct instance *p = inst;

  return protobuf_write_message(msg, variant, p->json_as_text, out);
}

static int deliver(struct wps_conn *conn, void *state,
                   const struct wps_delivery *d)
{
  (void)state;
  return protobuf_write_delivery(conn, d);
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
    .name = "protobuf",
    .summary = "Azure Web PubSub clients in Protocol Buffers, plain and "
               "reliable",
    .schema = &schema,
    .create = create,
    .destroy = free,
    .ops.subprotocol = &ops};

WPS_PLUGIN("subprotocol-protobuf", "1.0", "Apache-2.0", &component);
