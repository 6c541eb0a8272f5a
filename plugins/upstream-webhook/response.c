/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/response.h"

#include <string.h>

#include "plugins/common/azure/names.h"

enum { KEPT_BUFFER = 64 * 1024 };

static void empty(struct text *t)
{
  if (t->cap > KEPT_BUFFER)
    text_free(t);
  else
    text_clear(t);
}

static void forget_head(struct response *r)
{
  r->code = 0;
  r->ended = false;
  r->has_type = r->has_state = r->has_cookie = false;
  r->metadata_count = 0;
  text_clear(&r->type);
  text_clear(&r->state);
  text_clear(&r->allowed);
  text_clear(&r->metadata);
}

void response_reset(struct response *r, uint32_t wanted)
{
  forget_head(r);
  empty(&r->type);
  empty(&r->state);
  empty(&r->allowed);
  empty(&r->metadata);
  empty(&r->body);
  r->wanted = wanted;
  r->headers_over = r->body_over = r->cut = r->no_memory = false;
  r->cookie_count = 0;
  r->head_bytes = r->body_bytes = 0;
}

void response_free(struct response *r)
{
  text_free(&r->type);
  text_free(&r->state);
  text_free(&r->allowed);
  text_free(&r->metadata);
  text_free(&r->body);
}

/* "HTTP/1.1 200 OK" -> 200 */
static uint32_t status_of(struct wps_str line)
{
  const char *blank = memchr(line.ptr, ' ', line.len);
  size_t left;

  if (blank == NULL)
    return 0;
  left = line.len - (size_t)(blank - line.ptr);
  if (left < 4)
    return 0;
  for (int i = 1; i <= 3; i++)
    if (blank[i] < '0' || blank[i] > '9')
      return 0;
  return (uint32_t)((blank[1] - '0') * 100 + (blank[2] - '0') * 10 +
                    (blank[3] - '0'));
}

static void replace(struct text *t, struct wps_str value)
{
  text_clear(t);
  text_add_str(t, value);
}

static void put_metadata(struct response *r, struct wps_str name,
                         struct wps_str value)
{
  if (r->metadata_count == RESPONSE_METADATA_MAX)
    return;
  text_add_str(&r->metadata, name);
  text_add(&r->metadata, "", 1);
  text_add_str(&r->metadata, value);
  text_add(&r->metadata, "", 1);
  r->metadata_count++;
}

static void take(struct response *r, struct wps_str name, struct wps_str value)
{
  if (str_equal_fold(name, STR("Content-Type"))) {
    r->has_type = true;
    replace(&r->type, value);
  } else if (str_equal_fold(name, STR("ce-connectionState"))) {
    r->has_state = true; /* the last one counts (3.5) */
    replace(&r->state, value);
  } else if (str_equal_fold(name, STR("WebHook-Allowed-Origin"))) {
    if (r->allowed.len > 0)
      text_add_str(&r->allowed, STR(","));
    text_add_str(&r->allowed, value);
  } else if (str_equal_fold(name, STR("Set-Cookie"))) {
    r->has_cookie = true;
    r->cookie_count++;
  } else if (name.len > sizeof(AZURE_METADATA_HEADER) - 1 &&
             str_prefix_fold(name, STR(AZURE_METADATA_HEADER))) {
    put_metadata(r, name, value);
  }
}

static bool out_of_memory(const struct response *r)
{
  return r->type.failed || r->state.failed || r->allowed.failed ||
         r->metadata.failed || r->body.failed;
}

bool response_header(struct response *r, struct wps_str line)
{
  struct wps_str name, value;
  const char *colon;

  r->head_bytes += line.len;
  if (r->head_bytes > RESPONSE_HEADERS_MAX) {
    r->headers_over = true;
    return false;
  }
  while (line.len > 0 &&
         (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
    line.len--;
  if (r->ended && r->code >= 200)
    return true; /* a trailer */
  if (line.len == 0) {
    r->ended = true;
    return true;
  }
  if ((r->code == 0 || r->ended) && str_prefix_fold(line, STR("HTTP/"))) {
    forget_head(r); /* after an interim answer */
    r->code = status_of(line);
    return true;
  }
  colon = memchr(line.ptr, ':', line.len);
  if (colon == NULL || line.ptr[0] == ' ' || line.ptr[0] == '\t' ||
      memchr(line.ptr, '\0', line.len) != NULL)
    return true;
  name = (struct wps_str){line.ptr, (size_t)(colon - line.ptr)};
  value.ptr = colon + 1;
  value.len = line.len - name.len - 1;
  take(r, str_strip(name), str_strip(value));
  r->no_memory = out_of_memory(r);
  return !r->no_memory;
}

static size_t wanted_of_body(const struct response *r)
{
  if (r->code >= 200 && r->code < 300)
    return r->wanted != RESPONSE_DROP ? RESPONSE_BODY_MAX : 0;
  if (r->code >= 400 && r->code < 500 && r->wanted == RESPONSE_REFUSAL)
    return RESPONSE_REFUSAL_MAX;
  return 0;
}

bool response_body(struct response *r, struct wps_bytes bytes)
{
  size_t max = wanted_of_body(r), room;

  r->body_bytes += bytes.len;
  if (r->body_bytes > RESPONSE_BODY_MAX) {
    r->body_over = true;
    return false;
  }
  room = max > r->body.len ? max - r->body.len : 0;
  text_add(&r->body, bytes.ptr, bytes.len < room ? bytes.len : room);
  r->no_memory = r->body.failed;
  if (r->no_memory)
    return false;
  /* The rest of a refusal is of no use, and may be long. */
  if (max == RESPONSE_REFUSAL_MAX && r->body_bytes > max) {
    r->cut = true;
    return false;
  }
  return true;
}

void response_metadata(const struct response *r, struct wps_pair *out)
{
  const char *at = r->metadata.ptr;

  for (uint32_t i = 0; i < r->metadata_count; i++) {
    out[i].name = (struct wps_str){at, strlen(at)};
    at += out[i].name.len + 1;
    out[i].value = (struct wps_str){at, strlen(at)};
    at += out[i].value.len + 1;
  }
}

struct ce_answer response_answer(const struct response *r,
                                 struct wps_pair *metadata)
{
  struct ce_answer a = {.code = r->code,
                        .metadata = metadata,
                        .metadata_count = r->metadata_count,
                        .body = text_str(&r->body)};

  if (r->has_type)
    a.type = text_str(&r->type);
  if (r->has_state)
    a.state = text_str(&r->state);
  response_metadata(r, metadata);
  return a;
}

static bool is_port(struct wps_str s)
{
  if (s.len < 2 || s.len > 6 || *s.ptr != ':')
    return false;
  for (size_t i = 1; i < s.len; i++)
    if (s.ptr[i] < '0' || s.ptr[i] > '9')
      return false;
  return true;
}

bool response_allows(const struct response *r, struct wps_str origin)
{
  struct wps_str list = text_str(&r->allowed), one;

  while (str_next_part(&list, &one)) {
    struct wps_str port;

    if (str_equal(one, STR("*")))
      return true;
    if (!str_prefix_fold(one, origin))
      continue;
    port = (struct wps_str){one.ptr + origin.len, one.len - origin.len};
    if (port.len == 0 || is_port(port))
      return true;
  }
  return false;
}
