/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/cloudevents/origin.h"

#include <string.h>
#include <unistd.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/common/cloudevents/url.h"

/* Handlers compare it, and not all of them in any case. */
static void lower(char *s)
{
  for (; *s != '\0'; s++)
    if (*s >= 'A' && *s <= 'Z')
      *s = (char)(*s + ('a' - 'A'));
}

void origin_choose(struct wps_instance *self, char out[ORIGIN_MAX])
{
  struct url_template url;
  struct wps_str endpoint;
  char why[200];

  if (wps->server->endpoint_at(0, &endpoint) == WPS_OK &&
      url_template_read(endpoint, &url, why, sizeof(why)) == WPS_OK &&
      url.host.len < ORIGIN_MAX) {
    memcpy(out, url.host.ptr, url.host.len);
    out[url.host.len] = '\0';
    lower(out);
    return;
  }
  if (gethostname(out, ORIGIN_MAX - 1) != 0 || out[0] == '\0')
    memcpy(out, "localhost", sizeof("localhost"));
  out[ORIGIN_MAX - 1] = '\0';
  lower(out);
  wps->log->write(self, NULL, WPS_LOG_INFO,
                  "no `endpoints` are configured: event handlers see %s as "
                  "WebHook-Request-Origin",
                  out);
}
