/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rand.h"

#include <limits.h>

#include <openssl/rand.h>

int rand_bytes(void *out, size_t len)
{
  unsigned char *at = out;

  while (len > 0) {
    int n = len > INT_MAX ? INT_MAX : (int)len;

    if (RAND_bytes(at, n) != 1)
      return WPS_EINTERNAL;
    at += n;
    len -= (size_t)n;
  }
  return WPS_OK;
}

int rand_id(char out[RAND_ID_LEN + 1])
{
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
  unsigned char raw[RAND_ID_LEN];
  int status = rand_bytes(raw, sizeof(raw));

  out[0] = '\0';
  if (status != WPS_OK)
    return status;
  for (size_t i = 0; i < RAND_ID_LEN; i++)
    out[i] = alphabet[raw[i] & 63];
  out[RAND_ID_LEN] = '\0';
  return WPS_OK;
}

int rand_uuid(char out[37])
{
  static const char hex[] = "0123456789abcdef";
  unsigned char raw[16];
  size_t at = 0;
  int status = rand_bytes(raw, sizeof(raw));

  out[0] = '\0';
  if (status != WPS_OK)
    return status;
  raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40); /* version 4          */
  raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
  for (size_t i = 0; i < sizeof(raw); i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      out[at++] = '-';
    out[at++] = hex[raw[i] >> 4];
    out[at++] = hex[raw[i] & 15];
  }
  out[at] = '\0';
  return WPS_OK;
}
