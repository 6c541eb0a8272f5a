/* SPDX-License-Identifier: Apache-2.0 */
/* host/contract.h - what a plugin promised, checked in debug builds. */
#ifndef WPS_HOST_CONTRACT_H
#define WPS_HOST_CONTRACT_H

#include "base/quarantine.h"
#include "conn/conn.h"

#define CONTRACT_CONN(conn, name)                                              \
  CONTRACT((conn)->worker == worker_current(),                                 \
           name " on a thread that is not the client's worker")
#define CONTRACT_MEMBER(member, name)                                          \
  CONTRACT((member)->client != NULL, name " after left()")
#define CONTRACT_WORKER(w, name)                                               \
  CONTRACT((w) == worker_current(), name " on another worker's thread")

#endif
