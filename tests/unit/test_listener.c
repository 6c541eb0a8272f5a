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
static uint32_t worker_count = WORKERS;

static struct workers *all;
static struct listener_group *group;
static char why[512];
static int log_file;

/* Written by workers, read when they have told the main loop or stopped. */
static atomic_uint slots, accepted, by_worker[WORKERS], wanted;
static struct stream *streams[CLIENTS_MAX];
static char remotes[CLIENTS_MAX][64];

static bool echoing;

static void echo_readable(struct stream *s, void *arg)
{
  char buf[100];
  struct iovec iov = {buf, 0};
  ssize_t n;

  UNUSED(arg);
  while ((n = stream_read(s, buf, sizeof(buf))) > 0) {
    iov.iov_len = (size_t)n;
    ck_assert_int_eq(stream_writev(s, &iov, 1), n);
  }
  if (n != STREAM_AGAIN)
    stream_want_read(s, false);
}

static const struct stream_ops echo_ops = {echo_readable, NULL};

static void on_accept(void *arg, struct wps_worker *w, struct stream *s,
                      struct wps_str remote, const struct listener_group *from)
{
  unsigned i = atomic_fetch_add(&slots, 1);

  ck_assert_ptr_eq(arg, &accepted);
  ck_assert_ptr_eq(from, group);
  ck_assert_ptr_eq(worker_current(), w);
  ck_assert_uint_lt(i, CLIENTS_MAX);
  ck_assert((fcntl(stream_fd(s), F_GETFL) & O_NONBLOCK) != 0);
  ck_assert((fcntl(stream_fd(s), F_GETFD) & FD_CLOEXEC) != 0);
  atomic_fetch_add(&by_worker[w->index], 1);
  streams[i] = s;
  snprintf(remotes[i], sizeof(remotes[i]), "%.*s", STR_ARG(remote));
  if (echoing)
    stream_attach(s, w, &echo_ops, NULL);
  if (atomic_fetch_add(&accepted, 1) + 1 == atomic_load(&wanted))
    workers_quit(all);
}

static int hook_start(struct wps_worker *w, void *arg)
{
  UNUSED(arg);
  return listener_start(group, w, on_accept, &accepted);
}

static void hook_stop(struct wps_worker *w, void *arg)
{
  UNUSED(arg);
  listener_stop(group, w);
  listener_stop(group, w);
  for (unsigned i = 0; i < atomic_load(&accepted) && worker_count == 1; i++)
    stream_detach(streams[i]);
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
  group = listener_open(address, tls, worker_count, why, sizeof(why));
  ck_assert_msg(group != NULL, "%s", why);
}

static void start(void)
{
  static const struct worker_hooks hook = {hook_start, hook_stop, NULL};

  all = workers_new(worker_count);
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
  ck_assert_int_eq(listener_address_ok(addresses[_i].address, why, sizeof(why)),
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
  start();
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
  start();
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
  /* A label of 70 letters: no resolver needs to be asked. */
  ck_assert_ptr_null(listener_open(
      "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg:"
      "80",
      NULL, 1, why, sizeof(why)));
  ck_assert_ptr_nonnull(strstr(why, "cannot find the address of aaaaaaaaaab"));
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
  start();
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

/* There and back: the worker goes on with whom it has. */
static void echo(int fd)
{
  char c = 'e';

  ck_assert_int_eq(write(fd, &c, 1), 1);
  ck_assert_int_eq(read(fd, &c, 1), 1);
  ck_assert_int_eq(c, 'e');
}

static void pauses_over(struct timer *t)
{
  UNUSED(t);
  workers_quit(all);
}

START_TEST(no_descriptors_is_a_pause_not_an_end)
{
  struct sockaddr_in a = {.sin_family = AF_INET};
  struct rlimit limit;
  struct timer timer;
  int first, second, spare;

  worker_count = 1;
  echoing = true;
  open_on("127.0.0.1:0", NULL);
  a.sin_port = htons(port_of(group));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  atomic_store(&wanted, 1);
  start();
  first = dial4(port_of(group));
  workers_run(all);
  second = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  spare = dup(second);
  close(spare);
  ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = (rlim_t)spare;
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  ck_assert_int_eq(connect(second, (struct sockaddr *)&a, sizeof(a)), 0);
  /* Several echoes can be one turn of the worker, and accepting is its end. */
  while (log_lines("cannot accept clients") == 0)
    echo(first);
  for (int i = 0; i < 3; i++)
    echo(first);
  ck_assert_uint_eq(atomic_load(&accepted), 1);
  ck_assert_uint_eq(log_lines("cannot accept clients"), 1);
  ck_assert_uint_eq(log_lines("Too many open files"), 1);
  ck_assert_uint_eq(log_lines("listener=127.0.0.1:"), 1);
  timer_init(&timer, pauses_over);
  timer_start(workers_main(all), &timer, 350);
  workers_run(all);
  echo(first);
  ck_assert_uint_eq(log_lines("cannot accept clients"), 1);
  ck_assert_uint_eq(atomic_load(&accepted), 1);
  atomic_store(&wanted, 2);
  limit.rlim_cur = limit.rlim_max;
  ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
  workers_run(all);
  echo(second);
  close(first);
  close(second);
  stop();
}
END_TEST

#ifdef WPS_DEBUG
START_TEST(fault_point_accept)
{
  int fd;

  setenv("WEBPUBSUBD_FAULT", "accept:1", 1);
  worker_count = 1;
  open_on("127.0.0.1:0", NULL);
  atomic_store(&wanted, 1);
  start();
  fd = dial4(port_of(group));
  workers_run(all);
  ck_assert_uint_eq(log_lines("cannot accept clients"), 1);
  close(fd);
  stop();
}
END_TEST
#endif

/* ---- TLS ---- */

START_TEST(tls_listener)
{
  struct tls_settings settings = {0};
  struct identity id;
  struct tls_context *tls;
  SSL *ssl;
  char text[4];
  int fd;

  tls_folder_make();
  identity_make(&id, "localhost", NULL);
  settings.certificate = id.cert_file;
  settings.key = id.key_file;
  tls = tls_context_new(&settings, why, sizeof(why));
  ck_assert_msg(tls != NULL, "%s", why);
  worker_count = 1;
  echoing = true;
  open_on("127.0.0.1:0", tls);
  ck_assert(listener_is_tls(group));
  start();
  fd = dial4(port_of(group));
  ssl = client_new(fd, NULL, NULL);
  client_write(ssl, "echo", 4);
  client_read(ssl, text, 4);
  ck_assert_int_eq(memcmp(text, "echo", 4), 0);
  SSL_free(ssl);
  close(fd);
  stop();
  tls_context_free(tls);
  identity_drop(&id);
  rmdir(tls_folder);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("listener");
  TCase *tc = tcase_create("listener");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_checked_fixture(tc, setup, NULL);
  tcase_add_loop_test(tc, addresses_are_parsed, 0, (int)ARRAY_LEN(addresses));
  tcase_add_test(tc, every_worker_accepts_on_one_port);
  tcase_add_test(tc, ipv6_is_its_own);
  tcase_add_test(tc, names_are_looked_up);
  tcase_add_test(tc, a_taken_port_is_refused);
  tcase_add_test(tc, unix_socket_serves_all_workers);
  tcase_add_test(tc, stale_unix_socket_is_replaced_a_live_one_is_not);
  tcase_add_test(tc, no_descriptors_is_a_pause_not_an_end);
#ifdef WPS_DEBUG
  tcase_add_test(tc, fault_point_accept);
#endif
  tcase_add_test(tc, tls_listener);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
