/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - what an application answered, told to the core
 * (azure-server.md 3.7, 3.10). Thread: any. */
#ifndef CLOUDEVENTS_ANSWER_H
#define CLOUDEVENTS_ANSWER_H

#include <webpubsub/event.h>

enum {
  CE_STATE_MAX = 16 * 1024,
  CE_REFUSAL_MAX = 64 * 1024, /* body that goes on to a client */
  CE_BODY_MAX = 16 * 1024 * 1024
};

/* One HTTP answer, whoever carried it. Borrows. */
struct ce_answer {
  uint32_t code;
  uint32_t reserved;
  struct wps_str type;             /* {NULL, 0}: no Content-Type           */
  struct wps_str state;            /* ce-connectionState; {NULL, 0}: none  */
  const struct wps_pair *metadata; /* headers, names as they came          */
  size_t metadata_count;
  struct wps_str body;
};

/* A 2xx. Consumes reply (NULL: nobody waits) when it returns WPS_OK; else
 * *why says what is wrong with the answer. Errors: EPROTO, ETOOBIG, ENOMEM. */
int ce_answer_accept(struct wps_instance *self, const struct wps_event *event,
                     const struct ce_answer *a, struct wps_reply *reply,
                     const char **why);
/* A connect event was answered with 4xx or 5xx. Consumes reply. */
void ce_answer_refuse(const struct ce_answer *a, struct wps_reply *reply);

#endif
