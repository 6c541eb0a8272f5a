/* SPDX-License-Identifier: Apache-2.0 */
/* wire/http_head.c - one request head.
 *
 * Three steps. find_head() walks line ends only, so that a head that comes in
 * small pieces costs little each time it is looked at again; its verdict on a
 * prefix is its verdict on the whole. scan_head() then holds every byte against
 * the grammar, because the packaged http-parser takes spaces in names, folds,
 * bare LF and odd versions. http-parser decides what the message means: it gets
 * the fields that it draws conclusions from, and no byte of the others, because
 * most of a handshake is a token and fields for us. What it does not ask for is
 * asked at the end.
 */
#include "wire/http_head.h"

#include <http_parser.h>
#include <string.h>

#include "base/str.h"
#include "wire/http_chars.h"

struct fault {
  uint32_t status;
  const char *why;
};

static bool bad(struct fault *f, uint32_t status, const char *why)
{
  f->status = status;
  f->why = why;
  return false;
}

/* Where the parts of a complete head are; offsets from its first byte. */
struct span {
  size_t line_len; /* request line without CRLF */
  size_t fields;   /* first header line         */
  size_t end;      /* behind the empty line     */
};

/* At most two CRLFs before the request line (RFC 9112 2.2 asks for one). */
static bool skip_blank(const char *data, size_t len, size_t *at,
                       struct fault *f)
{
  size_t lines = 0;

  *at = 0;
  while (*at < len && (data[*at] == '\r' || data[*at] == '\n')) {
    if (data[*at] == '\n' || lines == 2)
      return bad(f, 400, "malformed request line");
    if (*at + 1 == len)
      break;
    if (data[*at + 1] != '\n')
      return bad(f, 400, "malformed request line");
    *at += 2;
    lines++;
  }
  return true;
}

/* False with the status 0 when the head is not complete. */
static bool find_head(const char *p, size_t len,
                      const struct http_limits *limits, struct span *s,
                      struct fault *f)
{
  size_t max_fields = limits->header_max < HTTP_HEADERS_CAP ? limits->header_max
                                                            : HTTP_HEADERS_CAP;
  size_t lines = 0, at = 0;

  while (at < len) {
    const char *lf = memchr(p + at, '\n', len - at);
    size_t end = lf == NULL ? len : (size_t)(lf - p); /* of the content */
    bool cr = end > at && p[end - 1] == '\r';

    if (cr)
      end--;
    if (lines == 0) {
      if (end > limits->line_max)
        return bad(f, 414, "request line too long");
      s->line_len = end;
      s->fields = end + 2;
    } else if (lf != NULL && cr && end == at) {
      s->end = end + 2;
      return true;
    } else if (end - s->fields > limits->head_max ||
               (lf != NULL && end + 2 - s->fields > limits->head_max)) {
      return bad(f, 431, "header fields too large");
    } else if (lf != NULL && lines > max_fields) {
      return bad(f, 431, "too many header fields");
    }
    if (lf == NULL)
      break;
    if (!cr)
      return bad(f, 400, "line does not end in CRLF");
    at = end + 2;
    lines++;
  }
  return bad(f, 0, "");
}

static bool is_hex(char c)
{
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
         (c >= 'A' && c <= 'F');
}

/* Bytes of RFC 3986's pchar, '/', '?', and brackets for IPv6 hosts; escapes are
 * whole. Anything else some proxy before us may have read differently, but for
 * those that browsers leave as they are in a query. */
static bool target_ok(struct wps_str t)
{
  bool query = false;

  if (http_is_target(t) && memchr(t.ptr, '%', t.len) == NULL)
    return true;
  for (size_t i = 0; i < t.len; i++) {
    query = query || t.ptr[i] == '?';
    if (!http_is_target_char((unsigned char)t.ptr[i]) &&
        !(query && strchr("{}|\\^`", t.ptr[i]) != NULL && t.ptr[i] != '\0'))
      return false;
    if (t.ptr[i] == '%' &&
        (t.len - i < 3 || !is_hex(t.ptr[i + 1]) || !is_hex(t.ptr[i + 2])))
      return false;
  }
  return t.len > 0;
}

static bool scan_line(struct wps_str line, struct http_head *out,
                      struct fault *f)
{
  const char *sp1 = memchr(line.ptr, ' ', line.len), *sp2;
  struct wps_str version;

  if (sp1 == NULL)
    return bad(f, 400, "malformed request line");
  out->method = (struct wps_str){line.ptr, (size_t)(sp1 - line.ptr)};
  line = str_skip(line, out->method.len + 1);
  sp2 = line.len == 0 ? NULL : memchr(line.ptr, ' ', line.len);
  if (!http_is_token(out->method) || sp2 == NULL)
    return bad(f, 400, "malformed request line");
  out->target = (struct wps_str){line.ptr, (size_t)(sp2 - line.ptr)};
  version = str_skip(line, out->target.len + 1);
  if (version.len != 8 || !str_starts(version, "HTTP/") ||
      version.ptr[5] < '0' || version.ptr[5] > '9' || version.ptr[6] != '.' ||
      version.ptr[7] < '0' || version.ptr[7] > '9')
    return bad(f, 400, "malformed request line");
  if (version.ptr[5] != '1' || version.ptr[7] > '1')
    return bad(f, 505, "HTTP version not supported");
  out->minor = (uint32_t)(version.ptr[7] - '0');
  if (!target_ok(out->target))
    return bad(f, 400, "malformed request target");
  return true;
}

/* By length and first letter there is one name that it can be. */
static enum http_field field_kind(struct wps_str name)
{
  static const struct wps_str names[FIELD_KINDS] = {
      [FIELD_HOST] = WPS_STR_INIT("Host"),
      [FIELD_EXPECT] = WPS_STR_INIT("Expect"),
      [FIELD_CONTENT_LENGTH] = WPS_STR_INIT("Content-Length"),
      [FIELD_TRANSFER_ENCODING] = WPS_STR_INIT("Transfer-Encoding"),
      [FIELD_CONNECTION] = WPS_STR_INIT("Connection"),
      [FIELD_PROXY_CONNECTION] = WPS_STR_INIT("Proxy-Connection"),
      [FIELD_UPGRADE] = WPS_STR_INIT("Upgrade"),
      [FIELD_WS_KEY] = WPS_STR_INIT("Sec-WebSocket-Key"),
      [FIELD_WS_VERSION] = WPS_STR_INIT("Sec-WebSocket-Version"),
      [FIELD_WS_PROTOCOL] = WPS_STR_INIT("Sec-WebSocket-Protocol")};
  enum http_field kind;

  switch (name.len) {
  case 4:
    kind = FIELD_HOST;
    break;
  case 6:
    kind = FIELD_EXPECT;
    break;
  case 7:
    kind = FIELD_UPGRADE;
    break;
  case 10:
    kind = FIELD_CONNECTION;
    break;
  case 14:
    kind = FIELD_CONTENT_LENGTH;
    break;
  case 16:
    kind = FIELD_PROXY_CONNECTION;
    break;
  case 17:
    kind = (name.ptr[0] | 0x20) == 't' ? FIELD_TRANSFER_ENCODING : FIELD_WS_KEY;
    break;
  case 21:
    kind = FIELD_WS_VERSION;
    break;
  case 22:
    kind = FIELD_WS_PROTOCOL;
    break;
  default:
    return FIELD_OTHER;
  }
  return str_ieq(name, names[kind]) ? kind : FIELD_OTHER;
}

/* One header line without its CRLF. A fold begins with a blank, and so has no
 * name. */
static bool scan_field(struct wps_str line, struct wps_pair *pair,
                       enum http_field *kind, struct fault *f)
{
  const char *colon = memchr(line.ptr, ':', line.len);
  struct wps_str name, value;

  if (colon == NULL)
    return bad(f, 400, "malformed header field");
  name = (struct wps_str){line.ptr, (size_t)(colon - line.ptr)};
  *kind = field_kind(name);
  if (*kind == FIELD_OTHER && !http_is_token(name))
    return bad(f, 400, "malformed header name");
  value = str_skip(line, name.len + 1);
  if (!http_is_field_value(value))
    return bad(f, 400, "control character in a header value");
  *pair = (struct wps_pair){name, str_trim(value)};
  return true;
}

static bool scan_head(const char *p, const struct span *s,
                      struct http_head *out, struct fault *f)
{
  size_t at = s->fields;

  if (!scan_line((struct wps_str){p, s->line_len}, out, f))
    return false;
  while (at + 2 < s->end) {
    const char *lf = memchr(p + at, '\n', s->end - at);
    size_t next = (size_t)(lf - p) + 1; /* find_head() saw it */

    enum http_field kind;

    if (!scan_field((struct wps_str){p + at, next - 2 - at},
                    &out->headers[out->header_count], &kind, f))
      return false;
    out->header_kind[out->header_count] = (uint8_t)kind;
    if (out->field_count[kind]++ == 0)
      out->field_first[kind] = (uint16_t)out->header_count;
    out->header_count++;
    at = next;
  }
  return true;
}

static int on_headers_complete(http_parser *parser)
{
  http_parser_pause(parser, 1); /* the body is not its business */
  return 0;
}

static const http_parser_settings settings = {.on_headers_complete =
                                                  on_headers_complete};

static void feed_parser(http_parser *parser, const char *from, const char *to)
{
  /* After a fault it takes nothing more. */
  (void)http_parser_execute(parser, &settings, from, (size_t)(to - from));
}

/* A path means nothing to it, however long it be: then "/" stands for it. */
static void feed_line(http_parser *parser, const char *p, const struct span *s,
                      const struct http_head *out)
{
  const char *target = out->target.ptr, *fields = p + s->fields;

  if (target[0] != '/') {
    feed_parser(parser, p, fields);
    return;
  }
  feed_parser(parser, p, target + 1);
  feed_parser(parser, target + out->target.len, fields);
}

static void feed_fields(http_parser *parser, const char *p,
                        const struct span *s, const struct http_head *out)
{
  const char *end = p + s->end - 2; /* the empty line */

  for (size_t i = 0; i < out->header_count; i++) {
    switch (out->header_kind[i]) {
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_CONNECTION:
    case FIELD_PROXY_CONNECTION:
    case FIELD_UPGRADE:
      feed_parser(parser, out->headers[i].name.ptr,
                  i + 1 < out->header_count ? out->headers[i + 1].name.ptr
                                            : end);
      break;
    default:
      break;
    }
  }
  feed_parser(parser, end, end + 2);
}

static bool run_parser(const char *p, const struct span *s,
                       struct http_head *out, struct fault *f)
{
  http_parser parser;

  if (s->end > HTTP_MAX_HEADER_SIZE) /* which it would say of the whole */
    return bad(f, 431, "header fields too large");
  http_parser_init(&parser, HTTP_REQUEST);
  feed_line(&parser, p, s, out);
  feed_fields(&parser, p, s, out);
  switch (HTTP_PARSER_ERRNO(&parser)) {
  case HPE_PAUSED:
    break;
  case HPE_INVALID_METHOD:
    return bad(f, 501, "method not implemented");
  case HPE_INVALID_TRANSFER_ENCODING:
    return bad(f, 501, "transfer encoding not implemented");
  case HPE_HEADER_OVERFLOW:
    return bad(f, 431, "header fields too large");
  case HPE_INVALID_CONTENT_LENGTH:
  case HPE_UNEXPECTED_CONTENT_LENGTH:
    return bad(f, 400, "ambiguous message length");
  default:
    return bad(f, 400, "malformed request");
  }
  /* "close" beside "keep-alive" in 1.0 counts as close. */
  out->keep_alive =
      http_should_keep_alive(&parser) && !(parser.flags & F_CONNECTION_CLOSE);
  out->chunked = (parser.flags & F_CHUNKED) != 0;
  out->has_length = (parser.flags & F_CONTENTLENGTH) != 0;
  if (out->has_length)
    out->content_length = parser.content_length;
  return true;
}

bool http_head_has_token(const struct http_head *h, enum http_field kind,
                         const char *token)
{
  size_t left = h->field_count[kind];

  for (size_t i = h->field_first[kind]; left > 0; i++) {
    struct wps_str list = h->headers[i].value, element;

    if (h->header_kind[i] != kind)
      continue;
    left--;
    while (str_next_token(&list, &element))
      if (str_ieq_c(element, token))
        return true;
  }
  return false;
}

static bool check_length(const struct http_head *out, struct fault *f)
{
  size_t lengths = out->field_count[FIELD_CONTENT_LENGTH];
  size_t codings = out->field_count[FIELD_TRANSFER_ENCODING];
  uint64_t value;

  if (lengths > 1 || (lengths > 0 && codings > 0))
    return bad(f, 400, "ambiguous message length");
  if (lengths == 1 &&
      (!str_to_u64(http_head_field(out, FIELD_CONTENT_LENGTH), &value) ||
       value > INT64_MAX || value != out->content_length || !out->has_length))
    return bad(f, 400, "bad Content-Length");
  if (codings > 1 || (codings == 1 && out->minor == 0))
    return bad(f, 400, "bad Transfer-Encoding");
  if (codings == 1 &&
      (!out->chunked ||
       !str_ieq_c(http_head_field(out, FIELD_TRANSFER_ENCODING), "chunked")))
    return bad(f, 501, "transfer encoding not implemented");
  return true;
}

static bool check_host(const struct http_head *out, struct fault *f)
{
  size_t hosts = out->field_count[FIELD_HOST];
  struct wps_str host = http_head_field(out, FIELD_HOST);

  if (hosts > 1 || (hosts == 0 && out->minor > 0))
    return bad(f, 400, "exactly one Host is needed");
  if (hosts == 1 && !http_is_host(host))
    return bad(f, 400, "bad Host");
  return true;
}

/* "http://host/path?query", also with https, ws and wss. */
static bool split_absolute(struct http_head *out, struct wps_str *path,
                           struct fault *f)
{
  struct wps_str host = http_head_field(out, FIELD_HOST), rest, authority;
  const char *scheme_end = memchr(out->target.ptr, ':', out->target.len);
  size_t n = 0;

  if (!str_istarts(out->target, "http://") &&
      !str_istarts(out->target, "https://") &&
      !str_istarts(out->target, "ws://") && !str_istarts(out->target, "wss://"))
    return bad(f, 400, "malformed request target");
  rest = str_skip(out->target, (size_t)(scheme_end - out->target.ptr) + 3);
  while (n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?')
    n++;
  authority = (struct wps_str){rest.ptr, n};
  if (!http_is_host(authority))
    return bad(f, 400, "malformed request target");
  /* The target's wins (RFC 9112 3.2.2); nobody may have seen another. */
  if (host.ptr != NULL && !str_ieq(authority, host))
    return bad(f, 400, "Host differs from the request target");
  *path = str_skip(rest, n);
  return true;
}

static bool split_target(struct http_head *out, struct fault *f)
{
  struct wps_str path = out->target;
  const char *mark;

  if (str_eq_c(out->method, "CONNECT"))
    return bad(f, 400, "this is no proxy");
  if (path.ptr[0] != '/' && !split_absolute(out, &path, f))
    return false;
  mark = path.len == 0 ? NULL : memchr(path.ptr, '?', path.len);
  out->raw_path = path;
  if (mark != NULL) {
    out->raw_path.len = (size_t)(mark - path.ptr);
    out->raw_query = str_skip(path, out->raw_path.len + 1);
  }
  if (out->raw_path.len == 0) /* "http://host": its own slash stands for "/" */
    out->raw_path =
        (struct wps_str){memchr(out->target.ptr, '/', out->target.len), 1};
  return true;
}

enum http_head_result http_head_parse(const char *data, size_t len,
                                      const struct http_limits *limits,
                                      struct http_head *out, size_t *used,
                                      uint32_t *status, const char **why)
{
  struct fault f = {0, ""};
  struct span s = {0, 0, 0};
  size_t start;

  if (!skip_blank(data, len, &start, &f))
    goto fail;
  if (start == len || data[start] == '\r')
    return HTTP_HEAD_MORE;
  data += start;
  /* A TLS client on a plain port should hear of it now, not at a timeout. */
  if (!http_is_tchar((unsigned char)data[0])) {
    bad(&f, 400, "malformed request line");
    goto fail;
  }
  if (!find_head(data, len - start, limits, &s, &f)) {
    /* A client of another protocol, that now waits for us to speak, should hear
     * of it. Only while little has come behind the line, so that a head that
     * dribbles in is not looked at anew with each byte. */
    if (f.status == 0 && s.line_len != 0 && len - start - s.fields <= 64)
      scan_line((struct wps_str){data, s.line_len}, out, &f);
    if (f.status == 0)
      return HTTP_HEAD_MORE;
    goto fail;
  }
  /* Not the arrays: header_count says how much of them is real. */
  memset(out, 0, offsetof(struct http_head, headers));
  memset((char *)out + offsetof(struct http_head, field_count), 0,
         sizeof(*out) - offsetof(struct http_head, field_count));
  out->text = (struct wps_str){data, s.end};
  if (!scan_head(data, &s, out, &f) || !run_parser(data, &s, out, &f) ||
      !check_length(out, &f) || !check_host(out, &f) || !split_target(out, &f))
    goto fail;
  /* RFC 9110 7.8: an Upgrade in 1.0 is ignored. */
  out->upgrade_websocket =
      out->minor == 1 && http_head_has_token(out, FIELD_UPGRADE, "websocket") &&
      http_head_has_token(out, FIELD_CONNECTION, "upgrade");
  out->expect_continue =
      out->minor == 1 && http_head_has_token(out, FIELD_EXPECT, "100-continue");
  *used = start + s.end;
  return HTTP_HEAD_DONE;

fail:
  *status = f.status;
  *why = f.why;
  return HTTP_HEAD_BAD;
}

struct wps_str http_head_field(const struct http_head *h, enum http_field kind)
{
  return h->field_count[kind] > 0 ? h->headers[h->field_first[kind]].value
                                  : STR_NONE;
}

struct wps_str http_head_get(const struct http_head *h, const char *name)
{
  for (size_t i = 0; i < h->header_count; i++)
    if (str_ieq_c(h->headers[i].name, name))
      return h->headers[i].value;
  return STR_NONE;
}
