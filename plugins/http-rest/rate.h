/* SPDX-License-Identifier: Apache-2.0 */
/* rate.h - so many requests per second for each credential.
 *
 * The generic cell rate algorithm: of a credential only one time is kept, the
 * one at which its next request would come if all came evenly. Atomic, without
 * locks. Credentials are those of the configuration and therefore few; when
 * there are more than places, the rest share the last.
 */
#ifndef WPS_REST_RATE_H
#define WPS_REST_RATE_H

#include <webpubsub/types.h>

struct rate;

/* burst: so many at once, at least 1. NULL when out of memory. Thread: any. */
struct rate *rate_new(uint32_t per_second, uint32_t burst);
void rate_free(struct rate *rate);

/* May one more pass at now_us? Else *retry_s is when to come again. Thread:
 * any. */
bool rate_take(struct rate *rate, struct wps_str credential, int64_t now_us,
               uint32_t *retry_s);
uint32_t rate_per_second(const struct rate *rate);

#endif
