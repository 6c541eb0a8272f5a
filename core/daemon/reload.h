/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/reload.h - what SIGHUP does. Thread: main. */
#ifndef WPS_DAEMON_RELOAD_H
#define WPS_DAEMON_RELOAD_H

struct server;

/* Read the configuration again; the log says what came of it. */
void reload(struct server *s);
/* Free what reloads have left behind; after the workers have stopped. */
void reload_free(struct server *s);

#endif
