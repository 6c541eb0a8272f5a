/* SPDX-License-Identifier: Apache-2.0 */
/* base/list.h - intrusive doubly linked list; a head is a node of its own. */
#ifndef WPS_BASE_LIST_H
#define WPS_BASE_LIST_H

#include "base/base.h"

struct list {
  struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
  l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
  return l->next == l;
}
static inline void list_add_tail(struct list *head, struct list *node)
{
  node->prev = head->prev;
  node->next = head;
  head->prev->next = node;
  head->prev = node;
}
/* The node is left as a list of its own, so that removing twice is harmless. */
static inline void list_remove(struct list *node)
{
  node->prev->next = node->next;
  node->next->prev = node->prev;
  list_init(node);
}
static inline struct list *list_pop(struct list *head)
{
  struct list *node = head->next;

  if (node == head)
    return NULL;
  list_remove(node);
  return node;
}

#endif
