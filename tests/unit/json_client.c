/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/json_client.h"

#include <check.h>
#include <string.h>

#include <webpubsub/plugin.h>

extern const struct wps_plugin webpubsub_plugin_v1;

const struct wps_subprotocol *ops;
void *inst;
struct wps_conn *conn;

static void setup_variant(uint32_t variant)
{
  const struct wps_component *c = webpubsub_plugin_v1.components[0];

  *webpubsub_plugin_v1.host = &fake_host;
  ops = c->ops.subprotocol;
  ck_assert_int_eq(c->create(NULL, NULL, NULL, &inst), WPS_OK);
  conn = fake_conn(ops, inst, variant, "alice", NULL);
  ck_assert_ptr_nonnull(conn);
  ck_assert_ptr_nonnull(fake_sent(conn));
}

void setup(void)
{
  setup_variant(PLAIN);
}

void setup_reliable(void)
{
  setup_variant(RELIABLE);
}

void teardown(void)
{
  if (conn != NULL)
    fake_gone(conn);
  conn = NULL;
  webpubsub_plugin_v1.components[0]->destroy(inst);
  fake_reset();
}

void frame(const char *text)
{
  ck_assert_int_eq(fake_frame(conn, text), WPS_OK);
}

void sends(const char *want)
{
  const char *got = fake_sent(conn);

  if (want == NULL)
    ck_assert_msg(got == NULL, "sent %s", got);
  else
    ck_assert_msg(got != NULL && strcmp(got, want) == 0, "sent %s\nnot %s", got,
                  want);
}

const struct fake_asked *asked(size_t index, uint32_t what, const char *name)
{
  ck_assert_uint_lt(index, fake.asked_count);
  ck_assert_uint_eq(fake.asked[index].what, what);
  ck_assert_str_eq(fake.asked[index].name, name);
  return &fake.asked[index];
}

const struct wps_message_info *payload(size_t index, uint32_t type,
                                       const char *data, size_t len)
{
  const struct wps_message_info *info;

  ck_assert_ptr_nonnull(fake.asked[index].msg);
  info = wps->message->info(fake.asked[index].msg);
  ck_assert_uint_eq(info->data_type, type);
  ck_assert_uint_eq(info->data.len, len);
  if (len > 0)
    ck_assert_mem_eq(info->data.ptr, data, len);
  return info;
}

const char *encoded(const struct wps_message_info *info, uint32_t variant)
{
  static char text[4096];
  struct wps_message *msg = wps->message->create(info);
  struct wps_frame *f;
  struct wps_bytes bytes;

  ck_assert_int_eq(ops->encode(inst, msg, variant, &f), WPS_OK);
  bytes = wps->message->frame_bytes(f);
  ck_assert_uint_lt(bytes.len, sizeof(text));
  memcpy(text, bytes.ptr, bytes.len);
  text[bytes.len] = '\0';
  wps->message->frame_unref(f);
  wps->message->unref(msg);
  return text;
}

struct wps_event_answer answer_of(uint32_t type, const char *body)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = type,
                                  .data = {body, strlen(body)},
                                  .from = WPS_FROM_SERVER};
  struct wps_event_answer a = {.struct_size = sizeof(a),
                               .msg = wps->message->create(&info)};

  return a;
}
