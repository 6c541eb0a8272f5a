/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of tunnels as an application may send them. What is read is written
 * and read again; URLs of requests are looked at as for the REST API. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/text.h"
#include "plugins/upstream-tunnel/frame.h"
#include "plugins/upstream-tunnel/message.h"
#include "plugins/upstream-tunnel/path.h"

const struct wps_host *wps = NULL; /* nothing here has one */

static void check(bool ok)
{
  if (!ok)
    abort();
}

static void look_at_url(struct wps_str url)
{
  struct wps_str target;

  (void)str_suffix_fold(path_only(url), STR("%3ainvoke"));
  if (!path_target(url, &target))
    return;
  check(target.len > 0 && *target.ptr == '/' && target.len <= url.len);
  if (path_is_of_hub(target, STR("chat")))
    check(target.len >= sizeof("/api/hubs/chat") - 1);
}

static void same(struct wps_str a, struct wps_str b)
{
  check(str_equal(a, b) && (a.ptr == NULL) == (b.ptr == NULL));
}

static void again(const struct tunnel_message *m)
{
  struct text out = {0};
  struct tunnel_message_in in;
  int rc;

  tunnel_message_write(m, &out);
  check(!out.failed);
  rc = tunnel_message_read((struct wps_bytes){out.ptr, out.len}, &in);
  /* Escapes may have made it longer than is taken. */
  check(rc == WPS_OK || (rc == WPS_ETOOBIG && out.len > FRAME_JSON_MAX));
  if (rc == WPS_OK) {
    check(in.m.type == m->type && in.m.ack == m->ack && in.m.code == m->code);
    check(in.m.local_routing == m->local_routing &&
          in.m.not_completed == m->not_completed);
    same(in.m.url, m->url);
    same(in.m.method, m->method);
    same(in.m.connection, m->connection);
    same(in.m.text, m->text);
    check(in.m.header_count == m->header_count);
    check(in.m.content.len == m->content.len);
    tunnel_message_free(&in);
  }
  text_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct tunnel_message_in in;

  if (tunnel_message_read((struct wps_bytes){data, size}, &in) != WPS_OK)
    return 0;
  check(in.m.content.len <= FRAME_CONTENT_MAX);
  if (in.m.type == TUNNEL_REQUEST)
    look_at_url(in.m.url);
  if (in.tree != NULL)
    again(&in.m);
  tunnel_message_free(&in);
  return 0;
}
