/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/azure/event.h"

#include <stdlib.h>
#include <string.h>

#include "plugins/common/azure/names.h"

enum { PREFIX_LEN = sizeof(AZURE_METADATA_HEADER) - 1 };

/* Pairs and their texts in one block; the caller frees it. */
static struct wps_pair *make_pairs(size_t count, size_t bytes, char **texts)
{
  struct wps_pair *pairs = malloc(count * sizeof(*pairs) + bytes);

  if (pairs != NULL)
    *texts = (char *)(pairs + count);
  return pairs;
}

/* Any ASCII is metadata, but a line break in a header would let a client write
 * headers of its own (azure-server.md 3.3). Returns the length. */
static size_t strip_breaks(char *out, struct wps_str value)
{
  size_t len = 0;

  for (size_t i = 0; i < value.len; i++)
    if (value.ptr[i] != '\r' && value.ptr[i] != '\n' && value.ptr[i] != '\0')
      out[len++] = value.ptr[i];
  return len;
}

static int raise_event(struct wps_conn *conn, uint32_t flags,
                       struct wps_str name, struct wps_message *msg,
                       wps_answer_fn done, void *arg, uint64_t tag)
{
  const struct wps_message_info *info = wps->message->info(msg);
  struct wps_client_event event = {
      .struct_size = sizeof(event), .flags = flags, .name = name, .msg = msg};
  size_t count = info->tag_count, bytes = 0;
  struct wps_pair *pairs = NULL;
  char *texts;
  int rc;

  if (count > 0) {
    for (size_t i = 0; i < count; i++)
      bytes += PREFIX_LEN + info->tags[i].name.len + info->tags[i].value.len;
    pairs = make_pairs(count, bytes, &texts);
    if (pairs == NULL)
      return WPS_ENOMEM;
    for (size_t i = 0; i < count; i++) {
      struct wps_str key = info->tags[i].name;
      struct wps_str value = info->tags[i].value;

      memcpy(texts, AZURE_METADATA_HEADER, PREFIX_LEN);
      azure_lower(texts + PREFIX_LEN, key);
      pairs[i].name = (struct wps_str){texts, PREFIX_LEN + key.len};
      texts += PREFIX_LEN + key.len;
      pairs[i].value = (struct wps_str){texts, strip_breaks(texts, value)};
      texts += pairs[i].value.len;
    }
    rc = azure_metadata_last(pairs, &count);
    if (rc != WPS_OK)
      goto out;
    event.headers = pairs;
    event.header_count = count;
  }
  rc = wps->hub->event(conn, &event, done, arg, tag);

out:
  free(pairs);
  return rc;
}

int azure_event(struct wps_conn *conn, struct wps_str name,
                struct wps_message *msg, wps_answer_fn done, void *arg,
                uint64_t tag)
{
  return raise_event(conn, 0, name, msg, done, arg, tag);
}

int azure_event_concurrent(struct wps_conn *conn, struct wps_str name,
                           struct wps_message *msg, wps_answer_fn done,
                           void *arg, uint64_t tag)
{
  return raise_event(conn, WPS_CLIENT_EVENT_CONCURRENT, name, msg, done, arg,
                     tag);
}

/* Metadata among the headers of an answer. What breaks the rules of metadata
 * is left out: the event itself has succeeded. */
static int answer_tags(const struct wps_event_answer *answer,
                       struct wps_pair **out, size_t *out_count)
{
  size_t count = 0, bytes = 0, kept = 0, sum = 0;
  struct wps_pair *pairs;
  struct wps_str key;
  char *names;
  int rc;

  *out = NULL;
  *out_count = 0;
  for (size_t i = 0; i < answer->header_count; i++)
    if (azure_metadata_key(answer->headers[i].name, &key)) {
      count++;
      bytes += key.len;
    }
  if (count == 0)
    return WPS_OK;
  pairs = make_pairs(count, bytes, &names);
  if (pairs == NULL)
    return WPS_ENOMEM;
  count = 0;
  for (size_t i = 0; i < answer->header_count; i++) {
    struct wps_str value = azure_metadata_value(answer->headers[i].value);

    if (!azure_metadata_key(answer->headers[i].name, &key) ||
        !azure_metadata_pair_ok(key, value))
      continue;
    azure_lower(names, key);
    pairs[count].name = (struct wps_str){names, key.len};
    pairs[count++].value = value;
    names += key.len;
  }
  rc = azure_metadata_last(pairs, &count);
  if (rc != WPS_OK) {
    free(pairs);
    return rc;
  }
  while (kept < count && (sum += pairs[kept].name.len +
                                 pairs[kept].value.len) <= AZURE_METADATA_MAX)
    kept++;
  *out = pairs;
  *out_count = kept;
  return WPS_OK;
}

int azure_answer_message(const struct wps_event_answer *answer,
                         struct wps_message **out)
{
  struct wps_message_info info = {.struct_size = sizeof(info),
                                  .data_type = WPS_DATA_TEXT,
                                  .from = WPS_FROM_SERVER};
  struct wps_pair *tags;
  bool empty = true;
  int rc;

  *out = NULL;
  if (answer == NULL)
    return WPS_OK;
  if (answer->msg != NULL) {
    const struct wps_message_info *body = wps->message->info(answer->msg);

    empty = body->data.len == 0;
    if (!empty) {
      info.data_type = body->data_type;
      info.data = body->data;
      info.content_type = body->content_type;
    }
  }
  rc = answer_tags(answer, &tags, &info.tag_count);
  if (rc != WPS_OK)
    return rc;
  info.tags = tags;
  if (info.tag_count > 0) {
    *out = wps->message->create(&info);
    rc = *out != NULL ? WPS_OK : WPS_ENOMEM;
  } else if (!empty) {
    *out = wps->message->ref(answer->msg);
  }
  free(tags);
  return rc;
}
