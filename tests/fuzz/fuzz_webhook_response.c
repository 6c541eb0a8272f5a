/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of applications and token endpoints: the first byte says what is
 * wanted, then come lines of a head up to a blank one, then the body, in pieces
 * as the wire may cut it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/cloudevents/connect_answer.h"
#include "plugins/common/cloudevents/content_type.h"
#include "plugins/upstream-webhook/response.h"
#include "plugins/upstream-webhook/token_answer.h"

static void check(bool ok)
{
  if (!ok)
    abort();
}

/* Copies of exact size, so that a sanitizer sees what reads beyond. */
static bool give_line(struct response *r, const uint8_t *p, size_t len)
{
  char *copy = malloc(len > 0 ? len : 1);
  bool more;

  check(copy != NULL);
  memcpy(copy, p, len);
  more = response_header(r, (struct wps_str){copy, len});
  free(copy);
  return more;
}

static void look(const struct response *r)
{
  struct wps_pair *pairs = calloc(r->metadata_count + 1u, sizeof(*pairs));
  size_t sum = 0;

  check(pairs != NULL && r->code <= 999);
  response_metadata(r, pairs);
  for (uint32_t i = 0; i < r->metadata_count; i++) {
    check(pairs[i].name.len > 21);
    sum += pairs[i].name.len + pairs[i].value.len + 2;
  }
  check(sum == r->metadata.len);
  check(content_type_read(text_str(&r->type)) <= WPS_DATA_PROTOBUF);
  (void)response_allows(r, STR("pubsub.example.com"));
  check(memchr(text_str(&r->state).ptr, '\n', r->state.len) == NULL);
  check(memchr(text_str(&r->type).ptr, '\0', r->type.len) == NULL);
  free(pairs);
}

static void read_body(struct wps_str body)
{
  struct connect_answer a;
  struct text token = {0}, clean = {0};
  const char *why = NULL;
  uint64_t seconds;
  size_t sum = 0;

  if (connect_answer_read(body, &a, &why) == WPS_OK) {
    check(utf8_ok(a.user) && utf8_ok(a.subprotocol));
    for (size_t i = 0; i < a.role_count; i++)
      sum += a.roles[i].len;
    for (size_t i = 0; i < a.group_count; i++) {
      check(utf8_ok(a.groups[i]));
      sum += a.groups[i].len;
    }
    check(sum + a.user.len + a.subprotocol.len <= body.len);
    connect_answer_free(&a);
  } else {
    check(why != NULL);
  }
  if (token_answer_read(body, &token, &seconds, &why) == WPS_OK)
    check(seconds > 0 && token.len > 0);
  text_add_json(&clean, body);
  check(clean.failed || utf8_ok(text_str(&clean)));
  text_free(&clean);
  text_free(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct response r;
  size_t at = 1;

  if (size == 0)
    return 0;
  memset(&r, 0, sizeof(r));
  response_reset(&r, data[0] % 3);
  while (at < size) {
    const uint8_t *end = memchr(data + at, '\n', size - at);
    size_t len = end != NULL ? (size_t)(end - data) + 1 - at : size - at;

    if (!give_line(&r, data + at, len))
      break;
    at += len;
    if (r.ended && r.code >= 200)
      break;
  }
  while (at < size) {
    size_t piece = size - at < 7 ? size - at : 7;

    if (!response_body(&r, (struct wps_bytes){data + at, piece}))
      break;
    at += piece;
  }
  look(&r);
  read_body(text_str(&r.body));
  response_free(&r);
  return 0;
}
