/* SPDX-License-Identifier: Apache-2.0 */
/* cursor.c - continuation tokens: the last connection id of a page, signed
 * together with hub and group, so that it is good for no other listing. */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/jwt_base64.h"
#include "plugins/http-rest/rest.h"

enum { MAC_LEN = 32 };

static const struct wps_str purpose = WPS_STR_INIT("rest-continuation");

static char *put(char *to, struct wps_str s)
{
  if (s.len > 0)
    memcpy(to, s.ptr, s.len);
  return to + s.len;
}

/* What is signed; allocated. No hub has a '\n', and the length of the group
 * says where it ends. */
static struct wps_bytes signed_text(struct wps_str hub, struct wps_str group,
                                    struct wps_str after)
{
  uint64_t group_len = group.len;
  size_t size = hub.len + 1 + sizeof(group_len) + group.len + after.len;
  char *text = malloc(size), *to = text;

  if (text == NULL)
    return (struct wps_bytes){NULL, 0};
  to = put(to, hub);
  *to++ = '\n';
  memcpy(to, &group_len, sizeof(group_len));
  to = put(to + sizeof(group_len), group);
  put(to, after);
  return (struct wps_bytes){text, size};
}

char *rest_cursor_make(struct wps_str hub, struct wps_str group,
                       struct wps_str after)
{
  struct wps_bytes text = signed_text(hub, group, after);
  size_t len = MAC_LEN + after.len;
  uint8_t *raw = malloc(len);
  char *out = malloc((len + 2) / 3 * 4 + 1);

  if (text.ptr == NULL || raw == NULL || out == NULL ||
      wps->server->sign(WPS_KEY_SERVICE, purpose, text, raw) != WPS_OK) {
    free(out);
    out = NULL;
  } else {
    put((char *)raw + MAC_LEN, after);
    token_base64url_encode(raw, len, out);
  }
  free(raw);
  free((void *)(uintptr_t)text.ptr);
  return out;
}

int rest_cursor_read(struct wps_str hub, struct wps_str group,
                     struct wps_str text, char *room, struct wps_str *after)
{
  struct wps_bytes covered;
  size_t len;
  int rc;

  if (text.len > REST_CURSOR_MAX || !token_base64url_decode(text, room, &len) ||
      len <= MAC_LEN)
    return WPS_EUNAUTHORIZED;
  *after = (struct wps_str){room + MAC_LEN, len - MAC_LEN};
  covered = signed_text(hub, group, *after);
  if (covered.ptr == NULL)
    return WPS_ENOMEM;
  rc = wps->server->verify(WPS_KEY_SERVICE, purpose, covered,
                           (const uint8_t *)room, NULL);
  free((void *)(uintptr_t)covered.ptr);
  return rc == WPS_OK || rc == WPS_ENOMEM ? rc : WPS_EUNAUTHORIZED;
}
