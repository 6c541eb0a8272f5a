/* SPDX-License-Identifier: Apache-2.0 */
/* auth_host.h - as much of a host as an auth component sees. */
#ifndef WPS_TEST_AUTH_HOST_H
#define WPS_TEST_AUTH_HOST_H

#include <webpubsub/plugin.h>

#define HOST_KEY "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
#define HOST_KEY_2 "second-key-second-key-second-key-second-key"
#define HOST_SERVICE_KEY "service-key-service-key-service-key-service"

/* Values are text in base units; a list repeats its key. */
struct wps_config {
  struct {
    const char *key, *value;
  } values[16];
  struct {
    const char *key;
    struct wps_config *section;
  } sections[8];
};

struct wps_request {
  uint32_t purpose;
  const char *path, *audience, *hub, *scheme;
  const char *target; /* NULL: the path */
  struct {
    const char *name, *value;
  } headers[4], query[4];
};

enum { REPLY_OPEN, REPLY_ACCEPTED, REPLY_FAILED, REPLY_DECLINED };

struct wps_reply {
  int outcome; /* REPLY_* */
  int status;
  char detail[256];
  char user[64];
  char roles[256], groups[256]; /* joined with commas */
  size_t claim_count;
  char credential[64];
  int64_t expires_unix_ms;
  bool abandoned;
};

struct auth_host {
  const char *endpoints[4];
  int64_t unix_ms, now_us;
  char error[512]; /* all config->error() since it was cleared */
  struct {
    wps_fn work;
    wps_done_fn done;
    void *arg;
  } jobs[16];
  size_t job_count;
  struct {
    wps_fn fn;
    void *arg;
  } posts[16];
  size_t post_count;
  int post_status;    /* the same of post() */
  int offload_status; /* of the next offload() calls */
};

extern struct auth_host host;

/* Forget everything and point the plugin at this host; its component. */
const struct wps_component *host_load(const struct wps_plugin *plugin);
/* Run the oldest job of the pool; status as done() gets it. */
void host_run_job(int status);
/* Run what has been posted to workers. */
void host_run_posts(void);

#endif
