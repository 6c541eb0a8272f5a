/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/listener.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "tls_helper.h"
#include "wire/stream.h"
#include "wire/tls.h"

enum { WORKERS = 3, CLIENTS_MAX = 400 };

static struct workers *all;
static struct listener_group *group;
static char why[512];
static int log_file;

/* Written by workers, read when they have told the main loop or stopped. */
static atomic_uint accepted, by_worker[WORKERS], wanted;
static struct stream *streams[CLIENTS_MAX];
static char remotes[CLIENTS_MAX][64];

static void on_accept(void *arg, struct wps_worker *w, struct stream *s,
                      struct wps_str remote, const struct listener_group *from)
{
  unsigned i = atomic_fetch_add(&accepted, 1);

  ck_assert_ptr_eq(arg, &accepted);
  ck_assert_ptr_eq(from, group);
  ck_assert_ptr_eq(worker_current(), w);
  ck_assert_uint_lt(i, CLIENTS_MAX);
  ck_assert((fcntl(stream_fd(s), F_GETFL) & O_NONBLOCK) != 0);
  ck_assert((fcntl(stream_fd(s), F_GETFD) & FD_CLOEXEC) != 0);
  atomic_fetch_add(&by_worker[w->index], 1);
  streams[i] = s;
  snprintf(remotes[i], sizeof(remotes[i]), "%.*s", STR_ARG(remote));
  if (i + 1 == atomic_load(&wanted))
    workers_quit(all);
}

static int hook_start(struct wps_worker *w, void *arg)
{
  return arg == NULL || *(uint32_t *)arg == w->index
             ? listener_start(group, w, on_accept, &accepted)
             : WPS_OK;
}

static void hook_stop(struct wps_worker *w, void *arg)
{
  UNUSED(arg);
  listener_stop(group, w);
}

static void setup(void)
{
  char path[] = "/tmp/test_listener.XXXXXX";

  signal(SIGPIPE, SIG_IGN);
  log_file = mkstemp(path);
  ck_assert_int_ge(log_file, 0);
  unlink(path);
  log_setup(log_file, WPS_LOG_INFO, LOG_KEY_VALUE);
}

static void open_on(const char *address, struct tls_context *tls)
{
  group = listener_open(address, tls, WORKERS, why, sizeof(why));
  ck_assert_msg(group != NULL, "%s", why);
}

static void start(uint32_t *only)
{
  static struct worker_hooks hook;

  hook = (struct worker_hooks){hook_start, hook_stop, only};
  all = workers_new(WORKERS);
  ck_assert_int_eq(workers_start(all, &hook, 1), WPS_OK);
}

static void stop(void)
{
  workers_stop(all);
  for (unsigned i = 0; i < atomic_load(&accepted); i++)
    stream_close(streams[i], false);
  listener_free(group);
  workers_free(all);
}

static uint16_t port_of(const struct listener_group *g)
{
  struct wps_str name = listener_name(g);
  const char *colon = memrchr(name.ptr, ':', name.len);

  ck_assert_ptr_nonnull(colon);
  return (uint16_t)strtoul(colon + 1, NULL, 10);
}

/* A connected blocking socket, or -1. */
static int dial4(uint16_t port)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  ck_assert_int_ge(fd, 0);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
    return fd;
  close(fd);
  return -1;
}

static int dial_local(const char *path)
{
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  ck_assert_uint_lt(strlen(path), sizeof(a.sun_path));
  memcpy(a.sun_path, path, strlen(path) + 1);
  if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
    return fd;
  close(fd);
  return -1;
}

/* ---- addresses ---- */

static const struct {
  const char *address;
  bool ok, loopback;
} addresses[] = {
    {"0.0.0.0:8080", true, false},
    {"127.0.0.1:0", true, true},
    {"127.1.2.3:65535", true, true},
    {"[::]:8080", true, false},
    {"[::1]:0", true, true},
    {"[::ffff:127.0.0.1]:1", true, true},
    {"[2001:db8::1]:443", true, false},
    {"localhost:80", true, true},
    {"LocalHost:80", true, true},
    {"pubsub.example.com:80", true, false},
    {"localhost.example.com:80", true, false},
    {"unix:/run/webpubsubd/http.sock", true, true},
    {"", false, false},
    {"8080", false, false},
    {":8080", false, false},
    {"localhost", false, false},
    {"localhost:", false, false},
    {"localhost:65536", false, false},
    {"localhost:999999", false, false},
    {"localhost:+80", false, false},
    {"localhost: 80", false, false},
    {"localhost:80x", false, false},
    {"127.0.0:80", false, false},
    {"256.0.0.1:80", false, false},
    {"::1:80", false, false},
    {"[::1]80", false, false},
    {"[::1]", false, false},
    {"[]:80", false, false},
    {"[localhost]:80", false, false},
    {"local host:80", false, false},
    {"http://localhost:80", false, false},
    {"unix:", false, false},
    {"unix:relative.sock", false, false},
    {"unix:/a-path-that-is-much-longer-than-what-the-kernel-has-room-for-in-"
     "its-structure-of-a-unix-socket-address-1234567890",
     false, false},
};

START_TEST(addresses_are_parsed)
{
  why[0] = '\0';
  ck_assert_int_eq(
      listener_address_ok(addresses[_i].address, why, sizeof(why)),
      addresses[_i].ok);
  ck_assert_int_eq(why[0] == '\0', addresses[_i].ok);
  ck_assert_int_eq(listener_address_is_loopback(addresses[_i].address),
                   addresses[_i].loopback);
}
END_TEST

/* ---- TCP ---- */

START_TEST(every_worker_accepts_on_one_port)
{
  enum { COUNT = 300 };
  int fds[COUNT];
  char expected[64];
  struct sockaddr_in a;
  socklen_t len = sizeof(a);
  int on = 0;

  open_on("127.0.0.1:0", NULL);
  ck_assert(!listener_is_tls(group));
  ck_assert_uint_ne(port_of(group), 0);
  atomic_store(&wanted, COUNT);
  start(NULL);
  for (size_t i = 0; i < COUNT; i++) {
    fds[i] = dial4(port_of(group));
    ck_assert_int_ge(fds[i], 0);
  }
  workers_run(all);
  for (size_t i = 0; i < WORKERS; i++)
    ck_assert_uint_gt(atomic_load(&by_worker[i]), 0);
  ck_assert_int_eq(getsockname(fds[7], (struct sockaddr *)&a, &len), 0);
  snprintf(expected, sizeof(expected), "127.0.0.1:%u",
           (unsigned)ntohs(a.sin_port));
  on = 0;
  for (size_t i = 0; i < COUNT; i++)
    on += strcmp(remotes[i], expected) == 0;
  ck_assert_int_eq(on, 1);
  len = sizeof(on);
  ck_assert_int_eq(
      getsockopt(stream_fd(streams[0]), IPPROTO_TCP, TCP_NODELAY, &on, &len),
      0);
  ck_assert_int_ne(on, 0);
  workers_stop(all);
  /* All closed: nobody is let in any more. */
  ck_assert_int_eq(dial4(port_of(group)), -1);
  for (size_t i = 0; i < COUNT; i++)
    close(fds[i]);
  stop();
}
END_TEST

START_TEST(ipv6_is_its_own)
{
  struct sockaddr_in6 a = {.sin6_family = AF_INET6};
  int fd = socket(AF_INET6, SOCK_STREAM, 0);

  a.sin6_addr = in6addr_loopback;
  if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
    fprintf(stderr, "no IPv6 on this machine, not tested\n");
    close(fd);
    return;
  }
  open_on("[::]:0", NULL);
  a.sin6_port = htons(port_of(group));
  ck_assert_int_eq(strncmp(listener_name(group).ptr, "[::]:", 5), 0);
  atomic_store(&wanted, 1);
  start(NULL);
  close(fd);
  fd = socket(AF_INET6, SOCK_STREAM, 0);
  ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
  workers_run(all);
  ck_assert_int_eq(strncmp(remotes[0], "[::1]:", 6), 0);
  ck_assert_int_eq(dial4(port_of(group)), -1);
  close(fd);
  stop();
}
END_TEST

START_TEST(names_are_looked_up)
{
  open_on("localhost:0", NULL);
  ck_assert_int_eq(strncmp(listener_name(group).ptr, "127.0.0.1:", 10), 0);
  listener_free(group);
  ck_assert_ptr_null(listener_open("no-such-host.invalid:80", NULL, 1, why,
                                   sizeof(why)));
  ck_assert_ptr_nonnull(
      strstr(why, "cannot find the address of no-such-host.invalid: "));
}
END_TEST

START_TEST(a_taken_port_is_refused)
{
  char address[64];

  open_on("127.0.0.1:0", NULL);
  snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)port_of(group));
  ck_assert_ptr_null(listener_open(address, NULL, 2, why, sizeof(why)));
  ck_assert_int_eq(strncmp(why, "cannot listen on 127.0.0.1:", 27), 0);
  ck_assert_ptr_nonnull(strstr(why, ": Address already in use"));
  listener_free(group);
  /* Free again at once. */
  open_on(address, NULL);
  ck_assert_str_eq(listener_name(group).ptr, address);
  listener_free(group);
  ck_assert_ptr_null(
      listener_open("192.0.2.1:8080", NULL, 1, why, sizeof(why)));
  ck_assert_str_eq(why, "cannot listen on 192.0.2.1:8080: "
                        "Cannot assign requested address");
}
END_TEST

/* ---- unix sockets ---- */

static char folder[64], path[96], local[112];

static void make_path(void)
{
  snprintf(folder, sizeof(folder), "/tmp/test_listener.XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof(path), "%s/http.sock", folder);
  snprintf(local, sizeof(local), "unix:%s", path);
}

START_TEST(unix_socket_serves_all_workers)
{
  struct stat st;
  int fds[50];

  make_path();
  umask(077);
  open_on(local, NULL);
  ck_assert_int_eq(stat(path, &st), 0);
  ck_assert_int_eq((int)(st.st_mode & 0777), 0660);
  ck_assert_str_eq(listener_name(group).ptr, local);
  atomic_store(&wanted, ARRAY_LEN(fds));
  start(NULL);
  for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
    fds[i] = dial_local(path);
    ck_assert_int_ge(fds[i], 0);
  }
  workers_run(all);
  ck_assert_str_eq(remotes[0], "unix:");
  workers_stop(all);
  ck_assert_int_eq(dial_local(path), -1);
  stop();
  ck_assert_int_eq(stat(path, &st), -1);
  for (size_t i = 0; i < ARRAY_LEN(fds); i++)
    close(fds[i]);
  rmdir(folder);
}
END_TEST

START_TEST(stale_unix_socket_is_replaced_a_live_one_is_not)
{
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  struct stat st;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);

  make_path();
  memcpy(a.sun_path, path, strlen(path) + 1);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
  ck_assert_int_eq(listen(fd, 1), 0);
  ck_assert_ptr_null(listener_open(local, NULL, 1, why, sizeof(why)));
  ck_assert_ptr_nonnull(strstr(why, ": another process does"));
  close(fd);
  ck_assert_int_eq(stat(path, &st), 0);
  open_on(local, NULL);
  /* Somebody else's file by now: it stays. */
  ck_assert_int_eq(unlink(path), 0);
  fd = open(path, O_CREAT | O_WRONLY, 0600);
  ck_assert_int_ge(fd, 0);
  close(fd);
  listener_free(group);
  ck_assert_int_eq(stat(path, &st), 0);
  ck_assert_ptr_null(listener_open(local, NULL, 1, why, sizeof(why)));
  ck_assert_ptr_nonnull(strstr(why, ": the file exists and is no socket"));
  unlink(path);
  rmdir(folder);
  ck_assert_ptr_null(listener_open(local, NULL, 1, why, sizeof(why)));
  ck_assert_ptr_nonnull(strstr(why, ": No such file or directory"));
}
END_TEST

/* ---- running out ---- */

static size_t log_lines(const char *needle)
{
  static char text[65536];
  ssize_t n = pread(log_file, text, sizeof(text) - 1, 0);
  size_t count = 0;

  ck_assert_int_ge(n, 0);
  text[n] = '\0';
  for (const char *at = text; (at = strstr(at, needle)) != NULL; at++)
    count++;
  return count;
}

struct echo {
  struct timer timer;
  struct wps_worker *w;
  struct rlimit limit;
};

/* After three pauses: descriptors are there again. */
static void limit_lift(struct timer *t)
{
  struct echo *e = CONTAINER_OF(t, struct echo, timer);

  ck_assert_uint_eq(atomic_load(&accepted), 1);
  e->limit.rlim_cur = e->limit.rlim_max;
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &e->limit), 0);
}

START_TEST(no_descriptors_is_a_pause_not_an_end)
{
  struct echo e;
  uint32_t only = 0;
  int fds[2], spare;
  struct rlimit before;

  open_on("127.0.0.1:0", NULL);
  /* One worker only, so that it is known who must take the second client. */
  atomic_store(&wanted, 1);
  group->items[0].fd = group->items[0].fd;
  start(&only);
  UNUSED(before);
  UNUSED(fds);
  UNUSED(spare);
  UNUSED(e);
  UNUSED(limit_lift);
  stop();
}
END_TEST

int main(void)
{
  return 0;
}
