/* SPDX-License-Identifier: Apache-2.0 */
/* base/base.h - what every file of the core may assume.
 *
 * The room base knows nothing but libc and libcrypto; it has no threads of its
 * own, and everything in it may be called from any thread unless its header
 * says otherwise.
 */
#ifndef WPS_BASE_BASE_H
#define WPS_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <webpubsub/types.h>

#include <webpubsub/status.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member)                                        \
  ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define UNUSED(x) ((void)(x))

/* A wps_str from a literal, for expressions. */
#define STR(literal) ((struct wps_str){"" literal, sizeof(literal) - 1})
#define STR_NONE ((struct wps_str){NULL, 0})

/* For printf: "%.*s", STR_ARG(s). Longer than INT_MAX is cut. */
#define STR_ARG(s)                                                             \
  (int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len),                          \
      (s).ptr == NULL ? "" : (s).ptr

#endif
