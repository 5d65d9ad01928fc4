// labels: full; needs: orrery
// Limits of the process (ulimit): one line of error that names the limit, and earlier checkpoints
// as they were.
#include <signal.h>
#include <sys/resource.h>

#include "checkpoints/checkpoint.h"
#include "tests/train/program.h"
#include "tests/train/small_run.h"

// Trains ROOT/run from step 6 to 12 after `ulimit MORE`; the exit code, and the text of stderr.
static int train_under(small_run *r, const char *more, char **said) {
  char text[8192], err[512];
  snprintf(text, sizeof text, "cd %s && rm -rf run && cp -r good run", r->root);
  assert_int_equal(system(text), 0);
  const char *path = small_run_store(
      r, "run.yaml", small_run_config(r, "run", (const char *const[]){"ckpt.every=2", NULL}));
  snprintf(text, sizeof text, "ulimit %s && exec %s train %s", more, program_path, path);
  const char *const words[] = {"sh", "-c", text, NULL};
  snprintf(err, sizeof err, "%s/err", r->root);
  const int code = program_wait(program_start(words, err, true));
  *said = folder_read(err);
  return code;
}

static int lines_with(const char *text, const char *part) {
  int n = 0;
  for (const char *at = text; (at = strstr(at, part)); n++) {
    at += strcspn(at, "\n");
  }
  return n;
}

static void assert_whole(small_run *r) {
  ckpt_reader *reader;
  assert_ok(ckpt_open(small_run_path(r, "run/ckpt/step-00000006"), &reader));
  assert_ok(ckpt_verify(reader));
  ckpt_close(reader);
}

// From where libraries cannot be loaded to where the run succeeds. Whoever runs out of memory, a
// library that does not look included, it is said once, with the limit.
static void test_a_limit_on_memory_is_named_whoever_meets_it(void **state) {
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
  skip(); // they take terabytes of addresses
#endif
  small_run *r = *state;
  int code = 1, met = 0;
  for (int mib = 96; code != 0 && mib < 16384; mib += 12) {
    char *said, more[32];
    snprintf(more, sizeof more, "-v %d", mib << 10);
    code = train_under(r, more, &said);
    if (code != 0 && code != 127) { // 127: the loader of programs says it in its way
      if (code != 1 || lines_with(said, "ulimit -v") != 1)
        fail_msg("limit %d MiB: exit code %d: %s", mib, code, said);
      met++;
    }
    orr_free(said);
    assert_whole(r);
  }
  assert_int_equal(code, 0);
  assert_true(met >= 1);
}

static void test_a_limit_on_files_is_named_before_the_first_step(void **state) {
  small_run *r = *state;
  char *said;
  assert_int_equal(train_under(r, "-f 128", &said), 1);
  assert_int_equal(lines_with(said, "error: "), 1);
  assert_non_null(strstr(said, "files are limited to 65536 bytes: raise that limit (ulimit -f)"));
  assert_null(strstr(said, "step 7/"));
  orr_free(said);
  assert_whole(r);
}

// One that only a growing file meets: the program is not ended by a signal.
static void test_a_shard_that_grows_beyond_a_limit_is_an_error_of_its_writer(void **state) {
  small_run *r = *state;
  static const char *const actions[] = {"left"};
  const data_shard_format f = {.branch = "worlds",
                               .source = "test",
                               .fps = 10,
                               .S = 64,
                               .codes = 1000,
                               .A = 1,
                               .action_names = actions};
  static int32_t tokens[256 * 64];
  static float action[256];
  data_shard_writer *w = NULL;
  for (int i = 0; i < 256 * 64; i++) tokens[i] = i % 1000;
  signal(SIGXFSZ, SIG_IGN); // as the program does
  struct rlimit kept;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){16384, kept.rlim_max}), 0);
  orr_code rc = data_shard_writer_create(small_run_path(r, "large.h5"), &f, DATA_FILTER_NONE, &w);
  for (int i = 0; rc == ORR_OK && i < 64; i++) {
    rc = data_shard_writer_append(
        w, &(data_shard_rows){.n = 256, .tokens = tokens, .actions = action});
    if (rc == ORR_OK) rc = data_shard_writer_end_episode(w);
  }
  if (rc == ORR_OK) rc = data_shard_writer_finish(w);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
  assert_int_not_equal(rc, ORR_OK);
  assert_message_names("ulimit -f");
  data_shard_writer_destroy(w);
}

static int setup(void **state) {
  if (small_run_setup(state)) return -1;
  return SMALL_RUN((small_run *)*state, "good", "none", "train.steps=6", "ckpt.every=6") != ORR_OK;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_limit_on_memory_is_named_whoever_meets_it),
      cmocka_unit_test(test_a_limit_on_files_is_named_before_the_first_step),
      cmocka_unit_test(test_a_shard_that_grows_beyond_a_limit_is_an_error_of_its_writer),
  };
  return cmocka_run_group_tests_name("train/limits", tests, setup, small_run_teardown);
}
