/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/dev.c - a development server needs no file. */
#include "daemon/dev.h"

#include <stdlib.h>

#include "conf/core_schema.h"
#include "daemon/settings.h"

int dev_configuration(struct buf *out, const char *port)
{
  char **shipped = settings_shipped();

  if (shipped == NULL)
    return WPS_ENOMEM;
  buf_printf(out,
             "listen: [{ address: \"127.0.0.1:%s\" }]\n"
             "access_keys: [ %s ]\n"
             "shutdown: { timeout: 5s, spread: 0 }\n"
             "hubs: { \"*\": {} }\n"
             "plugins:\n",
             port != NULL ? port : "8080", PUBLISHED_KEY);
  /* Shipped plugins need no key of their own: a schema that requires one would
   * belong to an outside service. */
  for (size_t i = 0; shipped[i] != NULL; i++)
    buf_printf(out, "  %s: {}\n", shipped[i]);
  if (shipped[0] == NULL)
    buf_add_c(out, "  {}\n");
  free(shipped);
  return out->failed ? WPS_ENOMEM : WPS_OK;
}
