/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/base64.h"
#include "base/rand.h"

enum { SECRET_MIN = 8, SECRET_MAX = 1023, SALT = 16, HASH = 32 };
enum { ITERATIONS = 600000, ITERATIONS_MIN = 1000, ITERATIONS_MAX = 10000000 };

static const struct option options[] = {
    {"iterations", required_argument, NULL, 'i'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

/* One line from stdin, unseen when it is a terminal. */
static bool secret_read(char *out, size_t size)
{
  struct termios old, quiet;
  bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &old) == 0;
  bool ok;

  if (terminal) {
    quiet = old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    fputs("secret: ", stderr);
  }
  ok = fgets(out, (int)size, stdin) != NULL;
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
    fputc('\n', stderr);
  }
  if (ok)
    out[strcspn(out, "\r\n")] = '\0';
  return ok;
}

static int hash_print(const char *secret, int iterations)
{
  unsigned char salt[SALT], hash[HASH];
  char salt_text[2 * SALT] = "", hash_text[2 * HASH] = "";

  if (rand_bytes(salt, sizeof(salt)) != WPS_OK ||
      PKCS5_PBKDF2_HMAC(secret, (int)strlen(secret), salt, sizeof(salt),
                        iterations, EVP_sha256(), sizeof(hash), hash) != 1)
    return ctl_fail("the secret cannot be hashed");
  base64url_encode(salt, sizeof(salt), salt_text);
  base64url_encode(hash, sizeof(hash), hash_text);
  printf("pbkdf2-sha256:%d:%s:%s\n", iterations, salt_text, hash_text);
  return 0;
}

static int run(const struct command *self, int argc, char **argv)
{
  long iterations = ITERATIONS;
  char secret[SECRET_MAX + 2], *end;
  int c, status = 1;

  while ((c = ctl_option(self, argc, argv, options, &status)) != -1) {
    if (c != 'i')
      return status;
    iterations = strtol(optarg, &end, 10);
    if (*end != '\0' || iterations < ITERATIONS_MIN ||
        iterations > ITERATIONS_MAX)
      return ctl_misuse(self, "--iterations wants a number from 1000 to "
                              "10000000");
  }
  if (optind != argc)
    return ctl_misuse(self, "the secret comes on stdin");
  if (!secret_read(secret, sizeof(secret)) || strlen(secret) < SECRET_MIN ||
      strlen(secret) > SECRET_MAX) /* cut by fgets(), perhaps */
    return ctl_fail("give a secret of 8 to 1023 bytes on stdin");
  status = hash_print(secret, (int)iterations);
  OPENSSL_cleanse(secret, sizeof(secret));
  return status;
}

const struct command command_hash_secret = {
    .name = "hash-secret",
    .arguments = "[--iterations N] < SECRET",
    .summary = "print the secret_hash of a password for auth-static",
    .help = "  --iterations N       rounds of PBKDF2 (default 600000); each\n"
            "                       check of the password takes as long\n",
    .run = run};
