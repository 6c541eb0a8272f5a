/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of an HTTP answer, what for, and how much of it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/cloudevents/content_type.h"
#include "plugins/upstream-webhook/response.h"

static struct response r;

static bool line(const char *text)
{
  return response_header(&r, str_of(text));
}

/* Lines end as on the wire; a head without its blank line is given so. */
static void head(const char *text)
{
  while (*text != '\0') {
    const char *end = strchr(text, '\n');
    size_t len = end != NULL ? (size_t)(end - text) + 1 : strlen(text);

    ck_assert(response_header(&r, (struct wps_str){text, len}));
    text += len;
  }
}

static bool body(const char *text)
{
  return response_body(&r, (struct wps_bytes){text, strlen(text)});
}

static void setup(void)
{
  memset(&r, 0, sizeof(r));
  response_reset(&r, RESPONSE_REFUSAL);
}

static void teardown(void)
{
  response_free(&r);
}

START_TEST(an_answer)
{
  head("HTTP/1.1 200 OK\r\n"
       "content-TYPE:  text/plain; charset=utf-8 \r\n"
       "ce-connectionState:eyJ9\r\n"
       "X-WebPubSub-Metadata-Key: a, b\r\n"
       "x-webpubsub-metadata-: no key\r\n"
       "X-WebPubSub-Metadata-Key: c\r\n"
       "Set-Cookie: a=b\r\n"
       "\r\n");
  ck_assert(body("hel") && body("lo"));
  ck_assert_uint_eq(r.code, 200);
  ck_assert(str_equal(text_str(&r.body), STR("hello")));
  ck_assert(str_equal(text_str(&r.type), STR("text/plain; charset=utf-8")));
  ck_assert(r.has_state && str_equal(text_str(&r.state), STR("eyJ9")));
  ck_assert(r.has_cookie);
  ck_assert_uint_eq(r.metadata_count, 2);
  {
    struct wps_pair pairs[2];

    response_metadata(&r, pairs);
    ck_assert(str_equal(pairs[0].name, STR("X-WebPubSub-Metadata-Key")));
    ck_assert(str_equal(pairs[0].value, STR("a, b")));
    ck_assert(str_equal(pairs[1].value, STR("c")));
  }
}
END_TEST

START_TEST(s36_of_two_states_the_last_one_counts)
{
  head("HTTP/1.1 200 OK\r\nce-connectionState: a\r\nCE-CONNECTIONSTATE:\r\n"
       "\r\n");
  ck_assert(r.has_state);
  ck_assert_uint_eq(r.state.len, 0);
  response_reset(&r, RESPONSE_SUCCESS);
  ck_assert(!r.has_state);
}
END_TEST

START_TEST(interim_answers_and_trailers_do_not_count)
{
  head("HTTP/1.1 103 Early Hints\r\nce-connectionState: a\r\n"
       "Set-Cookie: a=b\r\nContent-Type: text/plain\r\n\r\n"
       "HTTP/1.1 200 OK\r\n\r\n");
  ck_assert(!r.has_state && !r.has_type && !r.has_cookie);
  ck_assert_uint_eq(r.cookie_count, 1); /* libcurl has taken it */
  ck_assert(body("x"));
  head("ce-connectionState: late\r\nHTTP/1.1 404 x\r\n\r\n");
  ck_assert(!r.has_state);
  ck_assert_uint_eq(r.code, 200);
}
END_TEST

START_TEST(lines_that_are_none)
{
  head("HTTP/1.1 200\r\n"
       "ce-connectionState\r\n"
       " ce-connectionState: folded\r\n"
       "\tce-connectionState: folded\r\n"
       ": x\r\n"
       ":\r\n"
       "HTTP/1.1 500 x\r\n"
       "\r\n");
  ck_assert(!r.has_state);
  ck_assert_uint_eq(r.code, 200);
  setup();
  ck_assert(response_header(&r, (struct wps_str){"HTTP/1.1 200 OK", 15}));
  ck_assert(
      response_header(&r, (struct wps_str){"ce-connectionState: a\0b\n", 24}));
  ck_assert(!r.has_state);
  setup();
  head("HTTP/1.1 20x\r\n\r\n");
  ck_assert_uint_eq(r.code, 0);
  setup();
  head("HTTP/2 204 \r\n\r\n");
  ck_assert_uint_eq(r.code, 204);
}
END_TEST

START_TEST(heads_are_bounded)
{
  char *much = malloc(RESPONSE_HEADERS_MAX);

  memset(much, 'x', RESPONSE_HEADERS_MAX - 1);
  much[RESPONSE_HEADERS_MAX - 1] = '\0';
  head("HTTP/1.1 200 OK\r\n");
  ck_assert(!line(much));
  ck_assert(r.headers_over);
  free(much);
  setup();
  head("HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < RESPONSE_METADATA_MAX + 10; i++)
    ck_assert(line("X-WebPubSub-Metadata-a:b\r\n"));
  ck_assert_uint_eq(r.metadata_count, RESPONSE_METADATA_MAX);
}
END_TEST

/* How much of `size` bytes is kept; `stopped` where reading stopped. */
static size_t kept(uint32_t wanted, const char *status, size_t size,
                   bool *stopped)
{
  enum { PIECE = 16 * 1024 };
  static char piece[PIECE];
  size_t len;

  response_reset(&r, wanted);
  head(status);
  *stopped = false;
  for (size_t at = 0; at < size && !*stopped; at += len) {
    len = size - at < PIECE ? size - at : PIECE;
    *stopped = !response_body(&r, (struct wps_bytes){piece, len});
  }
  return r.body.len;
}

START_TEST(bodies_are_bounded)
{
  bool stopped;

  ck_assert_uint_eq(kept(RESPONSE_SUCCESS, "HTTP/1.1 200 OK\r\n\r\n",
                         RESPONSE_BODY_MAX, &stopped),
                    RESPONSE_BODY_MAX);
  ck_assert(!stopped);
  kept(RESPONSE_SUCCESS, "HTTP/1.1 200 OK\r\n\r\n", RESPONSE_BODY_MAX + 1,
       &stopped);
  ck_assert(stopped && r.body_over);
  /* What nobody wants is not kept, and is bounded all the same. */
  ck_assert_uint_eq(
      kept(RESPONSE_DROP, "HTTP/1.1 200 OK\r\n\r\n", 100000, &stopped), 0);
  kept(RESPONSE_DROP, "HTTP/1.1 200 OK\r\n\r\n", RESPONSE_BODY_MAX + 1,
       &stopped);
  ck_assert(stopped && r.body_over);
  ck_assert_uint_eq(
      kept(RESPONSE_SUCCESS, "HTTP/1.1 404 x\r\n\r\n", 100000, &stopped), 0);
  ck_assert_uint_eq(
      kept(RESPONSE_REFUSAL, "HTTP/1.1 503 x\r\n\r\n", 100000, &stopped), 0);
  ck_assert(!stopped);
  /* S-30: of a refusal 64 KiB go on to the client. */
  ck_assert_uint_eq(kept(RESPONSE_REFUSAL, "HTTP/1.1 403 x\r\n\r\n",
                         RESPONSE_REFUSAL_MAX, &stopped),
                    RESPONSE_REFUSAL_MAX);
  ck_assert(!stopped);
  ck_assert_uint_eq(kept(RESPONSE_REFUSAL, "HTTP/1.1 403 x\r\n\r\n",
                         RESPONSE_REFUSAL_MAX + 1, &stopped),
                    RESPONSE_REFUSAL_MAX);
  ck_assert(stopped && r.cut && !r.body_over);
}
END_TEST

static uint32_t type_of(const char *value)
{
  response_reset(&r, RESPONSE_SUCCESS);
  head("HTTP/1.1 200 OK\r\n");
  if (value != NULL) {
    struct text text = {0};

    text_printf(&text, "Content-Type: %s\r\n", value);
    ck_assert(response_header(&r, text_str(&text)));
    text_free(&text);
  }
  head("\r\n");
  return content_type_read(r.has_type ? text_str(&r.type)
                                      : (struct wps_str){NULL, 0});
}

START_TEST(s47_s140_content_types)
{
  ck_assert_uint_eq(type_of(NULL), WPS_DATA_BINARY);
  ck_assert_uint_eq(type_of(""), WPS_DATA_BINARY);
  ck_assert_uint_eq(type_of("text/plain"), WPS_DATA_TEXT);
  ck_assert_uint_eq(type_of("Text/PLAIN;charset=latin1"), WPS_DATA_TEXT);
  ck_assert_uint_eq(type_of("application/json ; charset=utf-8"), WPS_DATA_JSON);
  ck_assert_uint_eq(type_of("application/octet-stream"), WPS_DATA_BINARY);
  ck_assert_uint_eq(type_of("application/x-protobuf"), WPS_DATA_PROTOBUF);
  ck_assert_uint_eq(type_of("text/html"), 0);
  ck_assert_uint_eq(type_of("application/jsonp"), 0);
  ck_assert_uint_eq(type_of("application/problem+json"), 0);
  ck_assert_uint_eq(type_of("text/plain, text/html"), 0);
}
END_TEST

static bool allows(const char *lines)
{
  response_reset(&r, RESPONSE_DROP);
  head("HTTP/1.1 200 OK\r\n");
  head(lines);
  head("\r\n");
  return response_allows(&r, STR("pubsub.example.com"));
}

START_TEST(s59_allowed_origins)
{
  ck_assert(allows("WebHook-Allowed-Origin: *\r\n"));
  ck_assert(allows("webhook-allowed-origin: PubSub.Example.com\r\n"));
  ck_assert(allows("WebHook-Allowed-Origin: pubsub.example.com:8443\r\n"));
  ck_assert(allows("WebHook-Allowed-Origin: a.example , "
                   "pubsub.example.com,b\r\n"));
  ck_assert(allows("WebHook-Allowed-Origin: a.example\r\n"
                   "WebHook-Allowed-Origin: pubsub.example.com\r\n"));
  ck_assert(allows("WebHook-Allowed-Origin: a,*\r\n"));
  ck_assert(!allows(""));
  ck_assert(!allows("WebHook-Allowed-Origin:\r\n"));
  ck_assert(!allows("WebHook-Allowed-Origin: ,,\r\n"));
  ck_assert(!allows("WebHook-Allowed-Origin: other.example\r\n"));
  ck_assert(!allows("WebHook-Allowed-Origin: pubsub.example.com.evil\r\n"));
  ck_assert(!allows("WebHook-Allowed-Origin: xpubsub.example.com\r\n"));
  ck_assert(!allows("WebHook-Allowed-Origin: pubsub.example.com:\r\n"));
  ck_assert(!allows("WebHook-Allowed-Origin: pubsub.example.com:x\r\n"));
  ck_assert(!allows("WebHook-Allowed-Origin: pubsub.example.com:123456\r\n"));
  ck_assert(!allows("WebHook-Allowed-Origin: *.example.com\r\n"));
}
END_TEST

int main(void)
{
  Suite *s = suite_create("webhook_response");
  TCase *t = tcase_create("response");
  SRunner *runner = srunner_create(s);
  int failed;

  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, an_answer);
  tcase_add_test(t, s36_of_two_states_the_last_one_counts);
  tcase_add_test(t, interim_answers_and_trailers_do_not_count);
  tcase_add_test(t, lines_that_are_none);
  tcase_add_test(t, heads_are_bounded);
  tcase_add_test(t, bodies_are_bounded);
  tcase_add_test(t, s47_s140_content_types);
  tcase_add_test(t, s59_allowed_origins);
  suite_add_tcase(s, t);
  srunner_run_all(runner, CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
