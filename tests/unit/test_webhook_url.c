/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of event handlers' URLs, and which addresses are private. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/common/cloudevents/url.h"
#include "plugins/upstream-webhook/address.h"

static char why[200];

static int read_url(const char *url, struct url_template *t)
{
  why[0] = '\0';
  return url_template_read(str_of(url), t, why, sizeof(why));
}

static void refused(const char *url, const char *because)
{
  struct url_template t;

  ck_assert_msg(read_url(url, &t) == WPS_EINVAL, "%s is accepted", url);
  ck_assert_msg(strstr(why, because) != NULL, "%s: %s", url, why);
}

static const char *fill(const char *url, const char *hub, const char *event)
{
  static char out[4096];
  struct url_template t;
  struct text text = {0};

  ck_assert_msg(read_url(url, &t) == WPS_OK, "%s: %s", url, why);
  url_template_fill(&t, str_of(hub), str_of(event), &text);
  text_terminate(&text);
  ck_assert(!text.failed && text.len < sizeof(out));
  memcpy(out, text.ptr, text.len + 1);
  text_free(&text);
  return out;
}

START_TEST(s16_examples)
{
  const char *t = "https://app.example.com/api/{hub}/{event}?code=x";

  ck_assert_str_eq(fill(t, "chat", "connect"),
                   "https://app.example.com/api/chat/connect?code=x");
  ck_assert_str_eq(fill(t, "chat", "order/new"),
                   "https://app.example.com/api/chat/order%2Fnew?code=x");
  ck_assert_str_eq(fill(t, "chat", "validate"),
                   "https://app.example.com/api/chat/validate?code=x");
  ck_assert_str_eq(fill("http://h/{HUB}-{Event}{event}", "a", "b"),
                   "http://h/a-bb");
  ck_assert_str_eq(fill("http://h:8080/x?h={hub}&e={event}&z", "a b", "c&d"),
                   "http://h:8080/x?h=a%20b&e=c%26d&z");
  ck_assert_str_eq(fill("http://h", "a", "b"), "http://h/");
  ck_assert_str_eq(fill("http://h?c=1", "a", "b"), "http://h/?c=1");
  ck_assert_str_eq(fill("HTTP://[::1]:99/%7B{event}%7D", "a", "b~-._"),
                   "HTTP://[::1]:99/%7Bb~-._%7D");
}
END_TEST

START_TEST(a_name_is_one_segment)
{
  const char *t = "http://h/{event}";

  ck_assert_str_eq(fill(t, "a", "a/../b"), "http://h/a%2F..%2Fb");
  ck_assert_str_eq(fill(t, "a", ".."), "http://h/%2E%2E");
  ck_assert_str_eq(fill(t, "a", "."), "http://h/%2E");
  ck_assert_str_eq(fill(t, "a", "..."), "http://h/...");
  ck_assert_str_eq(fill(t, "a", "a?b#c\\d"), "http://h/a%3Fb%23c%5Cd");
  ck_assert_str_eq(fill(t, "a", "\xc3\xa9\r\n"), "http://h/%C3%A9%0D%0A");
  ck_assert_str_eq(fill(t, "a", "{hub}"), "http://h/%7Bhub%7D");
  ck_assert_str_eq(fill(t, "a", ""), "http://h/");
}
END_TEST

static int read_tunnel(const char *url, struct url_template *t)
{
  why[0] = '\0';
  return url_tunnel_read(str_of(url), t, why, sizeof(why));
}

START_TEST(s16_tunnels)
{
  static const char *const wrong[] = {"",
                                      "tunnel:",
                                      "tunnel://",
                                      "tunnel://h/",
                                      "http:///x",
                                      "tunnel:///{x}",
                                      "tunnel:///a b",
                                      "tunnel:///#a",
                                      "tunnel:///{",
                                      "tunnel:///\xc3\xbc",
                                      "tunnel:///{hub"};
  struct url_template t;
  struct text out = {0};

  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    ck_assert_msg(read_tunnel(wrong[i], &t) == WPS_EINVAL, "%s", wrong[i]);
    ck_assert(why[0] != '\0');
  }
  ck_assert_int_eq(read_tunnel("Tunnel:///eventhandler/{hub}/{event}?c=1", &t),
                   WPS_OK);
  url_template_fill(&t, STR("chat"), STR("a/b"), &out);
  ck_assert(
      str_equal(text_str(&out), STR("Tunnel:///eventhandler/chat/a%2Fb?c=1")));
  text_clear(&out);
  ck_assert_int_eq(read_tunnel("tunnel:///", &t), WPS_OK);
  url_template_fill(&t, STR("chat"), STR("a"), &out);
  ck_assert(str_equal(text_str(&out), STR("tunnel:///")));
  text_free(&out);
}
END_TEST

START_TEST(s6_no_parameter_in_the_host)
{
  refused("http://{hub}.example.com/", "in the host part");
  refused("https://{event}/x", "in the host part");
  refused("https://a:{hub}/x", "in the host part");
  refused("https://a}/x", "in the host part");
}
END_TEST

START_TEST(what_a_template_is_not)
{
  refused("", "absolute URL");
  refused("/eventhandler", "absolute URL");
  refused("ftp://h/", "absolute URL");
  refused("http:/h/", "absolute URL");
  refused("tunnel:///x", "absolute URL");
  refused("http://", "no host");
  refused("http:///x", "no host");
  refused("http://:80/x", "no host");
  refused("http://?x", "no host");
  refused("http://user:secret@h/x", "`auth`");
  refused("http://h:0/", "port");
  refused("http://h:/", "port");
  refused("http://h:65536/", "port");
  refused("http://h:123456/", "port");
  refused("http://h:8o/", "port");
  refused("http://a b/", "host name");
  refused("http://a,b/", "host name");
  refused("http://a%2fb/", "host name");
  refused("http://\xc3\xa9/", "ASCII");
  refused("http://[::1/", "bracket");
  refused("http://[1.2.3.4]/", "IPv6");
  refused("http://[]/", "IPv6");
  refused("http://[::1]x/", "port nor a path");
  refused("http://h/#x", "fragment");
  refused("http://h#x", "fragment");
  refused("http://h/a b", "percent-encoded");
  refused("http://h/\xc3\xa9", "percent-encoded");
  refused("http://h/\"", "percent-encoded");
  refused("http://h/a\tb", "percent-encoded");
  refused("http://h/}", "%7D");
  refused("http://h/{hub", "%7B");
  refused("http://h/{}", "no parameter {}");
  refused("http://h/{user}", "no parameter {user}");
  refused("http://h/?q={\"a\":1}", "no parameter");
  refused("http://h/{@Microsoft.KeyVault(SecretUri=https://v/s)}", "key vault");
}
END_TEST

START_TEST(long_ones)
{
  struct url_template t;
  struct text url = {0};

  text_add_str(&url, STR("http://"));
  for (int i = 0; i < 254; i++)
    text_add_str(&url, STR("a"));
  text_terminate(&url);
  refused(url.ptr, "253");
  text_clear(&url);
  text_add_str(&url, STR("http://h/"));
  while (url.len < URL_TEMPLATE_MAX)
    text_add_str(&url, STR("a"));
  ck_assert_int_eq(url_template_read(text_str(&url), &t, why, sizeof(why)),
                   WPS_OK);
  text_add_str(&url, STR("a"));
  ck_assert_int_eq(url_template_read(text_str(&url), &t, why, sizeof(why)),
                   WPS_EINVAL);
  text_free(&url);
}
END_TEST

START_TEST(parts)
{
  struct url_template t;

  ck_assert_int_eq(read_url("https://App.example.com/x/{hub}", &t), WPS_OK);
  ck_assert(t.tls && t.port == 443 && t.has_hub && !t.loopback && !t.numeric);
  ck_assert(str_equal(t.host, STR("App.example.com")));
  ck_assert_int_eq(read_url("http://127.1.2.3:81/{event}", &t), WPS_OK);
  ck_assert(!t.tls && t.port == 81 && !t.has_hub && t.loopback && t.numeric);
  ck_assert_int_eq(read_url("http://LocalHost/", &t), WPS_OK);
  ck_assert(t.loopback && t.numeric);
  ck_assert_int_eq(read_url("http://[::1]:5/", &t), WPS_OK);
  ck_assert(t.loopback && t.numeric && str_equal(t.host, STR("[::1]")));
  ck_assert_int_eq(read_url("http://[::ffff:127.0.0.1]/", &t), WPS_OK);
  ck_assert(t.loopback);
  ck_assert_int_eq(read_url("http://[2001:db8::1]/", &t), WPS_OK);
  ck_assert(!t.loopback && t.numeric);
  ck_assert_int_eq(read_url("http://128.0.0.1/", &t), WPS_OK);
  ck_assert(!t.loopback && t.numeric);
  ck_assert_int_eq(read_url("http://localhost.example.com/", &t), WPS_OK);
  ck_assert(!t.loopback && !t.numeric);
}
END_TEST

START_TEST(s131_a_log_has_no_query)
{
  ck_assert(
      str_equal(url_for_log(STR("http://h/a?code=x")), STR("http://h/a")));
  ck_assert(str_equal(url_for_log(STR("http://h/a")), STR("http://h/a")));
  ck_assert(str_equal(url_for_log(STR("")), STR("")));
}
END_TEST

START_TEST(private_addresses)
{
  static const char *const inside[] = {"0.0.0.0",
                                       "10.0.0.1",
                                       "10.255.255.255",
                                       "100.64.0.1",
                                       "100.127.255.255",
                                       "127.0.0.1",
                                       "127.255.255.255",
                                       "169.254.169.254",
                                       "172.16.0.1",
                                       "172.31.255.255",
                                       "192.0.0.1",
                                       "192.168.0.1",
                                       "198.18.0.1",
                                       "198.19.255.255",
                                       "224.0.0.1",
                                       "240.0.0.1",
                                       "255.255.255.255",
                                       "::",
                                       "::1",
                                       "::7f00:1",
                                       "::ffff:127.0.0.1",
                                       "::ffff:10.1.2.3",
                                       "64:ff9b::a00:1",
                                       "2002:a00:1::",
                                       "fc00::1",
                                       "fd12::1",
                                       "fe80::1",
                                       "fec0::1",
                                       "ff02::1",
                                       "localhost",
                                       ""};
  static const char *const outside[] = {
      "1.1.1.1",         "9.255.255.255",   "11.0.0.0",
      "100.63.255.255",  "100.128.0.0",     "126.255.255.255",
      "128.0.0.0",       "169.253.255.255", "172.15.0.1",
      "172.32.0.1",      "192.167.0.1",     "192.169.0.1",
      "198.17.0.1",      "198.20.0.1",      "223.255.255.255",
      "2001:4860::8888", "::ffff:1.1.1.1",  "64:ff9b::101:101",
      "2002:101:101::"};

  for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
    ck_assert_msg(address_text_is_private(inside[i]), "%s", inside[i]);
  for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
    ck_assert_msg(!address_text_is_private(outside[i]), "%s", outside[i]);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("webhook_url");
  TCase *t = tcase_create("url");
  SRunner *r = srunner_create(s);
  int failed;

  tcase_add_test(t, s16_examples);
  tcase_add_test(t, a_name_is_one_segment);
  tcase_add_test(t, s16_tunnels);
  tcase_add_test(t, s6_no_parameter_in_the_host);
  tcase_add_test(t, what_a_template_is_not);
  tcase_add_test(t, long_ones);
  tcase_add_test(t, parts);
  tcase_add_test(t, s131_a_log_has_no_query);
  tcase_add_test(t, private_addresses);
  suite_add_tcase(s, t);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
