/* SPDX-License-Identifier: Apache-2.0 */
/* What a group owes a client, in one piece that its socket takes only a part
 * of: the rest waits in its queue. */
#include "outbound_rig.h"

#include <check.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "conn/deliver.h"
#include "hub/pending.h"
#include "on_worker.h"
#include "plug/plugin.h"

static struct wps_conn *conn;

/* Messages without data are not for these clients. */
static int encode(void *inst, const struct wps_message *msg, uint32_t variant,
                  struct wps_frame **out)
{
  const struct wps_message_info *info = message_api.info(msg);

  UNUSED(inst);
  UNUSED(variant);
  if (info->data.len == 0)
    return WPS_ENOTSUP;
  *out = message_api.frame(WPS_BINARY, info->data);
  return *out != NULL ? WPS_OK : WPS_ENOMEM;
}

static const struct wps_subprotocol subprotocol = {
    .struct_size = sizeof(subprotocol), .encode = encode};
static const struct wps_component component = {.struct_size = sizeof(component),
                                               .kind = WPS_KIND_SUBPROTOCOL,
                                               .name = "test",
                                               .ops.subprotocol = &subprotocol};
static char name[] = "test";
static struct wps_instance instance = {.name = name, .component = &component};

static void begin(void *arg)
{
  int fds[2], size = 4096;

  UNUSED(arg);
  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  ck_assert_int_eq(
      setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
  peer = fds[1];
  stream = stream_new(fds[0], NULL);
  conn = calloc(1, sizeof(*conn));
  conn->worker = w;
  conn->instance = &instance;
  conn->ops = &subprotocol;
  conn->state = WPS_CONN_OPEN;
  conn->stream = stream;
  outbound_init(&conn->out, &conn_outbound_ops);
  conn->out.stream = stream;
  stream_attach(stream, w, &rig_stream_ops, &conn->out);
  w->conns->server->limits.queue_messages = 1000;
  w->conns->server->limits.queue_bytes = WIRE_MAX;
}

static void end(void *arg)
{
  UNUSED(arg);
  ck_assert_uint_eq(conn->out.count, 0);
  outbound_clear(&conn->out, w);
  free(conn);
}

static struct wps_message *message(size_t len)
{
  static char data[WIRE_MAX];
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_BINARY,
                                  .data = {data, len}};
  struct wps_message *m = message_api.create(&info);
  struct wps_frame *frame;

  ck_assert_ptr_nonnull(m);
  if (message_frame(m, &instance, 0, &frame) == WPS_OK)
    expect(frame_wire(frame), frame_wire_len(frame));
  return m;
}

static void send_pending(void *arg)
{
  static const size_t lengths[] = {0, 300, 400000, 0, 300, 0};
  struct pending_entry entries[ARRAY_LEN(lengths)];
  struct group g = {.count = 100};
  struct wps_member member = {.group = &g, .client = &conn->client};
  struct pending p = {
      .group = &g, .count = ARRAY_LEN(lengths), .entries = entries};

  UNUSED(arg);
  for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
    entries[i] = (struct pending_entry){message(lengths[i]), 1 + i};
  ck_assert(conn_send_pending(&conn->client, &member, &p));
  /* The 400000, of which a part is written, and the 300 behind it. */
  ck_assert_uint_eq(conn->out.count, 2);
  ck_assert_uint_gt(conn->out.sent, 0);
  ck_assert(conn->out.full);
  for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
    message_unref(entries[i].msg);
}

START_TEST(what_is_not_for_it_does_not_wait)
{
  on_worker(all, 0, begin, NULL);
  on_worker(all, 0, send_pending, NULL);
  receive_all();
  receive_nothing();
  on_worker(all, 0, end, NULL);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("deliver");
  TCase *tc = tcase_create("all");
  SRunner *runner;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
  tcase_add_test(tc, what_is_not_for_it_does_not_wait);
  suite_add_tcase(suite, tc);
  runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
