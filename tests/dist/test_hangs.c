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

enum { JOBS = 17, AHEAD = 2 };

typedef struct {
  const char *kind;
  int bad; // the rank that misbehaves
  char dir[FOLDER_PATH];
  pid_t child;
} job;

// In the order in which the tests below want them.
typedef struct {
  job job[JOBS];
  int started;
} jobs;

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

// Starts three ranks; what they say goes to DIR/said.
static void start_job(job *j) {
  char self[512], said[512], rank[16];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0);
  self[n] = 0;
  folder_make(j->dir);
  snprintf(said, sizeof said, "%s/said", j->dir);
  snprintf(rank, sizeof rank, "%d", j->bad);
  j->child = fork();
  assert_true(j->child >= 0);
  if (j->child == 0) {
    int fd = open(said, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execlp("mpirun", "mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "3", self, j->kind,
           rank, j->dir, (char *)NULL);
    _exit(99);
  }
}

static void end_job(job *j) {
  kill(j->child, SIGKILL);
  waitpid(j->child, NULL, 0);
  j->child = 0;
}

// mpirun's wait status.
static int await_job(job *j) {
  int status = 0;
  for (int i = 0; waitpid(j->child, &status, WNOHANG) == 0; i++) {
    if (i < 100 * 300) {
      usleep(10000);
      continue;
    }
    end_job(j);
    fail_msg("%s, rank %d: the job did not end", j->kind, j->bad);
  }
  j->child = 0;
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

// A job of the list. The next ones are under way, too: they spend their time waiting.
static job *job_of(jobs *all, const char *kind, int bad) {
  int i = 0;
  while (strcmp(all->job[i].kind, kind) != 0 || all->job[i].bad != bad) assert_true(++i < JOBS);
  for (; all->started < JOBS && all->started <= i + AHEAD; all->started++)
    start_job(&all->job[all->started]);
  return &all->job[i];
}

// `word` begins the report's line on the bad rank, and `why` ends it.
static void check_job(void **state, const char *kind, int bad, const char *word, const char *why) {
  job *j = job_of(*state, kind, bad);
  const char *dir = j->dir;
  int status = await_job(j);
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
  // does not come ends the test in await_job.
  print_message("%s, rank %d: report %.2f s after the call (timeout %g s)\n", kind, bad, delay,
                timeout_s);
  orr_free(report);
  orr_free(said);
  folder_remove(dir);
}

static void check_kind(void **state, const char *kind, int bad, const char *why) {
  char from[512];
  snprintf(from, sizeof from, ") from " HANGING ": %s", why);
  check_job(state, kind, bad, "missing: ", from);
}

static void test_a_rank_that_sleeps_is_named_and_what_it_never_entered(void **state) {
  for (int bad = 0; bad < 2; bad++)
    check_kind(
        state, "sleep", bad,
        "it never entered it; it is in no collective; its last: dp barrier, call 2, finished ");
}

static void test_a_rank_missing_from_a_started_collective_is_named(void **state) {
  check_kind(state, "wait", 2,
             "it never entered it; it is in no collective; its last: dp barrier, call 2, "
             "finished ");
}

static void test_a_rank_that_exits_is_named_before_the_launcher_kills_the_others(void **state) {
  for (int bad = 0; bad < RANKS; bad++) check_kind(state, "exit", bad, "its process has ended\n");
}

static void test_a_killed_rank_is_named(void **state) {
  check_kind(state, "killed", 1, "its process has ended\n");
}

static void test_a_stopped_rank_is_named_and_does_not_outlive_the_job(void **state) {
  for (int bad = 0; bad < RANKS; bad++)
    check_kind(state, "stop", bad, "it does not answer (stopped, or its host is gone)\n");
}

static void test_a_rank_that_calls_another_collective_is_named_with_it(void **state) {
  for (int bad = 0; bad < RANKS; bad += 2)
    check_kind(state, "other", bad,
               "it called ANOTHER collective: dp broadcast of 4 i64, call 3; it is in dp "
               "broadcast of 4 i64, call 3, for ");
}

static void test_a_rank_in_a_collective_of_another_axis_is_named_with_it(void **state) {
  check_kind(state, "axis", 1,
             "it never entered it, it is in ANOTHER collective: world barrier, call ");
}

static void
test_a_collective_that_fails_on_the_device_is_told_once_and_ends_every_rank(void **state) {
  for (int bad = 0; bad < RANKS; bad++)
    check_job(state, "fault", bad, "failed: ",
              "): dp axis: a collective under way: NCCL says: remote process exited or there was a "
              "network error\n");
}

static void
test_a_rank_that_never_issues_is_missing_where_the_others_wait_for_the_device(void **state) {
  check_job(state, "device", 1, "missing: ", ") from world wait for the device, call 1");
}

static int list_jobs(void **state) {
  static const struct {
    const char *kind;
    int first, last, step;
  } kinds[] = {{"sleep", 0, 1, 1},  {"wait", 2, 2, 1},  {"exit", 0, 2, 1},
               {"killed", 1, 1, 1}, {"stop", 0, 2, 1},  {"other", 0, 2, 2},
               {"axis", 1, 1, 1},   {"fault", 0, 2, 1}, {"device", 1, 1, 1}};
  jobs *all = calloc(1, sizeof *all);
  int n = 0;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    for (int bad = kinds[k].first; bad <= kinds[k].last; bad += kinds[k].step)
      all->job[n++] = (job){.kind = kinds[k].kind, .bad = bad};
  *state = all;
  return n == JOBS ? 0 : -1;
}

static int free_jobs(void **state) {
  jobs *all = *state;
  for (int i = 0; i < all->started; i++) // none is left but where a test failed
    if (all->job[i].child > 0) end_job(&all->job[i]);
  free(all);
  return 0;
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
  return cmocka_run_group_tests(tests, list_jobs, free_jobs);
}
