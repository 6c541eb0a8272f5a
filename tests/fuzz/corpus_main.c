/* SPDX-License-Identifier: Apache-2.0 */
/* The main() of a fuzz target where there is no libFuzzer: each file of the
 * target's committed corpus, once. Files and folders can be named instead,
 * which is how a crash is looked at in an ordinary build. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 * 1024 * 1024 };

/* The input lies in a block of exactly its size, so that a sanitizer sees the
 * first byte read beyond it. */
static int run_file(const char *path)
{
  FILE *f = fopen(path, "rb");
  uint8_t *data = NULL;
  struct stat st;
  size_t size;
  int ran = -1;

  if (f == NULL || fstat(fileno(f), &st) != 0 || st.st_size < 0 ||
      st.st_size > INPUT_MAX)
    goto out;
  size = (size_t)st.st_size;
  data = malloc(size == 0 ? 1 : size);
  if (data == NULL || fread(data, 1, size, f) != size)
    goto out;
  LLVMFuzzerTestOneInput(data, size);
  ran = 1;
out:
  if (ran < 0)
    fprintf(stderr, "%s: cannot be read\n", path);
  free(data);
  if (f != NULL)
    fclose(f);
  return ran;
}

/* How many inputs ran; -1 when one could not be read. */
static int run_path(const char *path)
{
  DIR *dir = opendir(path);
  struct dirent *e;
  int total = 0;

  if (dir == NULL)
    return errno == ENOTDIR ? run_file(path) : -1;
  while (total >= 0 && (e = readdir(dir)) != NULL) {
    char child[4096];
    int n;

    if (e->d_name[0] == '.')
      continue;
    n = snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
    n = n < 0 || (size_t)n >= sizeof(child) ? -1 : run_path(child);
    total = n < 0 ? -1 : total + n;
  }
  closedir(dir);
  return total;
}

int main(int argc, char **argv)
{
  const char *top = getenv("top_srcdir");
  const char *name = strrchr(argv[0], '/');
  char path[4096];
  int total = 0;
  int n;

  name = name == NULL ? argv[0] : name + 1;
  if (strncmp(name, "lt-", 3) == 0)
    name += 3;
  if (strncmp(name, "fuzz_", 5) == 0)
    name += 5;
  if (argc > 1) {
    for (int i = 1; i < argc && total >= 0; i++) {
      n = run_path(argv[i]);
      total = n < 0 ? -1 : total + n;
    }
  } else {
    n = snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s",
                 top == NULL ? "." : top, name);
    total = n < 0 || (size_t)n >= sizeof(path) ? -1 : run_path(path);
    if (total <= 0)
      fprintf(stderr, "%s: no corpus\n", path);
  }
  printf("%s: %d inputs\n", name, total < 0 ? 0 : total);
  return total > 0 ? 0 : 1;
}
