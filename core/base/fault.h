/* SPDX-License-Identifier: Apache-2.0 */
/* base/fault.h - fault injection, with --enable-debug only.
 *
 * WEBPUBSUBD_FAULT="NAME:N[,NAME:N]" makes the N-th pass (from 1) through the
 * point NAME fail; "NAME:N+" that one and all after it. In release builds a
 * point is the constant false.
 *
 * Points: accept (EMFILE), read (ECONNRESET), write (EPIPE), short_write,
 * log_write (ENOSPC), offload; and for want of memory alloc_conn,
 * alloc_message, alloc_pending (what a group owes), alloc_due (what one client
 * is owed by several), alloc_shared (one piece for all), keep_rest (what is
 * left of such a piece), alloc_kept (the queue of a session), alloc_job (a
 * publish to other workers), alloc_completion (a `done` for later).
 */
#ifndef WPS_BASE_FAULT_H
#define WPS_BASE_FAULT_H

#include "base/base.h"

#ifdef WPS_DEBUG
bool fault_hits(const char *point);
#define FAULT(point) UNLIKELY(fault_hits(point))
#else
#define FAULT(point) false
#endif

#endif
