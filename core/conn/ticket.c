/* SPDX-License-Identifier: Apache-2.0 */
/* conn/ticket.c - make and check tickets. */
#include "conn/ticket.h"

#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"

enum { VERSION = 1, HEAD = 17, DAYS_7_S = 7 * 24 * 3600 };

_Static_assert((TICKET_BYTES * 8 + 5) / 6 == TICKET_LEN, "length of a ticket");

static int mac_of(const struct keys *keys, const unsigned char head[HEAD],
                  struct wps_str hub, struct wps_str id, const uint8_t *check,
                  uint8_t out[KEYS_MAC_LEN])
{
  struct wps_str purpose = STR("session ticket");
  struct wps_bytes data;
  struct buf b;
  int rc;

  buf_init(&b, 16 * 1024);
  buf_add(&b, head, HEAD);
  /* No hub name contains the separator. */
  buf_add_str(&b, hub);
  buf_add_byte(&b, '\0');
  rc = buf_add_str(&b, id);
  data = (struct wps_bytes){b.data, b.len};
  if (rc == WPS_OK)
    rc = check != NULL
             ? keys_verify(keys, KEYS_SERVICE, purpose, data, check, NULL)
             : keys_sign(keys, KEYS_SERVICE, purpose, data, out);
  buf_free(&b);
  return rc;
}

int ticket_make(const struct keys *keys, struct wps_str hub, struct wps_str id,
                char out[TICKET_LEN + 1])
{
  unsigned char bytes[TICKET_BYTES];
  uint64_t expires = (uint64_t)clock_unix_ms() / 1000 + DAYS_7_S;
  int rc;

  bytes[0] = VERSION;
  for (int i = 0; i < 8; i++)
    bytes[1 + i] = (unsigned char)(expires >> (56 - 8 * i));
  rc = rand_bytes(bytes + 9, 8);
  if (rc == WPS_OK)
    rc = mac_of(keys, bytes, hub, id, NULL, bytes + HEAD);
  if (rc != WPS_OK)
    return rc;
  base64url_encode(bytes, sizeof(bytes), out);
  out[TICKET_LEN] = '\0';
  return WPS_OK;
}

int ticket_check(const struct keys *keys, struct wps_str hub, struct wps_str id,
                 struct wps_str ticket)
{
  unsigned char bytes[TICKET_LEN / 4 * 3 + 3];
  uint64_t expires = 0;
  size_t len;

  if (ticket.len != TICKET_LEN ||
      base64url_decode(ticket, bytes, &len) != WPS_OK || len != TICKET_BYTES ||
      bytes[0] != VERSION)
    return WPS_EUNAUTHORIZED;
  if (mac_of(keys, bytes, hub, id, bytes + HEAD, NULL) != WPS_OK)
    return WPS_EUNAUTHORIZED;
  for (int i = 0; i < 8; i++)
    expires = expires << 8 | bytes[1 + i];
  return expires > (uint64_t)clock_unix_ms() / 1000 ? WPS_OK
                                                    : WPS_EUNAUTHORIZED;
}
