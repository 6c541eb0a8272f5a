/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that breaks one rule of the ABI for each word that a client says;
 * tests/abi/contracts.sh expects a debug build to notice. */
#include <pthread.h>
#include <string.h>

#include <webpubsub/plugin.h>

static struct wps_str text(const char *terminated)
{
  return (struct wps_str){terminated, strlen(terminated)};
}

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  (void)self;
  (void)old;
  *inst = (void *)(uintptr_t)cfg;
  return WPS_OK;
}

static void destroy(void *inst)
{
  (void)inst;
}

static int open_client(void *inst, struct wps_conn *conn,
                       const struct wps_hello *hello, void **state)
{
  (void)conn;
  (void)hello;
  *state = inst;
  return WPS_OK;
}

/* ---- the rules ---- */

static void *other_thread(void *conn)
{
  wps->conn->send_bytes(conn, WPS_TEXT, (struct wps_bytes){"x", 1});
  return NULL;
}

static void call_on_another_thread(struct wps_conn *conn)
{
  pthread_t thread;

  if (pthread_create(&thread, NULL, other_thread, conn) == 0)
    pthread_join(thread, NULL);
}

static void use_member_after_left(struct wps_conn *conn)
{
  struct wps_str group = text("g");
  struct wps_member *member;

  wps->hub->join(conn, group, NULL, NULL, NULL, 0);
  member = wps->hub->member(conn, group);
  wps->hub->leave(conn, group, NULL, NULL, 0);
  wps->hub->member_group(member);
}

static void drop_a_reference_too_many(void)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .data = {"x", 1},
                                  .from = WPS_FROM_SERVER};
  struct wps_message *msg = wps->message->create(&info);

  wps->message->unref(msg);
  wps->message->unref(msg);
}

static int frame(struct wps_conn *conn, void *state, uint32_t opcode,
                 struct wps_bytes data)
{
  const struct wps_config *cfg = state;

  (void)opcode;
  if (data.len == 6 && memcmp(data.ptr, "thread", 6) == 0)
    call_on_another_thread(conn);
  else if (data.len == 6 && memcmp(data.ptr, "member", 6) == 0)
    use_member_after_left(conn);
  else if (data.len == 5 && memcmp(data.ptr, "unref", 5) == 0)
    drop_a_reference_too_many();
  else if (data.len == 3 && memcmp(data.ptr, "key", 3) == 0)
    wps->config->get_int(cfg, "undeclared");
  return WPS_OK;
}

static int encode(void *inst, const struct wps_message *msg, uint32_t variant,
                  struct wps_frame **out)
{
  (void)inst;
  (void)msg;
  (void)variant;
  (void)out;
  return WPS_ENOTSUP;
}

static void close_client(struct wps_conn *conn, void *state, uint16_t code,
                         struct wps_str reason)
{
  (void)conn;
  (void)state;
  (void)code;
  (void)reason;
}

static const char *const names[] = {"old.v1", NULL};
static const struct wps_subprotocol subprotocol = {
    .struct_size = sizeof(subprotocol),
    .names = names,
    .open = open_client,
    .frame = frame,
    .encode = encode,
    .close = close_client,
};
static const struct wps_component subprotocol_component = {
    .struct_size = sizeof(subprotocol_component),
    .kind = WPS_KIND_SUBPROTOCOL,
    .name = "violate",
    .summary = "breaks rules",
    .create = create,
    .destroy = destroy,
    .ops.subprotocol = &subprotocol,
};

static void authenticate(void *inst, void *wstate, struct wps_request *req,
                         struct wps_reply *reply)
{
  struct wps_principal who = {.struct_size = sizeof(who)};

  (void)inst;
  (void)wstate;
  wps->auth->accept(reply, &who);
  if (wps->request->query(req, "twice").ptr != NULL)
    wps->reply->decline(reply);
}

static const struct wps_auth auth = {.struct_size = sizeof(auth),
                                     .authenticate = authenticate};
static const struct wps_component auth_component = {
    .struct_size = sizeof(auth_component),
    .kind = WPS_KIND_AUTH,
    .name = "violate",
    .summary = "answers twice",
    .create = create,
    .destroy = destroy,
    .ops.auth = &auth,
};

WPS_PLUGIN("violate", "1.0", "Apache-2.0", &subprotocol_component,
           &auth_component);
