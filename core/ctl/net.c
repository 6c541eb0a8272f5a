/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct net {
  int fd;
  SSL_CTX *ctx;
  SSL *ssl;
  int64_t timeout_ms;
  char why[512];
};

/* ---- URLs ---- */

static const struct {
  const char *prefix, *port;
  bool tls;
} schemes[] = {{"ws://", "80", false},
               {"wss://", "443", true},
               {"http://", "80", false},
               {"https://", "443", true}};

static bool host_split(const char *text, size_t len, struct net_url *out)
{
  const char *end = text + len, *colon;
  size_t host_len;

  if (len > 0 && text[0] == '[') {
    const char *close = memchr(text, ']', len);

    if (close == NULL)
      return false;
    host_len = (size_t)(close - text) - 1;
    colon = close + 1;
    text++;
  } else {
    colon = memchr(text, ':', len);
    if (colon == NULL)
      colon = end;
    host_len = (size_t)(colon - text);
  }
  if (host_len == 0 || host_len >= sizeof(out->host))
    return false;
  memcpy(out->host, text, host_len);
  out->host[host_len] = '\0';
  if (colon == end)
    return true;
  len = (size_t)(end - colon) - 1;
  if (*colon != ':' || len == 0 || len >= sizeof(out->port))
    return false;
  memcpy(out->port, colon + 1, len);
  out->port[len] = '\0';
  return strspn(out->port, "0123456789") == len;
}

bool net_url_parse(const char *text, struct net_url *out, char *why,
                   size_t why_size)
{
  size_t len;

  memset(out, 0, sizeof(*out));
  for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
    size_t n = strlen(schemes[i].prefix);

    if (strncasecmp(text, schemes[i].prefix, n) != 0)
      continue;
    text += n;
    out->tls = schemes[i].tls;
    snprintf(out->port, sizeof(out->port), "%s", schemes[i].port);
    len = strcspn(text, "/?#");
    if (len >= sizeof(out->authority) || memchr(text, '@', len) != NULL ||
        !host_split(text, len, out) || strpbrk(text, "# \t\r\n") != NULL)
      break;
    memcpy(out->authority, text, len);
    out->target = text + len;
    return true;
  }
  snprintf(why, why_size,
           "the URL must look like ws://HOST[:PORT]/PATH (ws, wss, http, "
           "https)");
  return false;
}

/* ---- waiting ---- */

static bool net_wait(struct net *n, short events)
{
  struct pollfd p = {.fd = n->fd, .events = events};
  int timeout = n->timeout_ms == 0        ? -1
                : n->timeout_ms > INT_MAX ? INT_MAX
                                          : (int)n->timeout_ms;
  int rc;

  do
    rc = poll(&p, 1, timeout);
  while (rc < 0 && errno == EINTR);
  if (rc == 0)
    snprintf(n->why, sizeof(n->why), "nothing came in time");
  else if (rc < 0)
    snprintf(n->why, sizeof(n->why), "%s", strerror(errno));
  return rc > 0;
}

/* ---- opening ---- */

static int tcp_try(struct net *n, const struct addrinfo *a)
{
  socklen_t len = sizeof(int);
  int error = 0, on = 1;

  n->fd =
      socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (n->fd < 0)
    return errno;
  if (connect(n->fd, a->ai_addr, a->ai_addrlen) != 0) {
    if (errno != EINPROGRESS)
      return errno;
    if (!net_wait(n, POLLOUT))
      return ETIMEDOUT;
    if (getsockopt(n->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
      return errno;
    if (error != 0)
      return error;
  }
  setsockopt(n->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return 0;
}

static bool tcp_open(struct net *n, const struct net_url *url)
{
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all, *a;
  int rc = getaddrinfo(url->host, url->port, &hints, &all), error = 0;

  if (rc != 0) {
    snprintf(n->why, sizeof(n->why), "%s: %s", url->host, gai_strerror(rc));
    return false;
  }
  for (a = all; a != NULL; a = a->ai_next) {
    if ((error = tcp_try(n, a)) == 0)
      break;
    if (n->fd >= 0)
      close(n->fd);
    n->fd = -1;
  }
  freeaddrinfo(all);
  if (a != NULL)
    return true;
  snprintf(n->why, sizeof(n->why), "%s port %s: %s", url->host, url->port,
           strerror(error));
  return false;
}

/* False when it is not worth another try. */
static bool tls_again(struct net *n, int rc)
{
  unsigned long error;
  long verdict;

  switch (SSL_get_error(n->ssl, rc)) {
  case SSL_ERROR_WANT_READ:
    return net_wait(n, POLLIN);
  case SSL_ERROR_WANT_WRITE:
    return net_wait(n, POLLOUT);
  default:
    verdict = SSL_get_verify_result(n->ssl);
    error = ERR_get_error();
    snprintf(n->why, sizeof(n->why), "TLS: %s",
             verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
             : error != 0         ? ERR_reason_error_string(error)
                                  : "the connection broke");
    return false;
  }
}

static bool is_address(const char *host)
{
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *a;

  if (getaddrinfo(host, NULL, &hints, &a) != 0)
    return false;
  freeaddrinfo(a);
  return true;
}

static bool tls_open(struct net *n, const struct net_url *url,
                     const char *ca_file)
{
  X509_VERIFY_PARAM *param;
  int rc;

  if ((n->ctx = SSL_CTX_new(TLS_client_method())) == NULL)
    goto fail;
  SSL_CTX_set_min_proto_version(n->ctx, TLS1_2_VERSION);
  SSL_CTX_set_verify(n->ctx, SSL_VERIFY_PEER, NULL);
  if (ca_file != NULL
          ? SSL_CTX_load_verify_locations(n->ctx, ca_file, NULL) != 1
          : SSL_CTX_set_default_verify_paths(n->ctx) != 1) {
    snprintf(n->why, sizeof(n->why), "%s: no certificates in it",
             ca_file != NULL ? ca_file : "the system");
    return false;
  }
  if ((n->ssl = SSL_new(n->ctx)) == NULL || SSL_set_fd(n->ssl, n->fd) != 1)
    goto fail;
  param = SSL_get0_param(n->ssl);
  if (is_address(url->host)
          ? X509_VERIFY_PARAM_set1_ip_asc(param, url->host) != 1
          : (X509_VERIFY_PARAM_set1_host(param, url->host, 0) != 1 ||
             SSL_set_tlsext_host_name(n->ssl, url->host) != 1))
    goto fail;
  while ((rc = SSL_connect(n->ssl)) != 1)
    if (!tls_again(n, rc))
      return false;
  return true;

fail:
  snprintf(n->why, sizeof(n->why), "TLS cannot be set up");
  return false;
}

struct net *net_open(const struct net_url *url, const struct net_options *how,
                     char *why, size_t why_size)
{
  struct net *n = calloc(1, sizeof(*n));

  if (n == NULL) {
    snprintf(why, why_size, "out of memory");
    return NULL;
  }
  n->fd = -1;
  n->timeout_ms = how->timeout_ms;
  if (tcp_open(n, url) && (!url->tls || tls_open(n, url, how->ca_file)))
    return n;
  snprintf(why, why_size, "%s", n->why);
  net_close(n);
  return NULL;
}

void net_close(struct net *n)
{
  if (n == NULL)
    return;
  if (n->ssl != NULL && SSL_is_init_finished(n->ssl))
    SSL_shutdown(n->ssl);
  SSL_free(n->ssl);
  SSL_CTX_free(n->ctx);
  if (n->fd >= 0)
    close(n->fd);
  free(n);
}

void net_timeout(struct net *n, int64_t timeout_ms)
{
  n->timeout_ms = timeout_ms;
}

const char *net_why(const struct net *n)
{
  return n->why;
}

/* ---- bytes ---- */

ssize_t net_read(struct net *n, void *out, size_t size)
{
  int chunk = size > INT_MAX ? INT_MAX : (int)size;
  ssize_t got;
  int rc;

  if (n->ssl != NULL) {
    for (;;) {
      ERR_clear_error();
      if ((rc = SSL_read(n->ssl, out, chunk)) > 0)
        return rc;
      if (SSL_get_error(n->ssl, rc) == SSL_ERROR_ZERO_RETURN)
        return 0;
      if (!tls_again(n, rc))
        return -1;
    }
  }
  while ((got = read(n->fd, out, size)) < 0) {
    if (errno == EINTR)
      continue;
    if (errno != EAGAIN) {
      snprintf(n->why, sizeof(n->why), "%s", strerror(errno));
      return -1;
    }
    if (!net_wait(n, POLLIN))
      return -1;
  }
  return got;
}

bool net_write(struct net *n, const void *bytes, size_t len)
{
  const char *p = bytes;
  ssize_t done;
  int rc;

  while (len > 0) {
    if (n->ssl != NULL) {
      ERR_clear_error();
      rc = SSL_write(n->ssl, p, len > INT_MAX ? INT_MAX : (int)len);
      if (rc <= 0 && !tls_again(n, rc))
        return false;
      done = rc > 0 ? rc : 0;
    } else {
      done = write(n->fd, p, len);
      if (done < 0 && errno != EINTR && errno != EAGAIN) {
        snprintf(n->why, sizeof(n->why), "%s", strerror(errno));
        return false;
      }
      if (done < 0 && errno == EAGAIN && !net_wait(n, POLLOUT))
        return false;
      done = done > 0 ? done : 0;
    }
    p += done;
    len -= (size_t)done;
  }
  return true;
}
