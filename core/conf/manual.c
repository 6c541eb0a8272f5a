/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/manual.h"

#include "conf/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum { TYPE_TEXT_MAX = 256, PREFIX_MAX = 256, MDOC_COLUMNS = 76 };

static void bound_text(const struct wps_config_item *item, int64_t number,
                       char *out, size_t size)
{
  if (item->type == WPS_CONF_DURATION_MS)
    units_duration_text(number, out, size);
  else if (item->type == WPS_CONF_SIZE_BYTES)
    units_size_text(number, out, size);
  else
    snprintf(out, size, "%" PRId64, number);
}

static const char *type_name(uint32_t type)
{
  switch (type) {
  case WPS_CONF_BOOL:
    return "true or false";
  case WPS_CONF_INT:
    return "number";
  case WPS_CONF_DURATION_MS:
    return "duration";
  case WPS_CONF_SIZE_BYTES:
    return "size";
  case WPS_CONF_SECRET:
    return "secret";
  case WPS_CONF_SECTION:
    return "section";
  default:
    return "text";
  }
}

void item_type_text(const struct wps_config_item *item, char *out, size_t size)
{
  const char *list = (item->flags & WPS_CONF_LIST) != 0 ? "list of " : "";
  const char *bytes =
      item->type == WPS_CONF_STRING || item->type == WPS_CONF_SECRET ? " bytes"
                                                                     : "";
  const char *each;
  char min[32], max[32];
  size_t used, i;

  if (item->type == WPS_CONF_ENUM) {
    used = (size_t)snprintf(out, size, "%s", list);
    for (i = 0; item->choices != NULL && item->choices[i] != NULL; i++) {
      if (used < size)
        used += (size_t)snprintf(out + used, size - used, "%s%s",
                                 i == 0 ? "" : " | ", item->choices[i]);
    }
    return;
  }
  used = (size_t)snprintf(out, size, "%s%s%s", list, type_name(item->type),
                          list[0] != '\0' && item->type != WPS_CONF_BOOL ? "s"
                                                                         : "");
  if (used >= size || (item->min == 0 && item->max == 0))
    return;
  bound_text(item, item->min, min, sizeof(min));
  bound_text(item, item->max, max, sizeof(max));
  each = list[0] != '\0' ? " each" : "";
  if (item->max == 0 && item->min > 0)
    snprintf(out + used, size - used, ", at least %s%s%s", min, bytes, each);
  else
    snprintf(out + used, size - used, ", %s to %s%s%s", min, max, bytes, each);
}

bool schema_requires(const struct wps_config_schema *schema)
{
  size_t i;

  for (i = 0; schema != NULL && i < schema->item_count; i++) {
    if ((schema_item(schema, i).flags & WPS_CONF_REQUIRED) != 0)
      return true;
  }
  return false;
}

void mdoc_sentence(struct buf *out, const char *text)
{
  size_t column = 0, len;
  char last = '\0';

  for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
    size_t i;

    len = strcspn(text, " ");
    if (column > 0 && (column + 1 + len > MDOC_COLUMNS ||
                       (last != '\0' && strchr(".?!", last) != NULL))) {
      buf_add_byte(out, '\n');
      column = 0;
    } else if (column > 0) {
      buf_add_byte(out, ' ');
      column++;
    }
    if (column == 0 && (*text == '.' || *text == '\''))
      buf_add_c(out, "\\&");
    for (i = 0; i < len; i++) {
      bool first = last == '\0' && i == 0 && text[i] >= 'a' && text[i] <= 'z';

      if (text[i] == '\\')
        buf_add_c(out, "\\e");
      else
        buf_add_byte(out, first ? (char)(text[i] - 'a' + 'A') : text[i]);
    }
    last = text[len - 1];
    column += len;
    text += len;
  }
  if (last != '\0' && strchr(".?!", last) == NULL)
    buf_add_byte(out, '.');
  buf_add_byte(out, '\n');
}

static void mdoc_item(struct buf *out, const char *prefix,
                      const struct wps_config_item *item)
{
  char type[TYPE_TEXT_MAX], inner[PREFIX_MAX], line[TYPE_TEXT_MAX + 64];
  bool list = (item->flags & WPS_CONF_LIST) != 0;

  item_type_text(item, type, sizeof(type));
  buf_printf(out, ".It Ic %s%s\n", prefix, item->key);
  if (item->help != NULL)
    mdoc_sentence(out, item->help);
  if (item->type != WPS_CONF_SECTION || list) {
    snprintf(line, sizeof(line), "(%s%s%s%s)", type,
             (item->flags & WPS_CONF_REQUIRED) != 0 ? "; required" : "",
             item->fallback != NULL ? "; default " : "",
             item->fallback != NULL && item->fallback[0] == '\0' ? "empty"
             : item->fallback != NULL ? item->fallback
                                      : "");
    mdoc_sentence(out, line);
  }
  if (item->type != WPS_CONF_SECTION || item->items == NULL)
    return;
  snprintf(inner, sizeof(inner), "%s%s%s.", prefix, item->key,
           list ? "[]" : "");
  buf_add_c(out, ".Bl -tag -width Ds\n");
  manual_mdoc(out, inner, item->items);
  buf_add_c(out, ".El\n");
}

int manual_mdoc(struct buf *out, const char *prefix,
                const struct wps_config_schema *schema)
{
  size_t i;

  for (i = 0; schema != NULL && i < schema->item_count; i++) {
    struct wps_config_item item = schema_item(schema, i);

    mdoc_item(out, prefix, &item);
  }
  return out->failed ? WPS_ENOMEM : WPS_OK;
}

/* A plain scalar where YAML and our own rules read the same text from it. */
static void yaml_scalar(struct buf *out, struct wps_str text)
{
  bool plain = text.len > 0 && !str_eq_c(text, "~") && !str_eq_c(text, "null");
  size_t i;

  for (i = 0; i < text.len && plain; i++) {
    char c = text.ptr[i];

    plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || c == '_' || c == '/' ||
            (i > 0 && (c == '.' || c == '-' || c == ' '));
  }
  if (plain && text.ptr[text.len - 1] != ' ') {
    buf_add_str(out, text);
    return;
  }
  buf_add_byte(out, '"');
  for (i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.ptr[i];

    if (c == '"' || c == '\\')
      buf_printf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
      buf_printf(out, "\\x%02x", c);
    else
      buf_add_byte(out, (char)c);
  }
  buf_add_byte(out, '"');
}

static void yaml_margin(struct buf *out, unsigned indent, bool off)
{
  buf_printf(out, "%*s%s", (int)indent, "", off ? "# " : "");
}

static void yaml_items(struct buf *out, unsigned indent, bool off,
                       const struct wps_config_schema *schema);

static void yaml_item(struct buf *out, unsigned indent, bool off,
                      const struct wps_config_item *item)
{
  bool list = (item->flags & WPS_CONF_LIST) != 0;
  char type[TYPE_TEXT_MAX];

  item_type_text(item, type, sizeof(type));
  yaml_margin(out, indent, off);
  if (item->type == WPS_CONF_SECTION && !list)
    buf_printf(out, "# %s\n", item->help != NULL ? item->help : item->key);
  else
    buf_printf(out, "# %s (%s)\n", item->help != NULL ? item->help : item->key,
               type);
  if (item->type == WPS_CONF_SECTION && !list) {
    /* A section that cannot be empty is written out only as a comment. */
    bool hidden = off || schema_requires(item->items);

    yaml_margin(out, indent, hidden);
    buf_printf(out, "%s:\n", item->key);
    yaml_items(out, indent + 2, hidden, item->items);
    return;
  }
  yaml_margin(out, indent, off || item->fallback == NULL);
  buf_printf(out, "%s:", item->key);
  if (item->fallback == NULL) {
    buf_add_c(out, list ? " []\n" : "\n");
    return;
  }
  buf_add_byte(out, ' ');
  if (list)
    buf_add_c(out, item->fallback);
  else
    yaml_scalar(out, str_from(item->fallback));
  buf_add_byte(out, '\n');
}

static void yaml_items(struct buf *out, unsigned indent, bool off,
                       const struct wps_config_schema *schema)
{
  size_t i;

  for (i = 0; schema != NULL && i < schema->item_count; i++) {
    struct wps_config_item item = schema_item(schema, i);

    yaml_item(out, indent, off, &item);
  }
}

int manual_yaml(struct buf *out, unsigned indent,
                const struct wps_config_schema *schema)
{
  yaml_items(out, indent, false, schema);
  return out->failed ? WPS_ENOMEM : WPS_OK;
}
