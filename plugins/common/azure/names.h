/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - what names, metadata and payloads may look like
 * (azure-client.md 1.2, 5.10, 5.11). Pure functions. Thread: any.
 */
#ifndef WPS_AZURE_NAMES_H
#define WPS_AZURE_NAMES_H

#include <webpubsub/types.h>

enum {
  AZURE_GROUP_UNITS_MAX = 1024, /* UTF-16 code units */
  AZURE_GROUP_BYTES_MAX = 3 * AZURE_GROUP_UNITS_MAX,
  AZURE_EVENT_MAX = 128,
  AZURE_HUB_MAX = 128,
  AZURE_ID_MAX = 256, /* bytes of a stream or invocation id */
  AZURE_METADATA_KEY_MAX = 256,
  AZURE_METADATA_VALUE_MAX = 1024,
  AZURE_METADATA_MAX = 8192,
  AZURE_TTL_MAX = 300 /* seconds */
};

bool azure_utf8_ok(struct wps_str text);

/* `group` is valid UTF-8. */
bool azure_group_ok(struct wps_str group);
bool azure_event_ok(struct wps_str event);
bool azure_hub_ok(struct wps_str hub);

/* One entry by itself. */
bool azure_metadata_pair_ok(struct wps_str key, struct wps_str value);

/* All of them: entries, sum, no key twice. Errors: EPROTO, ENOMEM. */
int azure_metadata_check(const struct wps_pair *pairs, size_t count);

/* Of pairs with the same name only the last stays; all values are present.
 * Errors: ENOMEM. */
int azure_metadata_last(struct wps_pair *pairs, size_t *count);

/* Metadata in HTTP headers: AZURE_METADATA_HEADER, then the key in any case.
 * key() is false for other headers; the key may be empty. value() is the part
 * behind the last comma, trimmed, and never absent. */
#define AZURE_METADATA_HEADER "X-WebPubSub-Metadata-"
bool azure_metadata_key(struct wps_str header, struct wps_str *key);
struct wps_str azure_metadata_value(struct wps_str value);

/* ASCII letters in lower case; out has s.len bytes. */
void azure_lower(char *out, struct wps_str s);

/* The bytes can be read as a google.protobuf.Any. */
bool azure_any_ok(struct wps_bytes bytes);

bool azure_equal_fold(struct wps_str a, struct wps_str b); /* ASCII */

static inline bool azure_equal(struct wps_str a, struct wps_str b)
{
  return a.len == b.len &&
         (a.len == 0 || __builtin_memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
