/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-webhook/cookies.h"

#include <string.h>

#include <webpubsub/host.h>
#include <webpubsub/status.h>

#include "plugins/upstream-webhook/exchange.h"

int cookies_load(struct exchange *x, struct wps_instance *self,
                 const struct wps_event *event)
{
  struct wps_bytes jar = {NULL, 0};
  struct text lines = {0};
  char *line, *next;

  if (WPS_CAN(wps->event, kept))
    jar = wps->event->kept(self, event);
  if (jar.len == 0)
    return WPS_OK;
  text_add(&lines, jar.ptr, jar.len);
  text_terminate(&lines);
  if (lines.failed) {
    text_free(&lines);
    return WPS_ENOMEM;
  }
  x->cookies = true;
  for (line = lines.ptr; *line != '\0'; line = next) {
    next = strchr(line, '\n');
    if (next != NULL)
      *next++ = '\0';
    else
      next = line + strlen(line);
    curl_easy_setopt(x->easy, CURLOPT_COOKIELIST, line);
  }
  text_free(&lines);
  return WPS_OK;
}

void cookies_keep(struct exchange *x, struct wps_instance *self,
                  const struct wps_event *event)
{
  struct curl_slist *list = NULL, *one;
  struct text jar = {0};

  if (!WPS_CAN(wps->event, keep) ||
      curl_easy_getinfo(x->easy, CURLINFO_COOKIELIST, &list) != CURLE_OK)
    return;
  for (one = list; one != NULL; one = one->next) {
    size_t len = strlen(one->data);

    if (jar.len + len >= COOKIES_MAX)
      continue; /* of a flood the first ones stay */
    text_add(&jar, one->data, len);
    text_add(&jar, "\n", 1);
  }
  curl_slist_free_all(list);
  if (!jar.failed)
    wps->event->keep(self, event, (struct wps_bytes){jar.ptr, jar.len});
  text_free(&jar);
}

void cookies_clear(struct exchange *x)
{
  curl_easy_setopt(x->easy, CURLOPT_COOKIELIST, "ALL");
  x->cookies = false;
}
