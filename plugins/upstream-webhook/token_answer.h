/* SPDX-License-Identifier: Apache-2.0 */
/* token_answer.h - what an OAuth token endpoint answers. Pure. Thread: any. */
#ifndef WEBHOOK_TOKEN_ANSWER_H
#define WEBHOOK_TOKEN_ANSWER_H

#include <webpubsub/types.h>

struct text;

/* The access_token is appended to `token`, and *expires_in is in seconds: 300
 * when it does not say. Errors: EPROTO with a sentence in *why, ENOMEM. */
int token_answer_read(struct wps_str body, struct text *token,
                      uint64_t *expires_in, const char **why);

#endif
