/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys made by the test, and the client's side of TLS. */
#ifndef WPS_TESTS_TLS_HELPER_H
#define WPS_TESTS_TLS_HELPER_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct identity {
  X509 *cert;
  EVP_PKEY *key;
  char cert_file[256];
  char key_file[256];
};

static char tls_folder[] = "/tmp/test_tls.XXXXXX";

static inline void tls_folder_make(void)
{
  ck_assert_ptr_nonnull(mkdtemp(tls_folder));
}

static inline void identity_add_extension(X509 *cert, int nid, const char *text)
{
  X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, text);

  ck_assert_ptr_nonnull(e);
  ck_assert_int_eq(X509_add_ext(cert, e, -1), 1);
  X509_EXTENSION_free(e);
}

/* Signed by `issuer`, or by itself when that is NULL. */
static inline void identity_make(struct identity *id, const char *name,
                                 const struct identity *issuer)
{
  static long serial = 1;
  X509_NAME *subject;
  FILE *out;

  id->key = EVP_EC_gen("P-256");
  ck_assert_ptr_nonnull(id->key);
  id->cert = X509_new();
  ck_assert_ptr_nonnull(id->cert);
  X509_set_version(id->cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(id->cert), serial++);
  X509_gmtime_adj(X509_getm_notBefore(id->cert), -60);
  X509_gmtime_adj(X509_getm_notAfter(id->cert), 3600);
  X509_set_pubkey(id->cert, id->key);
  subject = X509_get_subject_name(id->cert);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             (const unsigned char *)name, -1, -1, 0);
  X509_set_issuer_name(
      id->cert, issuer == NULL ? subject : X509_get_subject_name(issuer->cert));
  identity_add_extension(id->cert, NID_basic_constraints,
                         issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
  ck_assert_int_gt(
      X509_sign(id->cert, issuer == NULL ? id->key : issuer->key, EVP_sha256()),
      0);

  snprintf(id->cert_file, sizeof(id->cert_file), "%s/%s.pem", tls_folder, name);
  snprintf(id->key_file, sizeof(id->key_file), "%s/%s.key", tls_folder, name);
  out = fopen(id->cert_file, "w");
  ck_assert_ptr_nonnull(out);
  ck_assert_int_eq(PEM_write_X509(out, id->cert), 1);
  fclose(out);
  out = fopen(id->key_file, "w");
  ck_assert_ptr_nonnull(out);
  ck_assert_int_eq(
      PEM_write_PrivateKey(out, id->key, NULL, NULL, 0, NULL, NULL), 1);
  fclose(out);
  ck_assert_int_eq(chmod(id->key_file, 0600), 0);
}

static inline void identity_drop(struct identity *id)
{
  if (id->cert == NULL)
    return;
  unlink(id->cert_file);
  unlink(id->key_file);
  X509_free(id->cert);
  EVP_PKEY_free(id->key);
  id->cert = NULL;
}

/* A blocking client on a connected socket; `id` NULL: no certificate; alpn in
 * wire form or NULL. The handshake is not made yet. */
static inline SSL *client_new(int fd, const struct identity *id,
                              const char *alpn)
{
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  SSL *ssl;

  ck_assert_ptr_nonnull(ctx);
  ssl = SSL_new(ctx);
  ck_assert_ptr_nonnull(ssl);
  SSL_CTX_free(ctx);
  if (id != NULL) {
    ck_assert_int_eq(SSL_use_certificate(ssl, id->cert), 1);
    ck_assert_int_eq(SSL_use_PrivateKey(ssl, id->key), 1);
  }
  if (alpn != NULL)
    ck_assert_int_eq(SSL_set_alpn_protos(ssl, (const unsigned char *)alpn,
                                         (unsigned)strlen(alpn)),
                     0);
  ck_assert_int_eq(SSL_set_fd(ssl, fd), 1);
  SSL_set_connect_state(ssl);
  return ssl;
}

static inline void client_write(SSL *ssl, const void *bytes, size_t len)
{
  size_t n;

  ck_assert_int_eq(SSL_write_ex(ssl, bytes, len, &n), 1);
  ck_assert_uint_eq(n, len);
}

static inline void client_read(SSL *ssl, void *bytes, size_t len)
{
  size_t n;

  for (size_t have = 0; have < len; have += n)
    ck_assert_int_eq(SSL_read_ex(ssl, (char *)bytes + have, len - have, &n), 1);
}

#endif
