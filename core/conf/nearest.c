/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/internal.h"

#include <string.h>

#include "base/str.h"

enum { WORD_MAX = 64 };

static char fold(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Equal but for case, '_' and '-': messageSize and message_size. */
static bool same_letters(struct wps_str a, struct wps_str b)
{
  size_t i = 0, j = 0;

  for (;;) {
    while (i < a.len && (a.ptr[i] == '_' || a.ptr[i] == '-'))
      i++;
    while (j < b.len && (b.ptr[j] == '_' || b.ptr[j] == '-'))
      j++;
    if (i == a.len || j == b.len)
      return i == a.len && j == b.len;
    if (fold(a.ptr[i++]) != fold(b.ptr[j++]))
      return false;
  }
}

static size_t min3(size_t a, size_t b, size_t c)
{
  size_t m = a < b ? a : b;

  return m < c ? m : c;
}

/* Insertions, deletions, substitutions and swaps of neighbours. */
static size_t distance(struct wps_str a, struct wps_str b)
{
  size_t rows[3][WORD_MAX + 1];
  size_t *before = rows[0], *last = rows[1], *now = rows[2], *swap;
  size_t i, j;

  for (j = 0; j <= b.len; j++)
    last[j] = before[j] = j;
  for (i = 1; i <= a.len; i++) {
    now[0] = i;
    for (j = 1; j <= b.len; j++) {
      char x = fold(a.ptr[i - 1]), y = fold(b.ptr[j - 1]);

      now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (x != y));
      if (i > 1 && j > 1 && x == fold(b.ptr[j - 2]) &&
          fold(a.ptr[i - 2]) == y && before[j - 2] + 1 < now[j])
        now[j] = before[j - 2] + 1;
    }
    swap = before;
    before = last;
    last = now;
    now = swap;
  }
  return last[b.len];
}

const char *nearest(struct wps_str word, const char *const *known,
                    size_t known_count)
{
  const char *best = NULL;
  size_t best_distance = WORD_MAX, i;

  if (word.len == 0 || word.len > WORD_MAX)
    return NULL;
  for (i = 0; i < known_count; i++) {
    struct wps_str k = str_from(known[i]);
    size_t d, longer, allowed;

    if (k.len == 0 || k.len > WORD_MAX)
      continue;
    if (same_letters(word, k))
      return known[i];
    longer = word.len > k.len ? word.len : k.len;
    allowed = longer < 3 ? 0 : longer < 6 ? 1 : longer / 3;
    d = distance(word, k);
    if (d <= allowed && d < best_distance) {
      best = known[i];
      best_distance = d;
    }
  }
  return best;
}

const char *foreign_name(struct wps_str word)
{
  static const char *const names[][2] = {
      {"anonymousConnectPolicy", "anonymous"},
      {"eventHandlers", "event_handlers"},
      {"eventListeners", "event_listeners"},
      {"groupPresenceEvents", "presence_events"},
      {"systemEvents", "system_events"},
      {"urlTemplate", "url"},
      {"userEventPattern", "user_events"},
      {"webSocketKeepAliveIntervalInSeconds", "ping_interval"},
  };
  size_t i;

  for (i = 0; i < ARRAY_LEN(names); i++) {
    if (str_ieq_c(word, names[i][0]))
      return names[i][1];
  }
  return NULL;
}

const char *unserved(struct wps_str word)
{
  static const char *const words[][2] = {
      {"event_listeners",
       "this version has no event listeners; events go to `event_handlers`"},
      {"managedIdentity", "managed identities are there in Azure only"},
  };
  size_t i;

  for (i = 0; i < ARRAY_LEN(words); i++) {
    if (str_ieq_c(word, words[i][0]))
      return words[i][1];
  }
  return NULL;
}
