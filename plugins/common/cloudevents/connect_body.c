/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/cloudevents/connect_body.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <webpubsub/status.h>

#include "plugins/common/b64.h"
#include "plugins/common/cloudevents/text.h"

#define NAME_IDENTIFIER                                                        \
  "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"

/* ---- name -> values ---- */

struct entry {
  const struct wps_pair *pair;
  size_t index; /* where it stood */
  size_t first; /* where the first of its name stood */
};

static char fold(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int compare_names(struct wps_str a, struct wps_str b, bool any_case)
{
  size_t len = a.len < b.len ? a.len : b.len;

  for (size_t i = 0; i < len; i++) {
    unsigned char x = (unsigned char)(any_case ? fold(a.ptr[i]) : a.ptr[i]);
    unsigned char y = (unsigned char)(any_case ? fold(b.ptr[i]) : b.ptr[i]);

    if (x != y)
      return x < y ? -1 : 1;
  }
  return (a.len > len) - (b.len > len);
}

static int by_name(const void *a, const void *b)
{
  const struct entry *x = a, *y = b;
  int order = compare_names(x->pair->name, y->pair->name, false);

  return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static int by_name_any_case(const void *a, const void *b)
{
  const struct entry *x = a, *y = b;
  int order = compare_names(x->pair->name, y->pair->name, true);

  return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static int by_first(const void *a, const void *b)
{
  const struct entry *x = a, *y = b;

  if (x->first != y->first)
    return x->first < y->first ? -1 : 1;
  return (x->index > y->index) - (x->index < y->index);
}

/* Equal names side by side, in the order of their first appearance. A query
 * may hold thousands: sorted, not each compared with each. */
static struct entry *group(const struct wps_pair *pairs, size_t count,
                           bool any_case)
{
  struct entry *entries = calloc(count + 1, sizeof(*entries));

  if (entries == NULL)
    return NULL;
  for (size_t i = 0; i < count; i++)
    entries[i] = (struct entry){&pairs[i], i, i};
  qsort(entries, count, sizeof(*entries),
        any_case ? by_name_any_case : by_name);
  for (size_t i = 1; i < count; i++)
    if (compare_names(entries[i - 1].pair->name, entries[i].pair->name,
                      any_case) == 0)
      entries[i].first = entries[i - 1].first;
  qsort(entries, count, sizeof(*entries), by_first);
  return entries;
}

/* The members of a map without its braces, at least one. */
static int put_groups(struct text *out, const struct wps_pair *pairs,
                      size_t count, bool any_case)
{
  struct entry *entries = group(pairs, count, any_case);

  if (entries == NULL)
    return WPS_ENOMEM;
  for (size_t i = 0; i < count; i++) {
    bool next = i > 0 && entries[i].first == entries[i - 1].first;

    if (next) {
      text_add_str(out, STR(","));
    } else {
      text_add_str(out, i > 0 ? STR("],") : STR(""));
      text_add_json(out, entries[i].pair->name);
      text_add_str(out, STR(":["));
    }
    text_add_json(out, entries[i].pair->value);
  }
  text_add_str(out, STR("]"));
  free(entries);
  return WPS_OK;
}

static bool is_credential_query(struct wps_str name)
{
  return str_equal_fold(name, STR("access_token"));
}

static bool is_credential_header(struct wps_str name)
{
  return str_equal_fold(name, STR("Authorization")) ||
         str_prefix_fold(name, STR("X-ASRS-Internal-"));
}

static int put_map(struct text *out, const struct wps_pair *pairs, size_t count,
                   bool any_case, bool (*skip)(struct wps_str name))
{
  struct wps_pair *kept = calloc(count + 1, sizeof(*kept));
  size_t n = 0;
  int rc = WPS_OK;

  if (kept == NULL)
    return WPS_ENOMEM;
  for (size_t i = 0; i < count; i++)
    if (!skip(pairs[i].name))
      kept[n++] = pairs[i];
  text_add_str(out, STR("{"));
  if (n > 0)
    rc = put_groups(out, kept, n, any_case);
  text_add_str(out, STR("}"));
  free(kept);
  return rc;
}

/* ---- claims ---- */

/* Under its long name, too, as the service does (azure-server.md 3.7). */
static void put_name_identifier(struct text *out, const struct wps_pair *claims,
                                size_t count)
{
  bool any = false;

  for (size_t i = 0; i < count; i++)
    if (str_equal(claims[i].name, STR(NAME_IDENTIFIER)))
      return;
  for (size_t i = 0; i < count; i++) {
    if (!str_equal(claims[i].name, STR("sub")))
      continue;
    text_add_str(out, any ? STR(",") : STR(",\"" NAME_IDENTIFIER "\":["));
    text_add_json(out, claims[i].value);
    any = true;
  }
  if (any)
    text_add_str(out, STR("]"));
}

static int put_claims(struct text *out, const struct wps_pair *claims,
                      size_t count)
{
  int rc = WPS_OK;

  text_add_str(out, STR("{"));
  if (count > 0) {
    rc = put_groups(out, claims, count, false);
    put_name_identifier(out, claims, count);
  }
  text_add_str(out, STR("}"));
  return rc;
}

/* ---- certificates ---- */

static void put_pem(struct text *out, struct wps_bytes der)
{
  enum { COLUMNS = 64 };
  size_t len = b64_encoded_len(der.len);
  char *base64 = malloc(len + 1);

  if (base64 == NULL) {
    out->failed = true;
    return;
  }
  b64_encode(der, base64);
  text_add_str(out, STR("\"-----BEGIN CERTIFICATE-----\\r\\n"));
  for (size_t at = 0; at < len; at += COLUMNS) {
    text_add(out, base64 + at, len - at < COLUMNS ? len - at : COLUMNS);
    text_add_str(out, STR("\\r\\n"));
  }
  text_add_str(out, STR("-----END CERTIFICATE-----\""));
  free(base64);
}

static int put_certificate(struct text *out, struct wps_bytes der)
{
  unsigned char sha1[EVP_MAX_MD_SIZE];
  unsigned int len = 0;

  if (der.len == 0)
    return WPS_OK;
  if (EVP_Digest(der.ptr, der.len, sha1, &len, EVP_sha1(), NULL) != 1)
    return WPS_EINTERNAL;
  text_add_str(out, STR("{\"thumbprint\":\""));
  for (unsigned int i = 0; i < len; i++)
    text_printf(out, "%02x", sha1[i]);
  text_add_str(out, STR("\",\"content\":"));
  put_pem(out, der);
  text_add_str(out, STR("}"));
  return WPS_OK;
}

int connect_body_write(const struct connect_facts *facts, struct text *out)
{
  int rc;

  text_add_str(out, STR("{\"claims\":"));
  rc = put_claims(out, facts->claims, facts->claim_count);
  if (rc != WPS_OK)
    return rc;
  text_add_str(out, STR(",\"query\":"));
  rc = put_map(out, facts->query, facts->query_count, false,
               is_credential_query);
  if (rc != WPS_OK)
    return rc;
  text_add_str(out, STR(",\"headers\":"));
  rc = put_map(out, facts->headers, facts->header_count, true,
               is_credential_header);
  if (rc != WPS_OK)
    return rc;
  text_add_str(out, STR(",\"subprotocols\":["));
  for (size_t i = 0; i < facts->subprotocol_count; i++) {
    text_add_str(out, i > 0 ? STR(",") : STR(""));
    text_add_json(out, facts->subprotocols[i]);
  }
  text_add_str(out, STR("],\"clientCertificates\":["));
  rc = put_certificate(out, facts->certificate);
  if (rc != WPS_OK)
    return rc;
  text_add_str(out, STR("]}"));
  return out->failed ? WPS_ENOMEM : WPS_OK;
}
