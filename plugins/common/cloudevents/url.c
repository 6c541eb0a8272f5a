/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/cloudevents/url.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"

struct complaint {
  char *why;
  size_t size;
};

WPS_PRINTF(2, 3)
static int refuse(const struct complaint *c, const char *fmt, ...)
{
  va_list args;

  va_start(args, fmt);
  vsnprintf(c->why, c->size, fmt, args);
  va_end(args);
  return WPS_EINVAL;
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

static bool is_unreserved(char c)
{
  return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* ---- authority ---- */

static int read_port(struct wps_str digits, uint32_t *port,
                     const struct complaint *c)
{
  uint32_t n = 0;

  if (digits.len == 0 || digits.len > 5)
    return refuse(c, "the port is to be a number from 1 to 65535");
  for (size_t i = 0; i < digits.len; i++) {
    if (!is_digit(digits.ptr[i]))
      return refuse(c, "the port is to be a number from 1 to 65535");
    n = n * 10 + (uint32_t)(digits.ptr[i] - '0');
  }
  if (n < 1 || n > 65535)
    return refuse(c, "the port is to be a number from 1 to 65535");
  *port = n;
  return WPS_OK;
}

static int read_ipv6(struct url_template *t, const struct complaint *c)
{
  char literal[INET6_ADDRSTRLEN];
  struct in6_addr address;
  size_t len = t->host.len - 2;

  if (len == 0 || len >= sizeof(literal))
    return refuse(c, "between the brackets of the host there is no IPv6 "
                     "address");
  memcpy(literal, t->host.ptr + 1, len);
  literal[len] = '\0';
  if (inet_pton(AF_INET6, literal, &address) != 1)
    return refuse(c, "between the brackets of the host there is no IPv6 "
                     "address");
  t->numeric = true;
  t->loopback = IN6_IS_ADDR_LOOPBACK(&address) ||
                (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
  return WPS_OK;
}

static int read_name(struct url_template *t, const struct complaint *c)
{
  char literal[INET_ADDRSTRLEN];
  struct in_addr address;

  if (t->host.len == 0)
    return refuse(c, "it has no host");
  if (t->host.len > 253)
    return refuse(c, "its host is longer than 253 characters");
  for (size_t i = 0; i < t->host.len; i++) {
    char one = t->host.ptr[i];

    if ((unsigned char)one >= 0x80)
      return refuse(c, "the host is to be written in ASCII (xn--...)");
    if (!is_alnum(one) && one != '-' && one != '.' && one != '_')
      return refuse(c, "`%c` cannot stand in a host name", one);
  }
  if (str_equal_fold(t->host, STR("localhost")))
    t->numeric = t->loopback = true;
  if (t->host.len < sizeof(literal)) {
    memcpy(literal, t->host.ptr, t->host.len);
    literal[t->host.len] = '\0';
    if (inet_pton(AF_INET, literal, &address) == 1) {
      t->numeric = true;
      t->loopback = ntohl(address.s_addr) >> 24 == 127;
    }
  }
  return WPS_OK;
}

static int read_authority(struct url_template *t, struct wps_str authority,
                          const struct complaint *c)
{
  const char *end = authority.ptr + authority.len, *after;
  int rc;

  if (memchr(authority.ptr, '{', authority.len) != NULL ||
      memchr(authority.ptr, '}', authority.len) != NULL)
    return refuse(c, "no parameter may stand in the host part");
  if (memchr(authority.ptr, '@', authority.len) != NULL)
    return refuse(c, "no user or password may stand in it; see the key "
                     "`auth`");
  t->host.ptr = authority.ptr;
  if (authority.len > 0 && *authority.ptr == '[') {
    after = memchr(authority.ptr, ']', authority.len);
    if (after == NULL)
      return refuse(c, "the bracket of its host does not end");
    after++;
  } else {
    after = memchr(authority.ptr, ':', authority.len);
    if (after == NULL)
      after = end;
  }
  t->host.len = (size_t)(after - authority.ptr);
  rc = *t->host.ptr == '[' && t->host.len > 0 ? read_ipv6(t, c)
                                              : read_name(t, c);
  if (rc != WPS_OK)
    return rc;
  t->port = t->tls ? 443 : 80;
  if (after == end)
    return WPS_OK;
  if (*after != ':')
    return refuse(c, "what follows the host is neither a port nor a path");
  return read_port((struct wps_str){after + 1, (size_t)(end - after - 1)},
                   &t->port, c);
}

/* ---- parameters ---- */

/* What the brace at `at` begins, whose text is put into `name`; its length
 * with both braces, or 0. */
static size_t parameter_at(struct wps_str text, size_t at, struct wps_str *name)
{
  const char *end = memchr(text.ptr + at, '}', text.len - at);

  if (end == NULL)
    return 0;
  name->ptr = text.ptr + at + 1;
  name->len = (size_t)(end - name->ptr);
  return name->len + 2;
}

static int check_rest(struct url_template *t, const struct complaint *c)
{
  for (size_t i = t->path; i < t->text.len; i++) {
    char one = t->text.ptr[i];
    struct wps_str name;
    size_t len;

    if ((unsigned char)one <= 0x20 || (unsigned char)one >= 0x7f ||
        strchr("\"<>\\^`|", one) != NULL)
      return refuse(c, "character %zu has to be percent-encoded", i + 1);
    if (one == '#')
      return refuse(c, "it has a fragment (#), which is never sent");
    if (one == '}')
      return refuse(c, "a literal brace has to be percent-encoded (%%7D)");
    if (one != '{')
      continue;
    len = parameter_at(t->text, i, &name);
    if (len == 0)
      return refuse(c, "a literal brace has to be percent-encoded (%%7B)");
    if (str_prefix_fold(name, STR("@Microsoft.KeyVault(")))
      return refuse(c, "there is no key vault outside Azure; write "
                       "${file:PATH} or ${env:NAME} where the secret belongs");
    if (!str_equal_fold(name, STR("hub")) &&
        !str_equal_fold(name, STR("event")))
      return refuse(c,
                    "there is no parameter {%.*s}, only {hub} and {event}; a "
                    "literal brace has to be percent-encoded (%%7B)",
                    (int)(name.len > 40 ? 40 : name.len), name.ptr);
    t->has_hub = t->has_hub || str_equal_fold(name, STR("hub"));
    i += len - 1;
  }
  return WPS_OK;
}

int url_template_read(struct wps_str text, struct url_template *out, char *why,
                      size_t why_size)
{
  struct complaint c = {why, why_size};
  struct wps_str authority;
  size_t at;
  int rc;

  memset(out, 0, sizeof(*out));
  out->text = text;
  if (text.len > URL_TEMPLATE_MAX)
    return refuse(&c, "it is longer than %d characters", URL_TEMPLATE_MAX);
  if (str_prefix_fold(text, STR("https://"))) {
    out->tls = true;
    at = 8;
  } else if (str_prefix_fold(text, STR("http://"))) {
    at = 7;
  } else {
    return refuse(&c, "expected an absolute URL that begins with http:// or "
                      "https://");
  }
  authority.ptr = text.ptr + at;
  while (at < text.len && strchr("/?#", text.ptr[at]) == NULL)
    at++;
  authority.len = (size_t)(text.ptr + at - authority.ptr);
  out->path = at;
  if (authority.len == 0)
    return refuse(&c, "it has no host");
  rc = read_authority(out, authority, &c);
  return rc == WPS_OK ? check_rest(out, &c) : rc;
}

int url_tunnel_read(struct wps_str text, struct url_template *out, char *why,
                    size_t why_size)
{
  static const struct wps_str scheme = WPS_STR_INIT("tunnel:///");
  struct complaint c = {why, why_size};

  memset(out, 0, sizeof(*out));
  out->text = text;
  if (text.len > URL_TEMPLATE_MAX)
    return refuse(&c, "it is longer than %d characters", URL_TEMPLATE_MAX);
  if (!str_prefix_fold(text, scheme))
    return refuse(&c, "expected a URL that begins with tunnel:///, without a "
                      "host");
  out->path = scheme.len - 1;
  return check_rest(out, &c);
}

/* ---- evaluation ---- */

void url_encode(struct text *out, struct wps_str value)
{
  static const char hex[] = "0123456789ABCDEF";

  for (size_t i = 0; i < value.len; i++) {
    unsigned char c = (unsigned char)value.ptr[i];
    char escape[3] = {'%', hex[c >> 4], hex[c & 15]};

    if (is_unreserved((char)c))
      text_add(out, &value.ptr[i], 1);
    else
      text_add(out, escape, sizeof(escape));
  }
}

/* A name like ".." would walk up the path; percent-encoded it does so only at
 * receivers that decode before they normalise. */
static void put_segment(struct text *out, struct wps_str value)
{
  if (str_equal(value, STR(".")))
    text_add_str(out, STR("%2E"));
  else if (str_equal(value, STR("..")))
    text_add_str(out, STR("%2E%2E"));
  else
    url_encode(out, value);
}

void url_template_fill(const struct url_template *t, struct wps_str hub,
                       struct wps_str event, struct text *out)
{
  size_t from = t->path;

  text_add(out, t->text.ptr, t->path);
  if (from == t->text.len || t->text.ptr[from] != '/')
    text_add_str(out, STR("/"));
  for (size_t i = from; i < t->text.len; i++) {
    struct wps_str name;
    size_t len;

    if (t->text.ptr[i] != '{')
      continue;
    text_add(out, t->text.ptr + from, i - from);
    len = parameter_at(t->text, i, &name);
    put_segment(out, str_equal_fold(name, STR("hub")) ? hub : event);
    i += len - 1;
    from = i + 1;
  }
  text_add(out, t->text.ptr + from, t->text.len - from);
}

struct wps_str url_for_log(struct wps_str url)
{
  const char *mark = url.len > 0 ? memchr(url.ptr, '?', url.len) : NULL;

  if (mark != NULL)
    url.len = (size_t)(mark - url.ptr);
  return url;
}
