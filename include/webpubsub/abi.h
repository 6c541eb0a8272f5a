/* SPDX-License-Identifier: Apache-2.0 */
/* webpubsub/abi.h - version numbers and the rules every public struct obeys.
 *
 * A struct whose first member is `uint32_t struct_size` may grow at its end in
 * a minor version. Whoever allocates it sets struct_size to its own sizeof;
 * whoever reads it asks WPS_HAS() before touching a member newer than 1.0. A
 * member beyond struct_size reads as zero, and zero always means "default".
 * A struct without struct_size is frozen for the whole major version; one that
 * comes in arrays may instead grow by a stride given beside the array. No
 * struct has holes: -Wpadded is an error here, so that an old, smaller object
 * never hides a new member in its padding.
 */
#ifndef WEBPUBSUB_ABI_H
#define WEBPUBSUB_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX != UINT64_MAX
#error "the layout is promised for 64-bit targets only"
#endif

#define WPS_ABI_MAJOR 1 /* a change breaks every plugin; new symbol name */
#define WPS_ABI_MINOR 0 /* a change only appends */

#ifdef __cplusplus
#define WPS_BEGIN_DECLS extern "C" {
#define WPS_END_DECLS }
#else
#define WPS_BEGIN_DECLS
#define WPS_END_DECLS
#endif

#define WPS_EXPORT __attribute__((visibility("default")))
#define WPS_HIDDEN __attribute__((visibility("hidden")))
#define WPS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* True when the object behind `p` is large enough to contain `member`. */
#define WPS_HAS(p, member)                                                    \
  ((size_t)((const char *)(&(p)->member + 1) - (const char *)(p)) <=          \
   (size_t)(p)->struct_size)

/* True when `p` contains the function `fn` and offers it. */
#define WPS_CAN(p, fn) (WPS_HAS(p, fn) && (p)->fn != NULL)

#endif
