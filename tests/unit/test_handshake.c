/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http_head.h: handshake_check(), RFC 6455 4.2.1 and 4.2.2. */
#include <check.h>
#include <string.h>

#include "base/str.h"
#include "wire/http_head.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define HOST "Host: server.example.com\r\n"
#define LINE "GET /chat HTTP/1.1\r\n"

static char accept_key[29];

static uint32_t check(const char *text)
{
  static const struct http_limits limits = {16384, 16384, 100};
  static struct http_head head;
  struct handshake *hs;
  struct wps_str key;
  uint32_t status = 0, rc;
  const char *why = NULL;
  size_t used;

  if (http_head_parse(text, strlen(text), &limits, &head, &used, &status,
                      &why) != HTTP_HEAD_DONE)
    ck_abort_msg("%u %s for %s", status, why, text);
  accept_key[0] = '\0';
  rc = handshake_check(&head, &key, &why);
  ck_assert_ptr_nonnull(why);
  if (rc != 0) {
    ck_assert_str_ne(why, "");
    return rc;
  }
  ck_assert_uint_eq(key.len, HANDSHAKE_KEY_LEN);
  hs = handshake_new();
  ck_assert_ptr_nonnull(hs);
  /* A second one comes out as the first. */
  for (int i = 0; i < 2; i++) {
    memset(accept_key, 'x', sizeof(accept_key));
    ck_assert(handshake_accept(hs, key.ptr, accept_key));
    ck_assert_uint_eq(strlen(accept_key), HANDSHAKE_ACCEPT_LEN);
  }
  handshake_free(hs);
  return 0;
}

START_TEST(rfc6455_sample)
{
  ck_assert_uint_eq(check(LINE HOST UPGRADE KEY
                          "Origin: http://example.com\r\n"
                          "Sec-WebSocket-Protocol: chat, superchat\r\n" VERSION
                          "\r\n"),
                    0);
  ck_assert_str_eq(accept_key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
END_TEST

START_TEST(accepted)
{
  static const char *const cases[] = {
      LINE HOST VERSION KEY "upgrade: WEBSOCKET\r\n"
                            "connection: keep-alive, UPGRADE\r\n\r\n",
      LINE HOST VERSION KEY "Upgrade: foo, websocket\r\n"
                            "Connection: keep-alive\r\n"
                            "Connection: upgrade\r\n\r\n",
      LINE HOST VERSION UPGRADE
      "Sec-WebSocket-Key:\t AAAAAAAAAAAAAAAAAAAAAA== \r\n\r\n",
      "GET ws://server.example.com/chat HTTP/1.1\r\n" HOST UPGRADE KEY VERSION
      "\r\n",
      LINE HOST UPGRADE KEY VERSION "Content-Length: 0\r\n\r\n", /* Java */
  };

  for (size_t i = 0; i < ARRAY_LEN(cases); i++)
    if (check(cases[i]) != 0)
      ck_abort_msg("refused %s", cases[i]);
}
END_TEST

START_TEST(refused)
{
  static const struct {
    uint32_t status;
    const char *text;
  } cases[] = {
      /* not a handshake at all */
      {400, LINE HOST "\r\n"},
      {400, "POST /chat HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "\r\n"},
      {400, "HEAD /chat HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "\r\n"},
      {400, "GET /chat HTTP/1.0\r\n" HOST UPGRADE KEY VERSION "\r\n"},
      {400, LINE HOST "Upgrade: websocket\r\n" KEY VERSION "\r\n"},
      {400, LINE HOST "Connection: Upgrade\r\n" KEY VERSION "\r\n"},
      {400,
       LINE HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n"},
      {400, LINE HOST
       "Upgrade: xwebsocket\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n"},
      {400, LINE HOST
       "Upgrade: websocket\r\nConnection: close, Upgrade\r\n" KEY VERSION
       "\r\n"},
      {400, LINE HOST UPGRADE "Connection: close\r\n" KEY VERSION "\r\n"},
      /* a body */
      {400, LINE HOST UPGRADE KEY VERSION "Content-Length: 5\r\n\r\n"},
      {400, LINE HOST UPGRADE KEY VERSION "Transfer-Encoding: chunked\r\n\r\n"},
      /* versions */
      {400, LINE HOST UPGRADE KEY "\r\n"},
      {400, LINE HOST UPGRADE KEY VERSION VERSION "\r\n"},
      {426, LINE HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n"},
      {426, LINE HOST UPGRADE KEY "Sec-WebSocket-Version: 14\r\n\r\n"},
      {426, LINE HOST UPGRADE KEY "Sec-WebSocket-Version: 013\r\n\r\n"},
      {426, LINE HOST UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n\r\n"},
      {426, LINE HOST UPGRADE KEY "Sec-WebSocket-Version:\r\n\r\n"},
      /* keys */
      {400, LINE HOST UPGRADE VERSION "\r\n"},
      {400, LINE HOST UPGRADE VERSION KEY KEY "\r\n"},
      {400, LINE HOST UPGRADE VERSION "Sec-WebSocket-Key:\r\n\r\n"},
      {400, LINE HOST UPGRADE VERSION "Sec-WebSocket-Key: abc\r\n\r\n"},
      {400, LINE HOST UPGRADE VERSION
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n"},
      {400, LINE HOST UPGRADE VERSION
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n\r\n"},
      {400, LINE HOST UPGRADE VERSION /* 17 bytes */
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE=\r\n\r\n"},
      {400, LINE HOST UPGRADE VERSION /* 18 bytes */
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWFi\r\n\r\n"},
      {400, LINE HOST UPGRADE VERSION /* unused bits */
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n"},
      {400, LINE HOST UPGRADE VERSION /* alphabet */
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j-_==\r\n\r\n"},
      {400, LINE HOST UPGRADE VERSION
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j Q==\r\n\r\n"},
  };

  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    uint32_t status = check(cases[i].text);

    if (status != cases[i].status)
      ck_abort_msg("%u instead of %u for: %s", status, cases[i].status,
                   cases[i].text);
  }
}
END_TEST

int main(void)
{
  Suite *s = suite_create("handshake");
  TCase *t = tcase_create("handshake");
  SRunner *r = srunner_create(s);
  int failed;

  suite_add_tcase(s, t);
  tcase_add_test(t, rfc6455_sample);
  tcase_add_test(t, accepted);
  tcase_add_test(t, refused);
  srunner_run_all(r, CK_ENV);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
