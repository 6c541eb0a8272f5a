/* SPDX-License-Identifier: Apache-2.0 */
/* http-rest: the management API of Azure Web PubSub, as its SDKs call it. */
#include <stdlib.h>

#include "plugins/http-rest/rest.h"

static const struct wps_config_item items[] = {
    {.key = "max_message",
     .type = WPS_CONF_SIZE_BYTES,
     .fallback = "1m",
     .min = 1024,
     .max = 64 * 1024 * 1024,
     .help = "largest body of a send and of bulk membership; "
             "limits.message_size holds as well"},
    {.key = "max_groups",
     .type = WPS_CONF_INT,
     .fallback = "0",
     .min = 0,
     .max = 1000000,
     .help = "groups in one call of addToGroups or removeFromGroups; 0: as "
             "many as the body holds"},
    {.key = "rate",
     .type = WPS_CONF_INT,
     .fallback = "0",
     .min = 0,
     .max = 1000000,
     .help = "requests per second with one key, more get 429; 0: no limit"},
    {.key = "burst",
     .type = WPS_CONF_INT,
     .fallback = "0",
     .min = 0,
     .max = 1000000,
     .help = "so many of them may come at once; 0: as many as rate says"},
    {.key = "accept_newer_api_versions",
     .type = WPS_CONF_BOOL,
     .fallback = "true",
     .help = "take an api-version up to a year newer than this server"},
    {.key = "legacy_encoded_slash",
     .type = WPS_CONF_BOOL,
     .fallback = "false",
     .help = "%2F in a name stays %2F, as in Azure, instead of being a slash"},
};
static const struct wps_config_schema schema = WPS_CONFIG_SCHEMA(items);

static void destroy(void *inst)
{
  struct rest *rest = inst;

  rate_free(rest->rate);
  free(rest);
}

static int create(struct wps_instance *self, const struct wps_config *cfg,
                  void *old, void **inst)
{
  struct rest *rest = calloc(1, sizeof(*rest));
  int64_t rate, burst;
  int rc = WPS_ENOMEM;

  (void)old;
  if (rest == NULL)
    return rc;
  rest->self = self;
  rest->max_message = (uint64_t)wps->config->get_int(cfg, "max_message");
  rest->max_groups = (uint64_t)wps->config->get_int(cfg, "max_groups");
  rest->accept_newer = wps->config->get_bool(cfg, "accept_newer_api_versions");
  rest->legacy_slash = wps->config->get_bool(cfg, "legacy_encoded_slash");
  rate = wps->config->get_int(cfg, "rate");
  burst = wps->config->get_int(cfg, "burst");
  if (rate != 0) {
    rest->rate =
        rate_new((uint32_t)rate, (uint32_t)(burst != 0 ? burst : rate));
    if (rest->rate == NULL)
      goto fail;
  }
  rc = rest_kid(rest->kid, sizeof(rest->kid));
  if (rc != WPS_OK)
    goto fail;
  rc = rest_routes(rest);
  if (rc != WPS_OK)
    goto fail;
  *inst = rest;
  return WPS_OK;

fail:
  destroy(rest);
  return rc;
}

static int worker_start(void *inst, struct wps_worker *worker, void **wstate)
{
  struct rest_worker *w = calloc(1, sizeof(*w));

  (void)inst, (void)worker;
  if (w == NULL)
    return WPS_ENOMEM;
  charset_open(&w->charsets);
  *wstate = w;
  return WPS_OK;
}

static void worker_stop(void *inst, void *wstate)
{
  struct rest_worker *w = wstate;

  (void)inst;
  charset_close(&w->charsets);
  free(w);
}

static const struct wps_component component = {
    .struct_size = sizeof(component),
    .kind = WPS_KIND_HTTP,
    .name = "rest",
    .summary = "the REST API of Azure Web PubSub: send, close, groups, "
               "permissions, tokens",
    .schema = &schema,
    .create = create,
    .worker_start = worker_start,
    .worker_stop = worker_stop,
    .destroy = destroy};

WPS_PLUGIN("http-rest", "1.0", "Apache-2.0", &component);
