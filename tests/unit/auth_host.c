/* SPDX-License-Identifier: Apache-2.0 */
#include "auth_host.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

struct auth_host host;

static struct wps_str text(const char *c)
{
  return (struct wps_str){c, c != NULL ? strlen(c) : 0};
}

/* ---- configuration ---- */

static const char *value_at(const struct wps_config *cfg, const char *key,
                            size_t index)
{
  for (size_t i = 0; i < 16 && cfg->values[i].key != NULL; i++)
    if (strcmp(cfg->values[i].key, key) == 0 && index-- == 0)
      return cfg->values[i].value;
  return NULL;
}

static int64_t get_int(const struct wps_config *cfg, const char *key)
{
  const char *value = value_at(cfg, key, 0);

  ck_assert_msg(value != NULL, "no value for %s", key);
  return strtoll(value, NULL, 10);
}

static struct wps_str get_str(const struct wps_config *cfg, const char *key)
{
  return text(value_at(cfg, key, 0));
}

static struct wps_str str_at(const struct wps_config *cfg, const char *key,
                             size_t index)
{
  return text(value_at(cfg, key, index));
}

static const struct wps_config *section_at(const struct wps_config *cfg,
                                           const char *key, size_t index)
{
  for (size_t i = 0; i < 8 && cfg->sections[i].key != NULL; i++)
    if (strcmp(cfg->sections[i].key, key) == 0 && index-- == 0)
      return cfg->sections[i].section;
  return NULL;
}

static size_t count(const struct wps_config *cfg, const char *key)
{
  size_t n = 0;

  while (value_at(cfg, key, n) != NULL || section_at(cfg, key, n) != NULL)
    n++;
  return n;
}

static int config_error(const struct wps_config *cfg, const char *key,
                        const char *fmt, ...)
{
  size_t n = strlen(host.error);
  va_list args;

  (void)cfg;
  snprintf(host.error + n, sizeof(host.error) - n,
           "%s: ", key != NULL ? key : "-");
  n = strlen(host.error);
  va_start(args, fmt);
  vsnprintf(host.error + n, sizeof(host.error) - n, fmt, args);
  va_end(args);
  return WPS_EINVAL;
}

static const struct wps_config_api config_api = {.struct_size =
                                                     sizeof(config_api),
                                                 .get_int = get_int,
                                                 .get_str = get_str,
                                                 .count = count,
                                                 .str_at = str_at,
                                                 .section_at = section_at,
                                                 .error = config_error};

/* ---- log, worker ---- */

static void log_write(struct wps_instance *self, struct wps_conn *conn,
                      uint32_t level, const char *fmt, ...)
{
  (void)self, (void)conn, (void)level, (void)fmt;
}

static const struct wps_log_api log_api = {.struct_size = sizeof(log_api),
                                           .write = log_write};

static int64_t unix_ms(void)
{
  return host.unix_ms;
}

static int64_t now_us(const struct wps_worker *worker)
{
  (void)worker;
  return host.now_us;
}

static int offload(struct wps_instance *self, struct wps_worker *worker,
                   wps_fn work, wps_done_fn done, void *arg)
{
  (void)self, (void)worker;
  if (host.offload_status != WPS_OK)
    return host.offload_status;
  ck_assert_uint_lt(host.job_count, 16);
  host.jobs[host.job_count].work = work;
  host.jobs[host.job_count].done = done;
  host.jobs[host.job_count++].arg = arg;
  return WPS_OK;
}

static int post(struct wps_worker *worker, wps_fn fn, void *arg)
{
  (void)worker;
  if (host.post_status != WPS_OK)
    return host.post_status;
  ck_assert_uint_lt(host.post_count, 16);
  host.posts[host.post_count].fn = fn;
  host.posts[host.post_count++].arg = arg;
  return WPS_OK;
}

void host_run_posts(void)
{
  for (size_t i = 0; i < host.post_count; i++)
    host.posts[i].fn(host.posts[i].arg);
  host.post_count = 0;
}

void host_run_job(int status)
{
  wps_fn work = host.jobs[0].work;
  wps_done_fn done = host.jobs[0].done;
  void *arg = host.jobs[0].arg;

  ck_assert_uint_gt(host.job_count, 0);
  host.job_count--;
  memmove(&host.jobs[0], &host.jobs[1], host.job_count * sizeof(host.jobs[0]));
  if (status == WPS_OK)
    work(arg);
  done(arg, status);
}

static const struct wps_worker_api worker_api = {.struct_size =
                                                     sizeof(worker_api),
                                                 .now_us = now_us,
                                                 .unix_ms = unix_ms,
                                                 .post = post,
                                                 .offload = offload};

/* ---- request ---- */

static struct wps_str path(const struct wps_request *req)
{
  return text(req->path);
}

static struct wps_str target(const struct wps_request *req)
{
  return text(req->target != NULL ? req->target : req->path);
}

static struct wps_str audience(const struct wps_request *req)
{
  return text(req->audience);
}

static struct wps_str hub(const struct wps_request *req)
{
  return text(req->hub);
}

static struct wps_str scheme(const struct wps_request *req)
{
  return text(req->scheme != NULL ? req->scheme : "http");
}

static uint32_t purpose(const struct wps_request *req)
{
  return req->purpose;
}

static struct wps_str header(const struct wps_request *req, const char *name)
{
  for (size_t i = 0; i < 4 && req->headers[i].name != NULL; i++)
    if (strcasecmp(req->headers[i].name, name) == 0)
      return text(req->headers[i].value);
  return text(NULL);
}

static struct wps_str query(const struct wps_request *req, const char *name)
{
  for (size_t i = 0; i < 4 && req->query[i].name != NULL; i++)
    if (strcmp(req->query[i].name, name) == 0)
      return text(req->query[i].value);
  return text(NULL);
}

static const struct wps_request_api request_api = {.struct_size =
                                                       sizeof(request_api),
                                                   .target = target,
                                                   .path = path,
                                                   .hub = hub,
                                                   .scheme = scheme,
                                                   .purpose = purpose,
                                                   .audience = audience,
                                                   .header = header,
                                                   .query = query};

/* ---- reply ---- */

static void finish(struct wps_reply *reply, int outcome)
{
  ck_assert_int_eq(reply->outcome, REPLY_OPEN);
  reply->outcome = outcome;
}

static void reply_fail(struct wps_reply *reply, int status,
                       struct wps_str detail)
{
  finish(reply, REPLY_FAILED);
  reply->status = status;
  snprintf(reply->detail, sizeof(reply->detail), "%.*s", (int)detail.len,
           detail.ptr);
}

static void reply_decline(struct wps_reply *reply)
{
  finish(reply, REPLY_DECLINED);
}

static bool reply_abandoned(const struct wps_reply *reply)
{
  return reply->abandoned;
}

static const struct wps_reply_api reply_api = {.struct_size = sizeof(reply_api),
                                               .fail = reply_fail,
                                               .decline = reply_decline,
                                               .abandoned = reply_abandoned};

static void join(char *out, size_t size, const struct wps_str *list, size_t n)
{
  size_t at = 0;

  out[0] = '\0';
  for (size_t i = 0; i < n; i++)
    at += (size_t)snprintf(out + at, size - at, "%s%.*s", i > 0 ? "," : "",
                           (int)list[i].len, list[i].ptr);
}

static void auth_accept(struct wps_reply *reply,
                        const struct wps_principal *who)
{
  finish(reply, REPLY_ACCEPTED);
  snprintf(reply->user, sizeof(reply->user), "%.*s", (int)who->user.len,
           who->user.len > 0 ? who->user.ptr : "");
  join(reply->roles, sizeof(reply->roles), who->roles, who->role_count);
  join(reply->groups, sizeof(reply->groups), who->groups, who->group_count);
  reply->claim_count = who->claim_count;
  snprintf(reply->credential, sizeof(reply->credential), "%.*s",
           (int)who->credential.len,
           who->credential.len > 0 ? who->credential.ptr : "");
  reply->expires_unix_ms = who->expires_unix_ms;
}

static const struct wps_auth_api auth_api = {.struct_size = sizeof(auth_api),
                                             .accept = auth_accept};

/* ---- server ---- */

static int endpoint_at(size_t index, struct wps_str *out)
{
  if (index >= 4 || host.endpoints[index] == NULL)
    return WPS_ENOTFOUND;
  *out = text(host.endpoints[index]);
  return WPS_OK;
}

static bool mac_is(const char *key, struct wps_bytes data,
                   const uint8_t mac[32])
{
  uint8_t own[32];
  unsigned len = sizeof(own);

  HMAC(EVP_sha256(), key, (int)strlen(key), data.ptr, data.len, own, &len);
  return CRYPTO_memcmp(own, mac, 32) == 0;
}

static int verify(uint32_t key, struct wps_str purpose_, struct wps_bytes data,
                  const uint8_t mac[32], uint32_t *which)
{
  if (key == WPS_KEY_SERVICE) {
    ck_assert_uint_eq(purpose_.len, strlen("client-token"));
    ck_assert_int_eq(memcmp(purpose_.ptr, "client-token", purpose_.len), 0);
    return mac_is(HOST_SERVICE_KEY, data, mac) ? WPS_OK : WPS_EUNAUTHORIZED;
  }
  ck_assert_uint_eq(key, WPS_KEY_ACCESS);
  ck_assert_uint_eq(purpose_.len, 0);
  for (uint32_t i = 0; i < 2; i++) {
    if (!mac_is(i == 0 ? HOST_KEY : HOST_KEY_2, data, mac))
      continue;
    if (which != NULL)
      *which = i;
    return WPS_OK;
  }
  return WPS_EUNAUTHORIZED;
}

static const struct wps_server_api server_api = {.struct_size =
                                                     sizeof(server_api),
                                                 .endpoint_at = endpoint_at,
                                                 .verify = verify};

static const struct wps_host table = {.struct_size = sizeof(table),
                                      .abi_major = WPS_ABI_MAJOR,
                                      .config = &config_api,
                                      .log = &log_api,
                                      .worker = &worker_api,
                                      .reply = &reply_api,
                                      .request = &request_api,
                                      .auth = &auth_api,
                                      .server = &server_api};

const struct wps_component *host_load(const struct wps_plugin *plugin)
{
  memset(&host, 0, sizeof(host));
  *plugin->host = &table;
  return plugin->components[0];
}
