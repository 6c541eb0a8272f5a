/* SPDX-License-Identifier: Apache-2.0 */
/* msg/message.c - one block per message: header, strings, payload. */
#include "msg/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/quarantine.h"
#include "base/str.h"
#include "plug/plugin.h"

/* Written once by message_set_limit() before the threads start. */
static size_t data_limit = 1024 * 1024;

void message_set_limit(size_t data_max)
{
  data_limit = data_max;
}

struct wps_message *message_ref(struct wps_message *m)
{
  atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
  return m;
}

void message_unref(struct wps_message *m)
{
  struct encoding *e;
  uint32_t before;

  if (m == NULL)
    return;
  before = atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel);
  CONTRACT(before != 0, "message->unref: a reference too few");
  if (before != 1)
    return;
  e = atomic_load_explicit(&m->encodings, memory_order_acquire);
  while (e != NULL) {
    struct encoding *next = e->next;

    frame_unref(e->frame);
    free(e);
    e = next;
  }
  if (m->release != NULL)
    m->release(m->release_arg);
  quarantine_free(m);
}

/* Sizes are summed with a sticky overflow, so that one check at the end will
 * do. */
struct sum {
  size_t total;
  bool overflow;
};

static void sum_add(struct sum *s, size_t n)
{
  if (n > SIZE_MAX / 2 - s->total)
    s->overflow = true;
  else
    s->total += n;
}

static void sum_pairs(struct sum *s, const struct wps_pair *pairs, size_t count)
{
  if (count > SIZE_MAX / 4 / sizeof(*pairs)) {
    s->overflow = true;
    return;
  }
  sum_add(s, count * sizeof(*pairs));
  for (size_t i = 0; i < count; i++) {
    sum_add(s, pairs[i].name.len);
    sum_add(s, pairs[i].value.len);
  }
}

static void put_pairs(char **at, struct wps_pair *to,
                      const struct wps_pair *from, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    to[i].name = str_put(at, from[i].name);
    to[i].value = str_put(at, from[i].value);
  }
}

static uint64_t pairs_bytes(const struct wps_pair *pairs, size_t count)
{
  uint64_t total = 0;

  for (size_t i = 0; i < count; i++)
    total += pairs[i].name.len + pairs[i].value.len;
  return total;
}

static struct wps_message *build(const struct wps_message_info *info,
                                 bool copy_data)
{
  struct sum size = {sizeof(struct wps_message), false};
  struct wps_message *m;
  struct wps_pair *tags, *props;
  char *at;

  /* Kinds are bits in the masks of members. */
  if (info->data.len > data_limit || info->kind >= 32)
    return NULL;
  sum_pairs(&size, info->tags, info->tag_count);
  sum_pairs(&size, info->props, info->prop_count);
  sum_add(&size, info->group.len);
  sum_add(&size, info->user.len);
  sum_add(&size, info->conn.len);
  sum_add(&size, info->content_type.len);
  if (copy_data)
    sum_add(&size, info->data.len);
  if (size.overflow || FAULT("alloc_message"))
    return NULL;
  m = malloc(size.total);
  if (m == NULL)
    return NULL;
  atomic_init(&m->refs, 1);
  atomic_init(&m->encodings, NULL);
  m->size_class = 0;
  m->release = NULL;
  m->release_arg = NULL;
  m->expires_ms = 0;
  memset(&m->info, 0, sizeof(m->info));
  /* The creator may have been compiled against a shorter struct. */
  memcpy(&m->info, info,
         info->struct_size < sizeof(*info) ? info->struct_size : sizeof(*info));
  m->info.struct_size = sizeof(m->info);
  tags = (struct wps_pair *)(void *)m->storage;
  props = tags + info->tag_count;
  at = (char *)(props + info->prop_count);
  put_pairs(&at, tags, info->tags, info->tag_count);
  put_pairs(&at, props, info->props, info->prop_count);
  m->info.tags = tags;
  m->info.props = props;
  m->info.group = str_put(&at, info->group);
  m->info.user = str_put(&at, info->user);
  m->info.conn = str_put(&at, info->conn);
  m->info.content_type = str_put(&at, info->content_type);
  if (copy_data) {
    m->info.data.ptr = at;
    if (info->data.len != 0)
      memcpy(at, info->data.ptr, info->data.len);
  }
  if (info->created_unix_ms == 0)
    m->info.created_unix_ms = clock_unix_ms();
  if (info->ttl_ms != 0)
    m->expires_ms = clock_now_us() / 1000 + info->ttl_ms;
  m->cost = info->data.len + pairs_bytes(info->tags, info->tag_count);
  return m;
}

static struct wps_message *create(const struct wps_message_info *info)
{
  return build(info, true);
}

static struct wps_message *adopt(const struct wps_message_info *info,
                                 wps_fn release, void *arg)
{
  struct wps_message *m = build(info, false);

  if (m == NULL) {
    release(arg);
    return NULL;
  }
  m->release = release;
  m->release_arg = arg;
  return m;
}

static const struct wps_message_info *info_of(const struct wps_message *m)
{
  return &m->info;
}

static struct encoding *find_encoding(struct encoding *e,
                                      const struct wps_instance *instance,
                                      uint32_t variant)
{
  for (; e != NULL; e = e->next)
    if (e->instance == instance && e->variant == variant)
      return e;
  return NULL;
}

int message_frame(struct wps_message *m, const struct wps_instance *instance,
                  uint32_t variant, struct wps_frame **out)
{
  struct encoding *head =
      atomic_load_explicit(&m->encodings, memory_order_acquire);
  struct encoding *e = find_encoding(head, instance, variant);
  const struct wps_subprotocol *ops = instance->component->ops.subprotocol;
  int rc;

  if (e == NULL) {
    struct encoding *mine = malloc(sizeof(*mine));

    if (mine == NULL)
      return WPS_ENOMEM;
    mine->frame = NULL;
    rc = ops->encode(instance->inst, m, variant, &mine->frame);
    if (rc != WPS_OK && rc != WPS_ENOTSUP) {
      log_line(WPS_LOG_WARN, "core", "%s cannot write a message (%d)",
               instance->name, rc);
      free(mine);
      return rc;
    }
    mine->instance = instance;
    mine->variant = variant;
    mine->unsupported = rc == WPS_ENOTSUP;
    /* Another worker may be doing the same; the first to be linked wins. */
    do {
      e = find_encoding(head, instance, variant);
      if (e != NULL) {
        frame_unref(mine->frame);
        free(mine);
        break;
      }
      mine->next = head;
      e = mine;
    } while (!atomic_compare_exchange_weak_explicit(&m->encodings, &head, mine,
                                                    memory_order_acq_rel,
                                                    memory_order_acquire));
  }
  if (e->unsupported)
    return WPS_ENOTSUP;
  *out = e->frame;
  return WPS_OK;
}

struct wps_frame *frame_new(uint32_t opcode, size_t len, void **out)
{
  struct wps_frame *f;
  unsigned char header[FRAME_HEADER_MAX];

  if (len > SIZE_MAX / 2)
    return NULL;
  f = malloc(sizeof(*f) + len);
  if (f == NULL)
    return NULL;
  atomic_init(&f->refs, 1);
  f->opcode = opcode;
  f->reserved = 0;
  f->len = len;
  f->header_len = (uint32_t)frame_header_write(header, opcode, len);
  memcpy(f->room + sizeof(f->room) - f->header_len, header, f->header_len);
  *out = f->payload;
  return f;
}

struct wps_frame *frame_ref(struct wps_frame *f)
{
  atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
  return f;
}

void frame_unref(struct wps_frame *f)
{
  uint32_t before;

  if (f == NULL)
    return;
  before = atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel);
  CONTRACT(before != 0, "message->frame_unref: a reference too few");
  if (before == 1)
    quarantine_free(f);
}

static struct wps_frame *frame_copy(uint32_t opcode, struct wps_bytes bytes)
{
  void *at;
  struct wps_frame *f = frame_new(opcode, bytes.len, &at);

  if (f != NULL && bytes.len != 0)
    memcpy(at, bytes.ptr, bytes.len);
  return f;
}

static struct wps_bytes frame_bytes(const struct wps_frame *f)
{
  return (struct wps_bytes){f->payload, f->len};
}

_Static_assert(offsetof(struct wps_frame, payload) ==
                   offsetof(struct wps_frame, room) +
                       sizeof(((struct wps_frame *)0)->room),
               "the header must touch the payload");

const struct wps_message_api message_api = {
    .struct_size = sizeof(message_api),
    .create = create,
    .adopt = adopt,
    .ref = message_ref,
    .unref = message_unref,
    .info = info_of,
    .frame = frame_copy,
    .frame_alloc = frame_new,
    .frame_ref = frame_ref,
    .frame_unref = frame_unref,
    .frame_bytes = frame_bytes,
};
