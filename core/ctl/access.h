/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/access.h - which server, which key, and tokens made with it. */
#ifndef WPS_CTL_ACCESS_H
#define WPS_CTL_ACCESS_H

#include "ctl/ctl.h"

struct access {
  char *endpoint; /* "https://pubsub.example.com", no last slash */
  char *key;
  const char *hub;
  const char *api;  /* path that a server's token is for; NULL: a client's */
  const char *user; /* NULL: none */
  struct repeated roles, groups;
  int64_t ttl_ms;
  /* as asked for, before access_find() */
  const char *config, *connection, *endpoint_arg, *key_arg, *ca_file;
  bool dev;
};

/* Entries for the option table of a command, and the lines of its help. */
#define ACCESS_OPTIONS                                                         \
  {"dev", no_argument, NULL, 'D'}, {"config", required_argument, NULL, 'C'},   \
      {"connection", required_argument, NULL, 'S'},                            \
      {"endpoint", required_argument, NULL, 'E'},                              \
      {"key", required_argument, NULL, 'K'},                                   \
  {                                                                            \
    "ca", required_argument, NULL, 'A'                                         \
  }

#define ACCESS_HELP                                                            \
  "  --dev                the server that webpubsubd --dev starts\n"           \
  "  --config FILE        endpoint and key from a server's configuration\n"    \
  "                       (default: the installed one)\n"                      \
  "  --connection STRING  \"Endpoint=...;AccessKey=...;Version=1.0;\"\n"       \
  "  --endpoint URL       https://HOST[:PORT] of the server\n"                 \
  "  --key KEY            access key; also file:PATH, env:NAME\n"              \
  "  --ca FILE            certificates to trust instead of the system's\n"

/* True when `c` is one of those. */
bool access_option(struct access *a, int c, const char *value);
/* Find endpoint and key. False after a message. */
bool access_find(struct access *a);
void access_free(struct access *a);
/* malloc'ed; NULL when out of memory. The URL is
 * "wss://HOST/client/hubs/HUB?access_token=TOKEN", or "https://HOST/PATH". */
char *access_token(const struct access *a);
char *access_url(const struct access *a, const char *token);

#endif
