/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "conn/close.h"
#include "conn/deliver.h"
#include "conn/inbound.h"
#include "conn/plugin_timer.h"
#include "conn/session.h"
#include "host/contract.h"
#include "host/host.h"
#include "http/server.h"

static struct wps_str id(const struct wps_conn *c)
{
  CONTRACT_CONN(c, "conn->id");
  return conn_id(c);
}

static struct wps_str hub(const struct wps_conn *c)
{
  CONTRACT_CONN(c, "conn->hub");
  return conn_hub_name(c);
}

static struct wps_str user(const struct wps_conn *c)
{
  CONTRACT_CONN(c, "conn->user");
  return conn_user(c);
}

static struct wps_str subprotocol(const struct wps_conn *c)
{
  CONTRACT_CONN(c, "conn->subprotocol");
  return conn_subprotocol(c);
}

static struct wps_str remote(const struct wps_conn *c)
{
  CONTRACT_CONN(c, "conn->remote");
  return conn_remote(c);
}

static uint32_t state(const struct wps_conn *c)
{
  CONTRACT_CONN(c, "conn->state");
  return c->state;
}

static struct wps_worker *worker(const struct wps_conn *c)
{
  return c->worker;
}

static void *own(const struct wps_conn *c)
{
  CONTRACT_CONN(c, "conn->own");
  return c->own;
}

static struct wps_conn_ref ref(const struct wps_conn *c)
{
  CONTRACT_CONN(c, "conn->ref");
  return conn_ref(c);
}

static int post(struct wps_conn_ref to, wps_conn_fn fn, void *arg)
{
  return conn_post(host_context()->workers, to, fn, arg);
}

static int send_frame(struct wps_conn *c, struct wps_frame *frame)
{
  CONTRACT_CONN(c, "conn->send");
  return conn_send(c, frame);
}

static int send_bytes(struct wps_conn *c, uint32_t opcode,
                      struct wps_bytes bytes)
{
  struct wps_part part = {NULL, bytes};

  CONTRACT_CONN(c, "conn->send_bytes");
  return conn_send_parts(c, opcode, &part, 1);
}

static int send_parts(struct wps_conn *c, uint32_t opcode,
                      const struct wps_part *parts, size_t part_count)
{
  CONTRACT_CONN(c, "conn->send_parts");
  return conn_send_parts(c, opcode, parts, part_count);
}

static size_t queued_bytes(const struct wps_conn *c)
{
  CONTRACT_CONN(c, "conn->queued_bytes");
  return c->out.bytes;
}

static int deliver(struct wps_conn *c, struct wps_message *msg)
{
  CONTRACT_CONN(c, "conn->deliver");
  return conn_deliver_one(c, msg);
}

static void close_conn(struct wps_conn *c, uint16_t code, struct wps_str reason)
{
  CONTRACT_CONN(c, "conn->close");
  conn_close(c, code, reason);
}

static void hold(struct wps_conn *c, bool on)
{
  CONTRACT_CONN(c, "conn->hold");
  inbound_hold(c, CONN_HELD_PLUGIN, on);
}

static struct wps_timer *timer_begin(struct wps_conn *c, uint64_t delay_ms,
                                     uint64_t repeat_ms, wps_conn_fn fn,
                                     void *arg)
{
  CONTRACT_CONN(c, "conn->timer_start");
  return plugin_timer_start_conn(c, delay_ms, repeat_ms, fn, arg);
}

static int enable(struct wps_conn *c, const struct wps_session *opts)
{
  CONTRACT_CONN(c, "conn->session_enable");
  return (c->flags & CONN_PEER) != 0 ? WPS_EINVAL : session_enable(c, opts);
}

static struct wps_str token(const struct wps_conn *c)
{
  CONTRACT_CONN(c, "conn->session_token");
  /* The connection is ours; the plugin sees it as const. */
  return session_token((struct wps_conn *)(uintptr_t)c);
}

static int ack(struct wps_conn *c, uint64_t sequence)
{
  CONTRACT_CONN(c, "conn->session_ack");
  if (c->session == NULL)
    return WPS_EINVAL;
  session_ack(c, sequence);
  return WPS_OK;
}

static bool allowed(const struct wps_conn *c, uint32_t action,
                    struct wps_str group)
{
  CONTRACT_CONN(c, "conn->allowed");
  return roles_allow(&c->roles, action, group);
}

static void accept_peer(struct wps_instance *self, struct wps_reply *reply,
                        const struct wps_accept *how)
{
  http_respond_accept(self, reply, how);
}

const struct wps_conn_api host_conn_api = {
    .struct_size = sizeof(host_conn_api),
    .id = id,
    .hub = hub,
    .user = user,
    .subprotocol = subprotocol,
    .remote = remote,
    .state = state,
    .worker = worker,
    .own = own,
    .ref = ref,
    .find = conn_find,
    .post = post,
    .send = send_frame,
    .send_bytes = send_bytes,
    .send_parts = send_parts,
    .queued_bytes = queued_bytes,
    .deliver = deliver,
    .close = close_conn,
    .hold = hold,
    .timer_start = timer_begin,
    .timer_stop = plugin_timer_stop,
    .session_enable = enable,
    .session_token = token,
    .session_ack = ack,
    .allowed = allowed,
    .accept = accept_peer,
};
