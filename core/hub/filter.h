/* SPDX-License-Identifier: Apache-2.0 */
/* hub/filter.h - filter expressions (azure-server.md 7.6): which clients of a
 * target are meant.
 *
 * A text is compiled once, with all its errors found then, into an immutable
 * tree; matching a client takes no lock, and no memory but for the functions
 * that make long strings. There is no cache of compiled filters: compiling one
 * of a hundred bytes takes a microsecond, less than the request around it by
 * far, and a cache would be a lock that all workers share.
 *
 * Where 7.6 leaves a choice:
 * - Positions in messages, length(), indexof() and substring() count UTF-16
 *   units, as in JavaScript. A substring() that cuts a pair in two has half of
 *   it, which equals nothing that can be written in a filter.
 * - Literals, names and lists are shown in messages as they were written.
 * - `and` and `or` do not look at their right side when the left one decides.
 * - Items of a list may be expressions.
 * - tolower() and toupper() map character by character, by Unicode's simple
 *   mappings, but not the dotted and dotless i of Turkish; where the system has
 *   no locale C.UTF-8 they map ASCII letters only.
 * - A client for which functions make more than 64 KiB of strings, or look at
 *   more than 256 KiB, does not match.
 */
#ifndef WPS_HUB_FILTER_H
#define WPS_HUB_FILTER_H

#include "base/base.h"

struct hub_client;
struct hub_facts;

enum {
  FILTER_TEXT_MAX = 8192,
  FILTER_OPERATORS_MAX = 200, /* and, or, not, comparisons, in */
  FILTER_DEPTH_MAX = 100,     /* parentheses, calls and lists, not */
  FILTER_READ_MAX = 256 * 1024
};

/* Thread: any. With EINVAL the sentence for the client is in `why`, terminated,
 * in valid UTF-8 and cut to why_size; may be NULL with 0. Errors: EINVAL,
 * ENOMEM. */
int filter_new(struct wps_str text, const struct wps_filter **out, char *why,
               size_t why_size);
const struct wps_filter *filter_ref(const struct wps_filter *f);
void filter_unref(const struct wps_filter *f); /* may be NULL */

/* `groups` of the client are those of `c`. Thread: the client's worker. */
bool filter_match(const struct wps_filter *f, const struct hub_client *c,
                  const struct hub_facts *facts);

#endif
