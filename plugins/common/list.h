/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - doubly linked rings; a node that is in none points at itself. */
#ifndef WPS_COMMON_LIST_H
#define WPS_COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
  struct list *next, *prev;
};

#define LIST_ITEM(node_, type, member)                                         \
  ((type *)(void *)((char *)(node_)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
  l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
  return l->next == l;
}

static inline void list_add(struct list *head, struct list *node)
{
  node->prev = head->prev;
  node->next = head;
  head->prev->next = node;
  head->prev = node;
}

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

/* All nodes of `from` to the end of `to`. */
static inline void list_move(struct list *to, struct list *from)
{
  struct list *node;

  while ((node = list_pop(from)) != NULL)
    list_add(to, node);
}

#endif
