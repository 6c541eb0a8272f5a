/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

struct tls_context {
  SSL_CTX *ssl;
};

/* "file: what OpenSSL says", and its queue is empty afterwards. */
static void tls_why(char *why, size_t why_size, const char *what,
                    const char *file)
{
  unsigned long first = ERR_peek_error();
  const char *reason = ERR_reason_error_string(first);
  char text[128];

  /* The cause comes first; what callers made of it follows. */
  if (ERR_SYSTEM_ERROR(first))
    reason = strerror_r(ERR_GET_REASON(first), text, sizeof(text));
  snprintf(why, why_size, "%s %s: %s", what, file,
           reason == NULL ? "unknown error" : reason);
  ERR_clear_error();
}

/* A daemon has nobody to ask for a passphrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *asked)
{
  (void)buf;
  (void)size;
  (void)rwflag;
  *(bool *)asked = true;
  return -1;
}

/* Checked and read through one descriptor, so that both mean the same file. */
static EVP_PKEY *tls_read_key(const char *file, char *why, size_t why_size)
{
  EVP_PKEY *key = NULL;
  bool encrypted = false;
  struct stat st;
  char text[128];
  FILE *in = fopen(file, "re");

  if (in == NULL || fstat(fileno(in), &st) != 0) {
    snprintf(why, why_size, "cannot read the key %s: %s", file,
             strerror_r(errno, text, sizeof(text)));
  } else if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    snprintf(why, why_size,
             "the key %s may be read or written by everybody (mode %04o); "
             "chmod 600 it",
             file, (unsigned)(st.st_mode & 07777));
  } else {
    key = PEM_read_PrivateKey(in, NULL, no_passphrase, &encrypted);
    if (key == NULL && encrypted) {
      snprintf(why, why_size,
               "the key %s is encrypted; a key without passphrase is needed",
               file);
      ERR_clear_error();
    } else if (key == NULL) {
      tls_why(why, why_size, "cannot read the key", file);
    }
  }
  if (in != NULL)
    fclose(in);
  return key;
}

/* Frames of HTTP/1.1 are all that is spoken here. A client that offers only
 * something else is told so by the alert of RFC 7301. */
static int tls_select_alpn(SSL *ssl, const unsigned char **out,
                           unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *arg)
{
  static const unsigned char http11[] = "\x08http/1.1";
  unsigned char *chosen;

  (void)ssl;
  (void)arg;
  if (SSL_select_next_proto(&chosen, out_len, http11, sizeof(http11) - 1, in,
                            in_len) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

static void tls_set_modes(SSL_CTX *ssl)
{
  static const unsigned char session_context[] = "webpubsubd";

  SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
  SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  /* One read per wake-up instead of two per record. */
  SSL_CTX_set_read_ahead(ssl, 1);
  /* Sessions live in the clients' tickets; nothing is kept here. */
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(ssl, session_context,
                                 sizeof(session_context) - 1);
  SSL_CTX_set_alpn_select_cb(ssl, tls_select_alpn, NULL);
}

static bool tls_set_identity(SSL_CTX *ssl, const struct tls_settings *settings,
                             char *why, size_t why_size)
{
  EVP_PKEY *key;
  bool ok = false;

  if (SSL_CTX_use_certificate_chain_file(ssl, settings->certificate) != 1) {
    tls_why(why, why_size, "cannot use the certificate", settings->certificate);
    return false;
  }
  key = tls_read_key(settings->key, why, why_size);
  if (key == NULL)
    return false;
  if (X509_check_private_key(SSL_CTX_get0_certificate(ssl), key) != 1) {
    snprintf(why, why_size, "the key %s does not belong to the certificate %s",
             settings->key, settings->certificate);
    ERR_clear_error();
  } else if (SSL_CTX_use_PrivateKey(ssl, key) != 1) {
    tls_why(why, why_size, "cannot use the key", settings->key);
  } else {
    ok = true;
  }
  EVP_PKEY_free(key);
  return ok;
}

static bool tls_set_client_ca(SSL_CTX *ssl, const struct tls_settings *settings,
                              char *why, size_t why_size)
{
  STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(settings->client_ca);

  if (names == NULL ||
      SSL_CTX_load_verify_locations(ssl, settings->client_ca, NULL) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    tls_why(why, why_size, "cannot use the client CA", settings->client_ca);
    return false;
  }
  SSL_CTX_set_client_CA_list(ssl, names);
  SSL_CTX_set_verify(
      ssl,
      SSL_VERIFY_PEER |
          (settings->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
      NULL);
  return true;
}

struct tls_context *tls_context_new(const struct tls_settings *settings,
                                    char *why, size_t why_size)
{
  struct tls_context *ctx = calloc(1, sizeof(*ctx));

  ERR_clear_error();
  if (ctx != NULL)
    ctx->ssl = SSL_CTX_new(TLS_server_method());
  if (ctx == NULL || ctx->ssl == NULL) {
    snprintf(why, why_size, "out of memory");
    goto fail;
  }
  tls_set_modes(ctx->ssl);
  if (!tls_set_identity(ctx->ssl, settings, why, why_size) ||
      (settings->client_ca != NULL &&
       !tls_set_client_ca(ctx->ssl, settings, why, why_size)))
    goto fail;
  return ctx;

fail:
  tls_context_free(ctx);
  return NULL;
}

void tls_context_free(struct tls_context *ctx)
{
  if (ctx == NULL)
    return;
  SSL_CTX_free(ctx->ssl);
  free(ctx);
}

struct ssl_st *tls_accept(struct tls_context *ctx, int fd)
{
  SSL *ssl = SSL_new(ctx->ssl);

  if (ssl != NULL && SSL_set_fd(ssl, fd) != 1) {
    SSL_free(ssl);
    ssl = NULL;
  }
  if (ssl == NULL)
    ERR_clear_error();
  else
    SSL_set_accept_state(ssl);
  return ssl;
}
