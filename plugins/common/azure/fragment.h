/* SPDX-License-Identifier: Apache-2.0 */
/* fragment.h - what a message says of the stream it belongs to: the props of
 * stream.h. Thread: any.
 */
#ifndef WPS_AZURE_FRAGMENT_H
#define WPS_AZURE_FRAGMENT_H

#include <webpubsub/message.h>

struct azure_fragment {
  bool is;  /* the message is one; else all is empty */
  bool end; /* the terminal one */
  uint8_t reserved[6];
  uint64_t sequence;
  struct wps_str id;
  struct wps_str error_name, error_message, error_code; /* {NULL,0}: absent */
};

/* For encoders. */
void azure_fragment_read(const struct wps_message_info *info,
                         struct azure_fragment *out);

/* The message of a fragment: `body` is where it comes from, and its data. With
 * a payload the data is that message's, which is not copied. NULL when out of
 * memory. */
struct wps_message *azure_fragment_make(const struct azure_fragment *fragment,
                                        const struct wps_message_info *body,
                                        struct wps_message *payload);

#endif
