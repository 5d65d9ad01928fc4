// labels: full faults; needs: orrery
// kill -9 at random steps, again and again: the run that is continued each time ends with the bits
// of one that was never disturbed.
#include "tests/train/program.h"
#include "tests/train/small_run.h"

#include <signal.h>

enum { KILLS = 10, STEPS = 300, TRIES = 100 };

// Configuration of a run in ROOT/name, as a file.
static void store_config(small_run *r, const char *name) {
  cfg *c = small_run_config(r, name, (const char *const[]){"train.steps=300", "ckpt.keep=2", NULL});
  char file[64];
  snprintf(file, sizeof file, "%s.yaml", name);
  small_run_store(r, file, c);
}

static pid_t start(small_run *r, const char *name) {
  char config[512], err[512];
  snprintf(config, sizeof config, "%s/%s.yaml", r->root, name);
  snprintf(err, sizeof err, "%s/%s.err", r->root, name);
  return program_start(
      (const char *const[]){program_path, "train", config, "--resume", "auto", NULL}, err, true);
}

// Read as it grows: a run that goes on cuts the file back first, so its size may not hold still.
static int64_t lines(small_run *r, const char *name) {
  char path[512];
  int64_t n = 0;
  snprintf(path, sizeof path, "%s/%s/metrics.jsonl", r->root, name);
  FILE *f = fopen(path, "r");
  if (!f) return 0;
  for (int c = getc(f); c != EOF; c = getc(f)) n += c == '\n';
  fclose(f);
  return n;
}

// Starts the run and kills it once it is `ahead` steps beyond what is there; true when it was
// killed, false when it was through before.
static bool start_and_kill(small_run *r, const char *name, int64_t ahead) {
  const int64_t until = lines(r, name) + ahead;
  const pid_t pid = start(r, name);
  int status;
  while (lines(r, name) < until) {
    if (waitpid(pid, &status, WNOHANG) == pid) {
      if (status != 0) fail_msg("%s ended with status %d", name, status);
      return false;
    }
    usleep(500);
  }
  kill(pid, SIGKILL);
  const int code = program_wait(pid);
  if (code != 0) assert_int_equal(code, 128 + SIGKILL);
  return code != 0;
}

// The text of every line's loss, gradient norm and rate must agree, not just their values.
static void assert_same_metrics(small_run *r, const char *a, const char *b) {
  char path[2][512], line[2][2048];
  FILE *f[2];
  snprintf(path[0], sizeof path[0], "%s/%s/metrics.jsonl", r->root, a);
  snprintf(path[1], sizeof path[1], "%s/%s/metrics.jsonl", r->root, b);
  for (int i = 0; i < 2; i++) assert_non_null(f[i] = fopen(path[i], "r"));
  for (int step = 1; step <= STEPS; step++) {
    for (int i = 0; i < 2; i++) {
      assert_non_null(fgets(line[i], sizeof line[i], f[i]));
      char *end = strstr(line[i], ", \"tokens_per_s\""); // what follows are times
      assert_non_null(end);
      *end = 0;
    }
    assert_string_equal(line[0], line[1]);
  }
  for (int i = 0; i < 2; i++) {
    assert_null(fgets(line[i], sizeof line[i], f[i]));
    fclose(f[i]);
  }
}

static orr_hash128 hash_of(small_run *r, const char *name, const char *file) {
  char path[512];
  orr_hash128 h;
  snprintf(path, sizeof path, "%s/%s/ckpt/step-%08d/%s-00001-of-00001.safetensors", r->root, name,
           STEPS, file);
  assert_ok(orr_hash_file(path, &h, NULL));
  return h;
}

static void test_a_run_killed_ten_times_ends_with_the_bits_of_an_undisturbed_one(void **state) {
  small_run *r = *state;
  char dir[512];
  int kills = 0;
  store_config(r, "calm");
  store_config(r, "killed");
  assert_int_equal(program_wait(start(r, "calm")), 0);
  snprintf(dir, sizeof dir, "%s/killed", r->root);
  for (int i = 0; kills < KILLS && i < TRIES; i++) {
    const int64_t ahead = 1 + (int64_t)orr_rng_below(1, ORR_STREAM_TEST, 0, (uint64_t)i, 25);
    if (start_and_kill(r, "killed", ahead))
      kills++;
    else
      assert_ok(orr_fs_remove_tree(dir)); // it was through too soon: once more from the start
  }
  assert_int_equal(kills, KILLS);
  assert_int_equal(program_wait(start(r, "killed")), 0);
  assert_same_metrics(r, "calm", "killed");
  assert_true(orr_hash_equal(hash_of(r, "calm", "model"), hash_of(r, "killed", "model")));
  assert_true(orr_hash_equal(hash_of(r, "calm", "optim"), hash_of(r, "killed", "optim")));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_run_killed_ten_times_ends_with_the_bits_of_an_undisturbed_one),
  };
  return cmocka_run_group_tests_name("train/kill -9", tests, small_run_setup, small_run_teardown);
}
