/* SPDX-License-Identifier: Apache-2.0 */
/* connect_answer.h - the body of a successful answer to a connect event
 * (azure-server.md 3.7). Pure. Thread: any. */
#ifndef CLOUDEVENTS_CONNECT_ANSWER_H
#define CLOUDEVENTS_CONNECT_ANSWER_H

#include <webpubsub/types.h>

/* Absent members are {NULL, 0} and NULL. One block holds what it points at. */
struct connect_answer {
  struct wps_str user, subprotocol;
  const struct wps_str *roles, *groups; /* NULL: not said */
  size_t role_count, group_count;
  char *block;
};

/* Nothing, null or an object with members in any case; others than ours do not
 * count. Errors: EPROTO with a sentence in *why, ENOMEM; then there is nothing
 * to free. */
int connect_answer_read(struct wps_str body, struct connect_answer *out,
                        const char **why);
void connect_answer_free(struct connect_answer *a);

#endif
