/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/common/cloudevents/report.h"

#include "plugins/common/cloudevents/request.h"
#include "plugins/common/cloudevents/text.h"

bool limiter_pass(struct limiter *l, int64_t now_us, uint32_t per_second,
                  uint32_t *hidden)
{
  int64_t second = now_us / 1000000;

  if (second != l->second) {
    l->second = second;
    l->written = 0;
  }
  if (l->written >= per_second) {
    l->hidden++;
    return false;
  }
  l->written++;
  *hidden = l->hidden;
  l->hidden = 0;
  return true;
}

void report_operation(struct text *out, const struct wps_event *event)
{
  struct wps_str name = event_name(event);

  text_printf(out,
              "Sending message during operation hub:%.*s,event:%.*s,type:%s,"
              "category:connections,requestType:%s",
              STR_ARG(event->hub), STR_ARG(name), event_class(event),
              event_kind(event));
}
