/* SPDX-License-Identifier: Apache-2.0 */
/* auth-jwt: who holds an access token signed for this server is welcome.
 *
 * One request at a time per worker, answered inside the call. The access keys
 * stay in the core; what is configured here are public keys of others, whose
 * tokens admit clients. To act as a server takes an access key, or a role of
 * such an issuer that the configuration names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <webpubsub/plugin.h>

#include "plugins/auth-jwt/key_file.h"
#include "plugins/common/jwt_audience.h"
#include "plugins/common/jwt_token.h"

#define STR_LITERAL_INIT(s)                                                    \
  {                                                                            \
    s, sizeof(s) - 1                                                           \
  }
#define STR_LITERAL(s) ((struct wps_str)STR_LITERAL_INIT(s))

static const struct wps_config_item items[] = {
    {.key = "max_token_size",
     .type = WPS_CONF_SIZE_BYTES,
     .fallback = "8k",
     .min = 256,
     .max = TOKEN_BYTES_MAX,
     .help = "longest token of a client that is looked at; those of servers "
             "name a whole URL and may be as long as the header fields"},
    {.key = "clock_skew",
     .type = WPS_CONF_DURATION_MS,
     .fallback = "5m",
     .min = 0,
     .max = 3600000,
     .help = "how far clocks may differ when exp and nbf are checked"},
    {.key = "public_keys",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_LIST,
     .help = "PEM files with public keys (RSA, EC P-256) or certificates whose "
             "RS256 and ES256 tokens admit clients"},
    {.key = "jwks",
     .type = WPS_CONF_STRING,
     .help = "file with a JSON Web Key Set of such keys, read at start"},
    {.key = "issuer",
     .type = WPS_CONF_STRING,
     .help = "iss that tokens signed with a public key must have"},
    {.key = "audience",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_LIST,
     .help = "values of aud that tokens signed with a public key may have "
             "beside the URL of the hub"},
    {.key = "owner_roles",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_LIST,
     .help = "values of the claim roles that make the holder of such a token a "
             "server that may do everything"},
    {.key = "reader_roles",
     .type = WPS_CONF_STRING,
     .flags = WPS_CONF_LIST,
     .help = "the same for one that may look only"},
};
static const struct wps_config_schema schema = WPS_CONFIG_SCHEMA(items);

struct auth_jwt {
  struct wps_instance *self;
  const struct wps_config *cfg;
  size_t max_bytes;
  int64_t skew_ms;
  struct wps_str issuer;
  struct token_keys keys;
  bool api_roles; /* tokens of others may make servers */
};

/* What the callbacks of one token_read() need to know. */
struct question {
  const struct auth_jwt *inst;
  const struct wps_request *req;
  bool client, server;       /* FOR_CLIENT, FOR_SERVER; else FOR_API       */
  struct wps_str path;       /* that aud must name behind an endpoint      */
  struct wps_str legacy_hub; /* {NULL, 0} unless the hub was in the query  */
  const char *verified_by;   /* what verified the signature                */
  char credential[32];       /* room for it                                */
};

static bool is_given(struct wps_str s)
{
  return s.ptr != NULL && s.len > 0;
}

/* ---- token ---- */

/* False when the header is absent or of another scheme; an empty token is
 * a bad one. */
static bool bearer_get(const struct wps_request *req, struct wps_str *token)
{
  struct wps_str value = wps->request->header(req, "Authorization");

  while (value.len > 0 && (*value.ptr == ' ' || *value.ptr == '\t'))
    value.ptr++, value.len--;
  if (value.len < 6 || strncasecmp(value.ptr, "Bearer", 6) != 0 ||
      (value.len > 6 && value.ptr[6] != ' '))
    return false;
  value.ptr += 6;
  value.len -= 6;
  while (value.len > 0 && *value.ptr == ' ')
    value.ptr++, value.len--;
  while (value.len > 0 &&
         (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
    value.len--;
  *token = value;
  return true;
}

/* "access_keys[1]". */
static void credential_put(struct question *q, uint32_t which)
{
  static const char head[] = "access_keys[";
  char *at = q->credential + sizeof(q->credential);

  *--at = '\0';
  *--at = ']';
  do
    *--at = (char)('0' + which % 10);
  while ((which /= 10) > 0);
  at -= sizeof(head) - 1;
  memcpy(at, head, sizeof(head) - 1);
  q->verified_by = at;
}

/* What the server generates admits clients and outlives its access keys. Whose
 * kid only looks like that is asked for an access key as everybody is. */
static bool hs256(void *arg, bool generated, struct wps_bytes data,
                  const uint8_t mac[32])
{
  struct question *q = arg;
  uint32_t which = 0;

  if (generated && q->client &&
      wps->server->verify(WPS_KEY_SERVICE, STR_LITERAL(TOKEN_GENERATED_PURPOSE),
                          data, mac, NULL) == WPS_OK) {
    q->verified_by = "service_key";
    return true;
  }
  if (wps->server->verify(WPS_KEY_ACCESS, (struct wps_str){"", 0}, data, mac,
                          &which) != WPS_OK)
    return false;
  credential_put(q, which);
  return true;
}

/* ---- audience ---- */

static bool audience_fits(const struct question *q, struct wps_str aud,
                          const struct token_origin *origin)
{
  if (q->client)
    return token_audience_client(aud, origin, q->path, q->legacy_hub);
  if (q->server)
    return token_audience_server(aud, origin, q->path,
                                 wps->request->hub(q->req));
  return token_audience_api(aud, origin, q->path);
}

static bool in_list(const struct auth_jwt *inst, const char *key,
                    struct wps_str text)
{
  size_t n = wps->config->count(inst->cfg, key);

  for (size_t i = 0; i < n; i++) {
    struct wps_str one = wps->config->str_at(inst->cfg, key, i);

    if (one.len == text.len && memcmp(one.ptr, text.ptr, text.len) == 0)
      return true;
  }
  return false;
}

static bool audience(void *arg, uint32_t alg, struct wps_str aud)
{
  const struct question *q = arg;
  struct token_origin origin;
  struct wps_str text;
  size_t n = 0;

  if (alg != TOKEN_HS256 && in_list(q->inst, "audience", aud))
    return true;
  for (; wps->server->endpoint_at(n, &text) == WPS_OK; n++)
    if (token_origin_from_url(text, &origin) && audience_fits(q, aud, &origin))
      return true;
  /* Servers sign for the public endpoint while Host may name a proxy
   * (azure-server.md 8): there, Host counts only when nothing is known. */
  if (!q->client && n > 0)
    return false;
  text = wps->request->scheme(q->req);
  return token_origin_from_host(wps->request->header(q->req, "Host"),
                                text.len == 5, &origin) &&
         audience_fits(q, aud, &origin);
}

/* One slash at the end of a path does not count, but one that came escaped is
 * the end of a name. */
static struct wps_str path_of_api(const struct wps_request *req)
{
  struct wps_str path = wps->request->path(req);
  struct wps_str target = wps->request->target(req);
  const char *query =
      target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;

  if (query != NULL)
    target.len = (size_t)(query - target.ptr);
  if (target.len > 0 && target.ptr[target.len - 1] == '/' && path.len > 0)
    path.len--;
  return path;
}

static void question_init(struct question *q, const struct auth_jwt *inst,
                          const struct wps_request *req)
{
  struct wps_str path = wps->request->path(req);

  memset(q, 0, sizeof(*q));
  q->inst = inst;
  q->req = req;
  q->verified_by = "public_keys";
  q->client = wps->request->purpose(req) == WPS_FOR_CLIENT;
  q->server = wps->request->purpose(req) == WPS_FOR_SERVER;
  q->path = q->client ? wps->request->audience(req) : path_of_api(req);
  if (q->client && path.len >= 7 && path.len <= 8 &&
      strncasecmp(path.ptr, "/client/", path.len) == 0)
    q->legacy_hub = wps->request->hub(req);
}

/* ---- authenticate ---- */

static const struct wps_str owner = STR_LITERAL_INIT(WPS_ROLE_OWNER);
static const struct wps_str reader = STR_LITERAL_INIT(WPS_ROLE_READER);

/* Holding an access key is what makes a server; its tokens name no roles. Those
 * of others have to name one that is configured. */
static const struct wps_str *api_role(const struct auth_jwt *inst,
                                      const struct token *token)
{
  const struct wps_str *best = NULL;

  if (token->alg == TOKEN_HS256)
    return &owner;
  for (size_t i = 0; i < token->claim_count; i++) {
    const struct wps_pair *claim = &token->claims[i];

    if (claim->name.len != 5 || memcmp(claim->name.ptr, "roles", 5) != 0)
      continue;
    if (in_list(inst, "owner_roles", claim->value))
      return &owner;
    if (in_list(inst, "reader_roles", claim->value))
      best = &reader;
  }
  return best;
}

static void principal_accept(const struct question *q,
                             const struct token *token, struct wps_reply *reply)
{
  struct wps_str *own = NULL;
  struct wps_principal who = {
      .struct_size = sizeof(who),
      .user = token->user,
      .roles = token->roles,
      .role_count = token->role_count,
      .groups = token->groups,
      .group_count = token->group_count,
      .claims = token->claims,
      .claim_count = token->claim_count,
      .credential = {q->verified_by, strlen(q->verified_by)},
      .expires_unix_ms = token->expires_unix_ms};

  if (!q->client) {
    who.roles = api_role(q->inst, token);
    who.role_count = who.roles != NULL;
    who.groups = NULL;
    who.group_count = 0;
  }
  if (q->server && who.roles == &owner) {
    /* What it is to do there is its own choice (azure-server.md 9.5). */
    own = malloc((token->role_count + 1) * sizeof(*own));
    if (own == NULL) {
      wps->reply->fail(reply, WPS_ENOMEM, STR_LITERAL("out of memory"));
      return;
    }
    own[0] = owner;
    for (size_t i = 0; i < token->role_count; i++)
      own[i + 1] = token->roles[i];
    who.roles = own;
    who.role_count = token->role_count + 1;
  }
  wps->auth->accept(reply, &who);
  free(own);
}

/* The expected audience helps whoever set up a proxy; the token's own words
 * stay out of the log. */
static void refuse(const struct question *q, struct wps_reply *reply,
                   int status, const char *why)
{
  struct wps_str place = {NULL, 0}, scheme = {"", 0}, hub = {"", 0};
  char text[400];

  if (strcmp(why, TOKEN_WHY_AUDIENCE) != 0) {
    wps->reply->fail(reply, status, (struct wps_str){why, strlen(why)});
    return;
  }
  if (wps->server->endpoint_at(0, &place) != WPS_OK) {
    scheme = wps->request->scheme(q->req);
    place = wps->request->header(q->req, "Host");
  }
  hub = q->server ? wps->request->hub(q->req) : hub;
  snprintf(text, sizeof(text), "%s; expected %.*s%s%.*s%.*s%s%.*s", why,
           (int)scheme.len, scheme.ptr, scheme.len > 0 ? "://" : "",
           (int)place.len, place.ptr != NULL ? place.ptr : "", (int)q->path.len,
           q->path.ptr, q->server ? "?hub=" : "", (int)hub.len,
           hub.ptr != NULL ? hub.ptr : "");
  wps->reply->fail(reply, status, (struct wps_str){text, strlen(text)});
}

static void authenticate(void *inst, void *wstate, struct wps_request *req,
                         struct wps_reply *reply)
{
  struct auth_jwt *a = inst;
  struct token_policy policy = {.max_bytes = a->max_bytes,
                                .skew_ms = a->skew_ms,
                                .now_unix_ms = wps->worker->unix_ms(),
                                .hs256 = hs256,
                                .audience = audience,
                                .issuer = a->issuer};
  struct wps_str text = {NULL, 0};
  struct question q;
  struct token token;
  const char *why;
  int rc;

  (void)wstate;
  question_init(&q, a, req);
  if (q.client || q.server)
    text = wps->request->query(req, "access_token");
  if (!is_given(text) && !bearer_get(req, &text)) {
    wps->reply->decline(reply);
    return;
  }
  policy.arg = &q;
  if (!q.client)
    policy.max_bytes = TOKEN_BYTES_MAX;
  policy.keys = q.client || a->api_roles ? &a->keys : NULL;
  rc = token_read(text, &policy, &token, &why);
  if (rc != WPS_OK) {
    refuse(&q, reply, rc, why);
    return;
  }
  principal_accept(&q, &token, reply);
  token_clear(&token);
}

/* ---- configuration and life ---- */

static int keys_load(const struct wps_config *cfg, struct token_keys *keys)
{
  size_t n = wps->config->count(cfg, "public_keys");
  struct wps_str path;
  char why[200];
  int rc = WPS_OK;

  for (size_t i = 0; i < n; i++) {
    path = wps->config->str_at(cfg, "public_keys", i);
    if (!key_file_add(keys, path, false, why, sizeof(why)))
      rc = wps->config->error(cfg, "public_keys", "%.*s: %s", (int)path.len,
                              path.ptr, why);
  }
  path = wps->config->get_str(cfg, "jwks");
  if (is_given(path) && !key_file_add(keys, path, true, why, sizeof(why)))
    rc = wps->config->error(cfg, "jwks", "%.*s: %s", (int)path.len, path.ptr,
                            why);
  return rc;
}

static int check(const struct wps_config *cfg)
{
  static const char *const lists[] = {"issuer", "audience", "owner_roles",
                                      "reader_roles"};
  struct token_keys *keys = calloc(1, sizeof(*keys));
  int rc;

  if (keys == NULL)
    return WPS_ENOMEM;
  rc = keys_load(cfg, keys);
  for (size_t i = 0; rc == WPS_OK && i < sizeof(lists) / sizeof(*lists); i++) {
    if (wps->config->count(cfg, lists[i]) == 0)
      continue;
    if (keys->count == 0)
      rc = wps->config->error(cfg, lists[i],
                              "means nothing without public_keys or jwks");
    else if (i >= 2 && (wps->config->count(cfg, "audience") == 0 ||
                        !is_given(wps->config->get_str(cfg, "issuer"))))
      rc = wps->config->error(cfg, lists[i],
                              "needs `issuer` and `audience` beside it");
  }
  token_keys_clear(keys);
  free(keys);
  return rc;
}

static void destroy(void *inst)
{
  struct auth_jwt *a = inst;

  token_keys_clear(&a->keys);
  free(a);
}

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  struct auth_jwt *a = calloc(1, sizeof(*a));
  int rc;

  (void)old;
  if (a == NULL)
    return WPS_ENOMEM;
  a->self = self;
  a->cfg = cfg;
  a->max_bytes = (size_t)wps->config->get_int(cfg, "max_token_size");
  a->skew_ms = wps->config->get_int(cfg, "clock_skew");
  a->issuer = wps->config->get_str(cfg, "issuer");
  a->api_roles = wps->config->count(cfg, "owner_roles") > 0 ||
                 wps->config->count(cfg, "reader_roles") > 0;
  if (a->issuer.len == 0)
    a->issuer.ptr = NULL;
  if ((rc = keys_load(cfg, &a->keys)) != WPS_OK) {
    destroy(a);
    return rc;
  }
  if (a->keys.count > 0)
    wps->log->write(self, NULL, WPS_LOG_INFO, "public_keys=%zu", a->keys.count);
  *inst = a;
  return WPS_OK;
}

static const struct wps_auth ops = {.struct_size = sizeof(ops),
                                    .authenticate = authenticate};

static const struct wps_component component = {
    .struct_size = sizeof(component),
    .kind = WPS_KIND_AUTH,
    .name = "jwt",
    .summary = "access tokens: HS256 with the access keys, RS256 and ES256 "
               "with configured public keys",
    .schema = &schema,
    .check = check,
    .create = create,
    .destroy = destroy,
    .ops.auth = &ops};

WPS_PLUGIN("auth-jwt", "1.0", "Apache-2.0", &component);
