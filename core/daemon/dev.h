/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/dev.h - the configuration of `webpubsubd --dev`. */
#ifndef WPS_DAEMON_DEV_H
#define WPS_DAEMON_DEV_H

#include "base/buf.h"

/* YAML: loopback, every shipped plugin that is installed, any hub, the
 * published key. `port` NULL: 8080. */
int dev_configuration(struct buf *out, const char *port);

#endif
