// labels: full faults; needs: played_nccl
// A rank that does not take part in a collective is named, with the collective, and the whole job
// ends. This program starts itself under mpirun as three ranks (`test_hangs KIND RANK DIR`), where
// rank RANK misbehaves, and judges what is left: the report, the exit code, the processes.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "dist/watchdog.h"
#include "tests/base/folder.h"
#include "tests/dist/played/nccl_host.h"
#include "tests/dist/device.h"

enum { RANKS = 3 };
static const double timeout_s = 1.0;

#define HANGING "dp all_reduce of 1000 f32, call 3"

// -- a rank under mpirun --------------------------------------------------------------------

static void put_file(const char *dir, const char *name, int rank, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s-%d", dir, name, rank);
  if (orr_fs_write_atomic(path, text, strlen(text)) != ORR_OK) _exit(90);
}

static void sleep_for_ever(void) {
  for (;;) pause();
}

// The report on a death comes at once: give it something to say about the others.
static void let_others_enter(const char *dir, int me) {
  char path[512];
  for (int rank = 0; rank < RANKS; rank++) {
    snprintf(path, sizeof path, "%s/entered-%d", dir, rank);
    while (rank != me && !orr_fs_exists(path)) usleep(10000);
  }
}

static void misbehave(const char *kind, dist_world *w) {
  dist_comm *dp = w->axis[DIST_AXIS_DP];
  int64_t four[4] = {0};
  if (strcmp(kind, "exit") == 0) _exit(0);
  if (strcmp(kind, "killed") == 0) raise(SIGKILL);
  if (strcmp(kind, "stop") == 0) raise(SIGSTOP);
  if (strcmp(kind, "other") == 0)
    dist_broadcast(dp, four, 4, DIST_I64, (dist_comm_rank(dp) + 1) % RANKS);
  if (strcmp(kind, "axis") == 0) dist_barrier(w->axis[DIST_AXIS_WORLD]);
  sleep_for_ever();
}

// On the device (a played one): a collective that fails under way on the bad rank, or that it never
// issues. The others wait for their devices.
static void use_device(const char *kind, dist_world *w, const char *dir, bool bad) {
  static float v[1000];
  if (bad && strcmp(kind, "fault") == 0) nccl_host_arm(NCCL_HOST_LATER, 1);
  put_file(dir, "entered", w->grid.rank, "");
  if (bad && strcmp(kind, "device") == 0) sleep_for_ever();
  if (dist_all_reduce(w->device[DIST_AXIS_DP], v, 1000, DIST_F32, DIST_SUM) != ORR_OK) _exit(95);
  dist_device_wait_begin(w);
  sleep_for_ever();
}

static int run_rank(const char *kind, int bad, const char *dir) {
  static float v[1000];
  char path[512], pid[32];
  dist_world *w = NULL;
  dist_watchdog *d = NULL;
  dist_request r;
  signal(SIGTERM, SIG_IGN); // as training, which takes it as a wish to stop after the step
  snprintf(path, sizeof path, "%s/report", dir);
  if (dist_world_open(&w) != ORR_OK || dist_world_split(w, 1, 1, 0) != ORR_OK) return 91;
  const bool on_device = strcmp(kind, "fault") == 0 || strcmp(kind, "device") == 0;
  if (on_device && dist_world_split_device(w, &(dist_device){.stream = device_stream()}) != ORR_OK)
    return 95;
  // until all ranks are there a busy machine may let one of them wait
  const dist_watchdog_options o = {.timeout_s = timeout_s, .early = true};
  if (dist_watchdog_start(w, &o, &d) != ORR_OK) return 92;
  snprintf(pid, sizeof pid, "%d", (int)getpid());
  put_file(dir, "pid", w->grid.rank, pid);
  dist_comm *dp = w->axis[DIST_AXIS_DP];
  if (dist_barrier(dp) != ORR_OK || dist_barrier(dp) != ORR_OK) return 93;
  if (dist_watchdog_settle(d, path, NULL, NULL) != ORR_OK) return 92;
  if (on_device) use_device(kind, w, dir, w->grid.rank == bad);
  if (w->grid.rank == bad) {
    if (strcmp(kind, "exit") == 0 || strcmp(kind, "killed") == 0) let_others_enter(dir, bad);
    misbehave(kind, w);
  }
  put_file(dir, "entered", w->grid.rank, "");
  if (strcmp(kind, "wait") == 0) {
    if (dist_all_reduce_start(dp, v, 1000, DIST_F32, DIST_SUM, &r) == ORR_OK) dist_wait(dp, &r);
  } else {
    dist_all_reduce(dp, v, 1000, DIST_F32, DIST_SUM);
  }
  return 94; // it cannot finish
}

// -- the judge ------------------------------------------------------------------------------

static char *read_file(const char *dir, const char *name) {
  char path[512], *text = NULL;
  size_t bytes = 0;
  snprintf(path, sizeof path, "%s/%s", dir, name);
  if (orr_fs_read_all(path, &text, &bytes) != ORR_OK) return NULL;
  return text;
}

// A zombie has ended: in a container there may be nobody to reap it.
static bool is_alive(int pid) {
  char path[64], line[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *f = fopen(path, "r");
  if (!f) return false;
  char *got = fgets(line, sizeof line, f);
  fclose(f);
  const char *end = got ? strrchr(line, ')') : NULL;
  return end && end[1] && end[2] != 'Z' && end[2] != 'X';
}

static void check_no_process_remains(const char *dir) {
  for (int rank = 0; rank < RANKS; rank++) {
    char name[32];
    snprintf(name, sizeof name, "pid-%d", rank);
    char *text = read_file(dir, name);
    assert_non_null(text);
    int pid = (int)strtol(text, NULL, 10);
    for (int i = 0; i < 20 * 60 && is_alive(pid); i++) usleep(50000); // the launcher takes its time
    if (is_alive(pid)) fail_msg("rank %d (pid %d) is still there", rank, pid);
    orr_free(text);
  }
}

static double mtime_s(const char *dir, const char *name) {
  char path[512];
  struct stat s;
  snprintf(path, sizeof path, "%s/%s", dir, name);
  assert_int_equal(stat(path, &s), 0);
  return (double)s.st_mtim.tv_sec + 1e-9 * (double)s.st_mtim.tv_nsec;
}

// From the last good rank's call to the report.
static double report_delay_s(const char *dir, int bad) {
  double entered = 0.0;
  for (int rank = 0; rank < RANKS; rank++) {
    char name[32];
    snprintf(name, sizeof name, "entered-%d", rank);
    if (rank != bad && mtime_s(dir, name) > entered) entered = mtime_s(dir, name);
  }
  return mtime_s(dir, "report") - entered;
}

// Runs three ranks; what they say goes to DIR/said. Returns mpirun's wait status.
static int run_job(const char *kind, int bad, const char *dir) {
  char self[512], said[512], rank[16];
  int status = 0;
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0);
  self[n] = 0;
  snprintf(said, sizeof said, "%s/said", dir);
  snprintf(rank, sizeof rank, "%d", bad);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    int fd = open(said, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execlp("mpirun", "mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "3", self, kind,
           rank, dir, (char *)NULL);
    _exit(99);
  }
  for (int i = 0; waitpid(child, &status, WNOHANG) == 0; i++) {
    if (i < 20 * 300) {
      usleep(50000);
      continue;
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    fail_msg("%s, rank %d: the job did not end", kind, bad);
  }
  return status;
}

static int count_of(const char *text, const char *word) {
  int n = 0;
  for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) n++;
  return n;
}

// The report's only line on a missing rank, without host and pid.
static void check_report(const char *report, int bad, const char *word, const char *why) {
  char who[32];
  assert_non_null(report);
  if (count_of(report, word) != 1) fail_msg("wanted one '%s' rank:\n%s", word, report);
  snprintf(who, sizeof who, "%srank %d (", word, bad);
  if (!strstr(report, who) || !strstr(strstr(report, who), why))
    fail_msg("wanted '%s...%s' in:\n%s", who, why, report);
  for (int rank = 0; rank < RANKS; rank++) { // the table
    snprintf(who, sizeof who, "\n%6d %4d %4d %4d  ", rank, 0, 0, rank);
    assert_non_null(strstr(report, who));
  }
}

// The job's own words hold the line on the missing rank, too.
static void check_said(const char *said, const char *report, const char *word) {
  char line[1024];
  const char *begin = strstr(report, word);
  snprintf(line, sizeof line, "%.*s", (int)strcspn(begin, "\n"), begin);
  if (!strstr(said, line)) fail_msg("wanted '%s' in what the job said:\n%s", line, said);
}

// `word` begins the report's line on the bad rank, and `why` ends it.
static void check_job(const char *kind, int bad, const char *word, const char *why) {
  char dir[FOLDER_PATH];
  folder_make(dir);
  int status = run_job(kind, bad, dir);
  char *report = read_file(dir, "report"), *said = read_file(dir, "said");
  if (!report) fail_msg("%s, rank %d: no report; the job said:\n%s", kind, bad, said);
  check_report(report, bad, word, why);
  check_said(said, report, word);
  assert_int_equal(count_of(said, word), 1); // one report, whoever writes it
  assert_true(WIFEXITED(status));
  assert_int_not_equal(WEXITSTATUS(status), 0);
  check_no_process_remains(dir);
  double delay = report_delay_s(dir, bad);
  // To be read, not to be judged: five seconds after the timeout on a quiet machine. A report that
  // does not come ends the test in run_job.
  print_message("%s, rank %d: report %.2f s after the call (timeout %g s)\n", kind, bad, delay,
                timeout_s);
  orr_free(report);
  orr_free(said);
  folder_remove(dir);
}

static void check_kind(const char *kind, int bad, const char *why) {
  char from[512];
  snprintf(from, sizeof from, ") from " HANGING ": %s", why);
  check_job(kind, bad, "missing: ", from);
}

static void test_a_rank_that_sleeps_is_named_and_what_it_never_entered(void **state) {
  for (int bad = 0; bad < 2; bad++)
    check_kind(
        "sleep", bad,
        "it never entered it; it is in no collective; its last: dp barrier, call 2, finished ");
}

static void test_a_rank_missing_from_a_started_collective_is_named(void **state) {
  check_kind("wait", 2,
             "it never entered it; it is in no collective; its last: dp barrier, call 2, "
             "finished ");
}

static void test_a_rank_that_exits_is_named_before_the_launcher_kills_the_others(void **state) {
  for (int bad = 0; bad < RANKS; bad++) check_kind("exit", bad, "its process has ended\n");
}

static void test_a_killed_rank_is_named(void **state) {
  check_kind("killed", 1, "its process has ended\n");
}

static void test_a_stopped_rank_is_named_and_does_not_outlive_the_job(void **state) {
  for (int bad = 0; bad < RANKS; bad++)
    check_kind("stop", bad, "it does not answer (stopped, or its host is gone)\n");
}

static void test_a_rank_that_calls_another_collective_is_named_with_it(void **state) {
  for (int bad = 0; bad < RANKS; bad += 2)
    check_kind("other", bad,
               "it called ANOTHER collective: dp broadcast of 4 i64, call 3; it is in dp "
               "broadcast of 4 i64, call 3, for ");
}

static void test_a_rank_in_a_collective_of_another_axis_is_named_with_it(void **state) {
  check_kind("axis", 1, "it never entered it, it is in ANOTHER collective: world barrier, call ");
}

static void
test_a_collective_that_fails_on_the_device_is_told_once_and_ends_every_rank(void **state) {
  for (int bad = 0; bad < RANKS; bad++)
    check_job("fault", bad, "failed: ",
              "): dp axis: a collective under way: NCCL says: remote process exited or there was a "
              "network error\n");
}

static void
test_a_rank_that_never_issues_is_missing_where_the_others_wait_for_the_device(void **state) {
  check_job("device", 1, "missing: ", ") from world wait for the device, call 1");
}

int main(int argc, char **argv) {
  if (argc == 4) return run_rank(argv[1], (int)strtol(argv[2], NULL, 10), argv[3]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_rank_that_sleeps_is_named_and_what_it_never_entered),
      cmocka_unit_test(test_a_rank_missing_from_a_started_collective_is_named),
      cmocka_unit_test(test_a_rank_that_exits_is_named_before_the_launcher_kills_the_others),
      cmocka_unit_test(test_a_killed_rank_is_named),
      cmocka_unit_test(test_a_stopped_rank_is_named_and_does_not_outlive_the_job),
      cmocka_unit_test(test_a_rank_that_calls_another_collective_is_named_with_it),
      cmocka_unit_test(test_a_rank_in_a_collective_of_another_axis_is_named_with_it),
      cmocka_unit_test(test_a_collective_that_fails_on_the_device_is_told_once_and_ends_every_rank),
      cmocka_unit_test(
          test_a_rank_that_never_issues_is_missing_where_the_others_wait_for_the_device),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
