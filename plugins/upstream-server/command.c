/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/upstream-server/command.h"

#include <stdalign.h>
#include <stdlib.h>

#include <webpubsub/event.h>

#include "plugins/common/azure/names.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
  struct wps_str name;
  uint32_t event;
} events[] = {{WPS_STR_INIT("connect"), WPS_EVENT_CONNECT},
              {WPS_STR_INIT("connected"), WPS_EVENT_CONNECTED},
              {WPS_STR_INIT("disconnected"), WPS_EVENT_DISCONNECTED},
              {WPS_STR_INIT("join"), WPS_EVENT_JOIN},
              {WPS_STR_INIT("leave"), WPS_EVENT_LEAVE},
              {WPS_STR_INIT("publish"), WPS_EVENT_PUBLISH},
              {WPS_STR_INIT("joined"), WPS_EVENT_JOINED},
              {WPS_STR_INIT("left"), WPS_EVENT_LEFT}};

struct command_block {
  struct command_block *next;
  alignas(max_align_t) char bytes[];
};

void *command_room_take(struct command_room *room, size_t len)
{
  struct command_block *block;

  if (len > SIZE_MAX / 2)
    return NULL;
  block = malloc(sizeof(*block) + len);
  if (block == NULL)
    return NULL;
  block->next = room->blocks;
  room->blocks = block;
  return block->bytes;
}

void command_room_clear(struct command_room *room)
{
  while (room->blocks != NULL) {
    struct command_block *block = room->blocks;

    room->blocks = block->next;
    free(block);
  }
}

static uint32_t event_of(struct wps_str name)
{
  for (size_t i = 0; i < COUNT_OF(events); i++)
    if (azure_equal(events[i].name, name))
      return events[i].event;
  return 0;
}

bool command_take_events(struct server_command *out,
                         const struct server_names *system_events)
{
  static const struct wps_str all = WPS_STR_INIT("*");

  for (size_t i = 0; i < out->user_events.count; i++)
    if (azure_equal(out->user_events.items[i], all))
      out->all_user_events = true;
  for (size_t i = 0; i < system_events->count; i++) {
    uint32_t event = event_of(system_events->items[i]);

    if (event == 0)
      return false;
    out->system_events |= event;
  }
  return true;
}
