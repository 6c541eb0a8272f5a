/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/utf8.h"

/* 2026-11-21T12:00:00.123Z */
int64_t clock_unix_ms(void)
{
  return INT64_C(1795262400123);
}

static int file_fd;
static char text[1 << 20];

static void file_start(enum log_format format)
{
  char path[] = "/tmp/test_log.XXXXXX";

  file_fd = mkstemp(path);
  ck_assert_int_ge(file_fd, 0);
  unlink(path);
  log_setup(file_fd, WPS_LOG_INFO, format);
}

/* Everything written so far, terminated. */
static size_t file_text(void)
{
  ssize_t n = pread(file_fd, text, sizeof(text) - 1, 0);

  ck_assert_int_ge(n, 0);
  text[n] = '\0';
  return (size_t)n;
}

START_TEST(numbers_fit_their_room)
{
  char room[LOG_NUMBER_ROOM];
  struct wps_str most = log_number(room, UINT64_MAX);

  ck_assert_uint_eq(most.len, 20);
  ck_assert_mem_eq(most.ptr, "18446744073709551615", 20);
  ck_assert_uint_eq(log_number(room, 0).len, 1);
}
END_TEST

START_TEST(key_value_line)
{
  struct log_field fields[] = {{"hub", STR("chat")},
                               {"absent", STR_NONE},
                               {"reason", STR("too big")},
                               {"empty", STR("")}};

  file_start(LOG_KEY_VALUE);
  log_thread_name("worker-0");
  log_fields(WPS_LOG_INFO, "core", "closed", fields, ARRAY_LEN(fields));
  file_text();
  ck_assert_str_eq(text, "2026-11-21T12:00:00.123Z level=info component=core "
                         "thread=worker-0 msg=\"closed\" hub=chat "
                         "reason=\"too big\" empty=\"\"\n");
}
END_TEST

START_TEST(json_line)
{
  struct log_field fields[] = {{"hub", STR("chat")}, {"user", STR("\"\n\\")}};

  file_start(LOG_JSON);
  log_fields(WPS_LOG_WARN, "auth-jwt", "refused", fields, ARRAY_LEN(fields));
  file_text();
  ck_assert_str_eq(text, "{\"time\":\"2026-11-21T12:00:00.123Z\","
                         "\"level\":\"warn\",\"component\":\"auth-jwt\","
                         "\"thread\":\"main\",\"msg\":\"refused\","
                         "\"hub\":\"chat\",\"user\":\"\\\"\\n\\\\\"}\n");
}
END_TEST

START_TEST(levels_are_filtered)
{
  file_start(LOG_KEY_VALUE);
  ck_assert(log_enabled(WPS_LOG_ERROR));
  ck_assert(!log_enabled(WPS_LOG_DEBUG));
  log_line(WPS_LOG_DEBUG, "core", "not %s", "seen");
  ck_assert_uint_eq(file_text(), 0);
  log_line(WPS_LOG_ERROR, "core", "number %d", 7);
  file_text();
  ck_assert_ptr_nonnull(strstr(text, "level=error component=core thread=main "
                                     "msg=\"number 7\"\n"));
}
END_TEST

/* What a peer may put into a value, and what must come out. */
static const struct {
  struct wps_str in;
  const char *key_value;
} escapes[] = {
    {WPS_STR_INIT("plain-1.2/3"), "v=plain-1.2/3\n"},
    {WPS_STR_INIT("a b"), "v=\"a b\"\n"},
    {WPS_STR_INIT("a=b"), "v=\"a=b\"\n"},
    {WPS_STR_INIT("a\"b"), "v=\"a\\\"b\"\n"},
    {WPS_STR_INIT("a\\b"), "v=\"a\\\\b\"\n"},
    {WPS_STR_INIT("a\nlevel=error"), "v=\"a\\nlevel=error\"\n"},
    {WPS_STR_INIT("a\r\tb"), "v=\"a\\r\\tb\"\n"},
    {WPS_STR_INIT("a\0b"), "v=\"a\\u0000b\"\n"},
    {WPS_STR_INIT("\x1b[2J"), "v=\"\\u001b[2J\"\n"},
    {WPS_STR_INIT("\x7f"), "v=\"\\u007f\"\n"},
    {WPS_STR_INIT("\xc2\x9b"), "v=\"\\u009b\"\n"},
    {WPS_STR_INIT("\xe2\x80\xa8"), "v=\"\\u2028\"\n"},
    {WPS_STR_INIT("gr\xc3\xbc\xc3\x9f"), "v=gr\xc3\xbc\xc3\x9f\n"},
    {WPS_STR_INIT("\xf0\x9f\x98\x80"), "v=\xf0\x9f\x98\x80\n"},
    {WPS_STR_INIT("a\xff"), "v=\"a\\xff\"\n"},
    {WPS_STR_INIT("a\xc3"), "v=\"a\\xc3\"\n"},
    {WPS_STR_INIT("\xc0\xaf"), "v=\"\\xc0\\xaf\"\n"},
    {WPS_STR_INIT("\xed\xa0\x80"), "v=\"\\xed\\xa0\\x80\"\n"},
};

START_TEST(values_are_escaped)
{
  struct log_field field = {"v", escapes[_i].in};
  json_t *root;
  json_error_t error;

  file_start(LOG_KEY_VALUE);
  log_fields(WPS_LOG_INFO, "core", "m", &field, 1);
  file_text();
  ck_assert_str_eq(strstr(text, "v="), escapes[_i].key_value);

  file_start(LOG_JSON);
  log_fields(WPS_LOG_INFO, "core", "m", &field, 1);
  file_text();
  root = json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
  ck_assert_msg(root != NULL, "%s: %s", error.text, text);
  ck_assert(json_is_string(json_object_get(root, "v")));
  if (utf8_valid(escapes[_i].in.ptr, escapes[_i].in.len)) {
    ck_assert_uint_eq(json_string_length(json_object_get(root, "v")),
                      escapes[_i].in.len);
    ck_assert_int_eq(memcmp(json_string_value(json_object_get(root, "v")),
                            escapes[_i].in.ptr, escapes[_i].in.len),
                     0);
  }
  json_decref(root);
}
END_TEST

START_TEST(messages_are_escaped)
{
  file_start(LOG_KEY_VALUE);
  log_line(WPS_LOG_INFO, "core", "%s", "x\" level=error\n\x01");
  file_text();
  ck_assert_ptr_nonnull(strstr(text, "msg=\"x\\\" level=error\\n\\u0001\"\n"));
}
END_TEST

/* Every length around the limit, with characters of one to four bytes and
 * escapes at the cut. */
START_TEST(long_lines_are_cut_and_well_formed)
{
  static const char *const units[] = {
      "a",  "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
      "\"", "\x01",     "\xff",         " "};
  char value[2 * LOG_LINE_MAX];

  for (size_t u = 0; u < ARRAY_LEN(units); u++) {
    for (int json = 0; json < 2; json++) {
      for (size_t pad = 0; pad < 16; pad++) {
        struct log_field fields[2] = {{"v", {value, sizeof(value)}},
                                      {"hub", STR("chat")}};
        size_t unit = strlen(units[u]), len, at = pad;

        memset(value, 'x', sizeof(value));
        for (; at + unit <= sizeof(value); at += unit)
          memcpy(value + at, units[u], unit);
        fields[0].value.len = at;
        file_start(json ? LOG_JSON : LOG_KEY_VALUE);
        log_fields(WPS_LOG_INFO, "core", "m", fields, 2);
        len = file_text();
        close(file_fd);
        ck_assert_uint_le(len, LOG_LINE_MAX);
        ck_assert_uint_gt(len, LOG_LINE_MAX - 64);
        ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
        ck_assert(utf8_valid(text, len));
        if (json) {
          json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

          ck_assert_ptr_nonnull(root);
          ck_assert_str_eq(json_string_value(json_object_get(root, "cut")),
                           "yes");
          json_decref(root);
        } else {
          size_t quotes = 0;

          for (size_t i = 0; i < len; i++) {
            if (text[i] == '\\')
              i++;
            else if (text[i] == '"')
              quotes++;
          }
          ck_assert_uint_eq(quotes % 2, 0);
          ck_assert_str_eq(text + len - 9, " cut=yes\n");
        }
      }
    }
  }
}
END_TEST

START_TEST(long_message_leaves_room_for_fields)
{
  static char message[3 * LOG_LINE_MAX];
  struct log_field field = {"connection", STR("abc")};

  memset(message, 'm', sizeof(message) - 1);
  file_start(LOG_KEY_VALUE);
  log_fields(WPS_LOG_INFO, "core", message, &field, 1);
  file_text();
  ck_assert_ptr_nonnull(strstr(text, "m\" connection=abc cut=yes\n"));
  log_line(WPS_LOG_INFO, "core", "%s", message);
  ck_assert_uint_le(file_text(), 2 * LOG_LINE_MAX);
}
END_TEST

/* Fill, drain, look: for a pipe or a socket that nobody reads for a while. */
static void full_channel(int read_fd, int write_fd)
{
  size_t len = 0, lost;
  ssize_t n;
  int flags = fcntl(write_fd, F_GETFL);
  char *gap;

  log_setup(write_fd, WPS_LOG_INFO, LOG_KEY_VALUE);
  for (int i = 0; i < 20000 && log_lost() < 10; i++)
    log_line(WPS_LOG_INFO, "core", "line %d", i);
  lost = (size_t)log_lost();
  ck_assert_uint_eq(lost, 10);
  ck_assert_int_eq(fcntl(write_fd, F_GETFL), flags);
  fcntl(read_fd, F_SETFL, O_NONBLOCK);
  while ((n = read(read_fd, text, sizeof(text))) > 0)
    len = (size_t)n;
  ck_assert_int_eq(errno, EAGAIN);
  ck_assert_int_eq(text[len - 1], '\n');
  log_line(WPS_LOG_INFO, "core", "after");
  len = 0;
  while ((n = read(read_fd, text + len, sizeof(text) - len - 1)) > 0)
    len += (size_t)n;
  text[len] = '\0';
  gap = strstr(text, "msg=\"10 log lines were lost\"\n");
  ck_assert_ptr_nonnull(gap);
  ck_assert_ptr_nonnull(strstr(gap, "msg=\"after\"\n"));
  ck_assert_uint_eq(log_lost(), 10);

  /* Nobody reads any more: lost, and neither a signal nor an error. */
  close(read_fd);
  errno = 5;
  log_line(WPS_LOG_INFO, "core", "nobody");
  ck_assert_int_eq(errno, 5);
  ck_assert_uint_eq(log_lost(), 11);
  log_setup(STDERR_FILENO, WPS_LOG_INFO, LOG_KEY_VALUE);
}

START_TEST(full_pipe_drops_and_says_so)
{
  int fds[2];

  signal(SIGPIPE, SIG_IGN);
  ck_assert_int_eq(pipe(fds), 0);
  full_channel(fds[0], fds[1]);
}
END_TEST

START_TEST(full_socket_drops_and_says_so)
{
  int fds[2];

  ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  full_channel(fds[0], fds[1]);
}
END_TEST

START_TEST(full_disk_drops_and_says_so)
{
  int full = open("/dev/full", O_WRONLY);

  if (full < 0)
    return;
  log_setup(full, WPS_LOG_INFO, LOG_KEY_VALUE);
  log_line(WPS_LOG_INFO, "core", "a");
  log_line(WPS_LOG_INFO, "core", "b");
  ck_assert_uint_eq(log_lost(), 2);
  file_start(LOG_JSON);
  log_line(WPS_LOG_INFO, "core", "c");
  file_text();
  ck_assert_ptr_nonnull(strstr(text, "\"msg\":\"2 log lines were lost\"}\n{"));
  ck_assert_ptr_nonnull(strstr(text, "\"msg\":\"c\"}\n"));
}
END_TEST

#ifdef WPS_DEBUG
START_TEST(fault_point_log_write)
{
  setenv("WEBPUBSUBD_FAULT", "other:1,log_write:2", 1);
  file_start(LOG_KEY_VALUE);
  log_line(WPS_LOG_INFO, "core", "one");
  log_line(WPS_LOG_INFO, "core", "two");
  ck_assert_uint_eq(log_lost(), 1);
  log_line(WPS_LOG_INFO, "core", "three");
  file_text();
  ck_assert_ptr_nonnull(strstr(text, "msg=\"one\"\n"));
  ck_assert_ptr_null(strstr(text, "msg=\"two\"\n"));
  ck_assert_ptr_nonnull(strstr(text, "msg=\"1 log lines were lost\"\n"));
  ck_assert_ptr_nonnull(strstr(text, "msg=\"three\"\n"));
}
END_TEST
#endif

enum { WRITERS = 4, LINES = 500 };

static void *write_lines(void *arg)
{
  log_thread_name(arg);
  for (int i = 0; i < LINES; i++)
    log_line(WPS_LOG_INFO, "core", "line %d end", i);
  return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
  static char names[WRITERS][32];
  pthread_t threads[WRITERS];
  size_t lines = 0;

  file_start(LOG_KEY_VALUE);
  fcntl(file_fd, F_SETFL, O_APPEND);
  for (int i = 0; i < WRITERS; i++) {
    snprintf(names[i], sizeof(names[i]), "writer-%d", i);
    ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, names[i]),
                     0);
  }
  for (int i = 0; i < WRITERS; i++)
    pthread_join(threads[i], NULL);
  file_text();
  for (char *at = text, *end; *at != '\0'; at = end + 1, lines++) {
    end = strchr(at, '\n');
    ck_assert_ptr_nonnull(end);
    ck_assert_int_eq(strncmp(at, "2026-11-21T12:00:00.123Z level=info ", 36),
                     0);
    ck_assert_int_eq(strncmp(end - 5, " end\"", 5), 0);
  }
  ck_assert_uint_eq(lines, WRITERS * LINES);
  ck_assert_uint_eq(log_lost(), 0);
}
END_TEST

int main(void)
{
  Suite *s = suite_create("log");
  TCase *tc = tcase_create("log");
  SRunner *r;
  int failed;

  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, numbers_fit_their_room);
  tcase_add_test(tc, key_value_line);
  tcase_add_test(tc, json_line);
  tcase_add_test(tc, levels_are_filtered);
  tcase_add_loop_test(tc, values_are_escaped, 0, (int)ARRAY_LEN(escapes));
  tcase_add_test(tc, messages_are_escaped);
  tcase_add_test(tc, long_lines_are_cut_and_well_formed);
  tcase_add_test(tc, long_message_leaves_room_for_fields);
  tcase_add_test(tc, full_pipe_drops_and_says_so);
  tcase_add_test(tc, full_socket_drops_and_says_so);
  tcase_add_test(tc, full_disk_drops_and_says_so);
#ifdef WPS_DEBUG
  tcase_add_test(tc, fault_point_log_write);
#endif
  tcase_add_test(tc, lines_of_threads_do_not_mix);
  suite_add_tcase(s, tc);
  r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
