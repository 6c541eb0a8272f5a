/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins/auth-jwt/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *file_read(const char *path, size_t *len, char *why,
                       size_t why_size)
{
  /* O_NONBLOCK: a FIFO must not stop the start. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat st;
  char *text = NULL;
  ssize_t n = 0;

  *len = 0;
  if (fd < 0 || fstat(fd, &st) != 0) {
    snprintf(why, why_size, "cannot be read: %s", strerror(errno));
    goto out;
  }
  if (!S_ISREG(st.st_mode)) {
    snprintf(why, why_size, "is not a regular file");
    goto out;
  }
  if ((text = malloc(TOKEN_KEY_FILE_MAX)) == NULL) {
    snprintf(why, why_size, "out of memory");
    goto out;
  }
  while (*len < TOKEN_KEY_FILE_MAX &&
         (n = read(fd, text + *len, TOKEN_KEY_FILE_MAX - *len)) > 0)
    *len += (size_t)n;
  if (n < 0)
    snprintf(why, why_size, "cannot be read: %s", strerror(errno));
  else if (*len == TOKEN_KEY_FILE_MAX)
    snprintf(why, why_size, "is longer than 256 KiB");
  else
    goto out;
  free(text);
  text = NULL;

out:
  if (fd >= 0)
    close(fd);
  return text;
}

bool key_file_add(struct token_keys *keys, struct wps_str path, bool jwks,
                  char *why, size_t why_size)
{
  char name[4096], *text;
  size_t len;
  bool ok;

  if (path.len == 0 || path.len >= sizeof(name)) {
    snprintf(why, why_size, "is not a file name");
    return false;
  }
  memcpy(name, path.ptr, path.len);
  name[path.len] = '\0';
  if ((text = file_read(name, &len, why, why_size)) == NULL)
    return false;
  ok = jwks ? token_keys_add_jwks(keys, (struct wps_str){text, len}, why,
                                  why_size)
            : token_keys_add_pem(keys, (struct wps_str){text, len}, why,
                                 why_size);
  free(text);
  return ok;
}
