/* SPDX-License-Identifier: Apache-2.0 */
/* URL templates of event handlers: the input is hub, event and template, each
 * on a line of its own. What is accepted must stay a URL of the same server
 * whatever a client calls its event. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/common/cloudevents/url.h"
#include "plugins/upstream-webhook/address.h"

static struct wps_str next_line(struct wps_str *rest)
{
  const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
  struct wps_str line = *rest;

  if (end != NULL)
    line.len = (size_t)(end - rest->ptr);
  rest->ptr += line.len + (end != NULL);
  rest->len -= line.len + (end != NULL);
  return line;
}

static void check(bool ok)
{
  if (!ok)
    abort();
}

static void check_filled(const struct url_template *t, struct wps_str url)
{
  size_t marks = 0, template_marks = 0;

  check(url.len > t->path && memcmp(url.ptr, t->text.ptr, t->path) == 0 &&
        url.ptr[t->path] == '/');
  for (size_t i = 0; i < url.len; i++) {
    check((unsigned char)url.ptr[i] > 0x20 &&
          (unsigned char)url.ptr[i] < 0x7f && url.ptr[i] != '#' &&
          url.ptr[i] != '{' && url.ptr[i] != '}');
    marks += url.ptr[i] == '?' || url.ptr[i] == '/';
  }
  for (size_t i = 0; i < t->text.len; i++)
    template_marks += t->text.ptr[i] == '?' || t->text.ptr[i] == '/';
  /* A slash may be put behind the host, and names bring none. */
  check(marks == template_marks || marks == template_marks + 1);
  check(memchr(url_for_log(url).ptr, '?', url_for_log(url).len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct wps_str rest = {(const char *)data, size};
  struct wps_str hub = next_line(&rest), event = next_line(&rest);
  struct url_template t;
  struct text out = {0};
  char why[200] = "";

  if (url_template_read(rest, &t, why, sizeof(why)) != WPS_OK) {
    check(why[0] != '\0');
  } else {
    check(t.host.len > 0 && t.port >= 1 && t.port <= 65535);
    url_template_fill(&t, hub, event, &out);
    check(!out.failed);
    check_filled(&t, text_str(&out));
  }
  text_clear(&out);
  why[0] = '\0';
  if (url_tunnel_read(rest, &t, why, sizeof(why)) != WPS_OK) {
    check(why[0] != '\0');
  } else {
    url_template_fill(&t, hub, event, &out);
    check(!out.failed);
    check_filled(&t, text_str(&out));
  }
  text_clear(&out);
  text_add_str(&out, rest);
  text_terminate(&out);
  if (!out.failed)
    (void)address_text_is_private(out.ptr);
  text_free(&out);
  return 0;
}
