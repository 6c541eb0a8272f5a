/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - the connections of a group, page by page (azure-server.md 7.11). */
#include <stdlib.h>
#include <string.h>

#include "plugins/common/json_write.h"
#include "plugins/http-rest/rest.h"

enum { PAGE_MAX = 200, TOP_MAX = 2147483647 };

static void put_url_text(struct json_out *out, struct wps_str text)
{
  static const char hex[] = "0123456789ABCDEF";
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                              "WXYZ0123456789-._~";

  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];
    char escape[3] = {'%', hex[c >> 4], hex[c & 15]};

    if (c != '\0' && strchr(plain, (char)c) != NULL)
      json_out_raw(out, text.ptr + i, 1);
    else
      json_out_raw(out, escape, sizeof(escape));
  }
}

/* The same group from its connection `cursor` on. Nothing in it has to be
 * escaped for JSON: endpoints and Host are URLs. */
static void put_link(struct json_out *out, const struct rest_call *call,
                     const char *cursor, uint64_t shown)
{
  struct path_base base = path_base(call->req);

  JSON_OUT(out, ",\"nextLink\":\"");
  json_out_raw(out, base.scheme.ptr, base.scheme.len);
  json_out_raw(out, base.rest.ptr, base.rest.len);
  JSON_OUT(out, "/api/hubs/");
  put_url_text(out, call->hub);
  JSON_OUT(out, "/groups/");
  put_url_text(out, call->group);
  JSON_OUT(out, "/connections?api-version=" REST_NEWEST "&maxpagesize=");
  json_out_u64(out, call->page);
  if (call->top != 0) {
    JSON_OUT(out, "&top=");
    json_out_u64(out, call->top - shown);
  }
  JSON_OUT(out, "&continuationToken=");
  json_out_raw(out, cursor, strlen(cursor));
  JSON_OUT(out, "\"");
}

static const struct wps_listed *item(const struct wps_listing *l, size_t i)
{
  return (const struct wps_listed *)(const void *)((const char *)l->items +
                                                   i * l->item_size);
}

static void put_page(struct json_out *out, const struct rest_call *call,
                     const struct wps_listing *l, const char *cursor)
{
  JSON_OUT(out, "{\"value\":[");
  for (size_t i = 0; i < l->count; i++) {
    const struct wps_listed *one = item(l, i);

    if (i > 0)
      JSON_OUT(out, ",");
    JSON_OUT(out, "{\"connectionId\":");
    json_out_text(out, one->conn);
    if (one->user.len > 0) {
      JSON_OUT(out, ",\"userId\":");
      json_out_text(out, one->user);
    }
    JSON_OUT(out, "}");
  }
  JSON_OUT(out, "]");
  if (cursor != NULL)
    put_link(out, call, cursor, l->count);
  JSON_OUT(out, "}");
}

static struct wps_frame *page_frame(const struct rest_call *call,
                                    const struct wps_listing *l,
                                    const char *cursor)
{
  struct json_out out = {NULL, 0, 0};
  struct wps_frame *frame;
  void *room;

  put_page(&out, call, l, cursor);
  frame = wps->message->frame_alloc(WPS_TEXT, out.len, &room);
  if (frame == NULL)
    return NULL;
  out = (struct json_out){room, out.len, 0};
  put_page(&out, call, l, cursor);
  return frame;
}

static void listed(void *arg, const struct wps_listing *l)
{
  struct rest_call *call = arg;
  char *cursor = NULL;

  if (l->status != WPS_OK) {
    rest_failed(call, l->status);
    return;
  }
  if (l->more && l->count > 0 && (call->top == 0 || call->top > l->count)) {
    cursor =
        rest_cursor_make(call->hub, call->group, item(l, l->count - 1)->conn);
    if (cursor == NULL) {
      rest_failed(call, WPS_ENOMEM);
      return;
    }
  }
  rest_json(call, page_frame(call, l, cursor));
  free(cursor);
}

/* False: the call has ended. */
static bool read_cursor(struct rest_call *call, char *room,
                        struct wps_str *after)
{
  struct wps_str text;
  int rc;

  *after = (struct wps_str){NULL, 0};
  if (!rest_read_text(call, "continuationToken", &text))
    return false;
  if (text.ptr == NULL)
    return true;
  rc = rest_cursor_read(call->hub, call->group, text, room, after);
  if (rc == WPS_OK)
    return true;
  if (rc == WPS_ENOMEM)
    rest_failed(call, rc);
  else
    rest_bad(call, "continuationToken",
             "Invalid continuation token. It has to be that of the last page "
             "of this group.");
  return false;
}

void rest_list(struct rest_call *call)
{
  struct wps_list_query query = {.struct_size = sizeof(query)};
  char room[REST_CURSOR_MAX];
  int rc;

  if (!rest_read_int(call, "maxpagesize", 1, PAGE_MAX, PAGE_MAX, &call->page) ||
      !rest_read_int(call, "top", 1, TOP_MAX, 0, &call->top) ||
      !read_cursor(call, room, &query.after))
    return;
  query.limit =
      call->top != 0 && call->top < call->page ? call->top : call->page;
  rc = wps->hub->list(call->rest->self, &call->target, &query, listed, call);
  if (rc != WPS_OK)
    rest_failed(call, rc);
}
