// labels: full; needs: orrery
// The program as users start it, on simulated clips: a tokenizer on two ranks that share its states
// out, tokens, and one training of the dynamics model that is handed on from layout to layout.
#include "tests/train/program.h"
#include "tests/train/small_run.h"

#include <sys/stat.h>

#include "data/sim/tabletop.h"

enum { WORDS_MAX = 24, LEG = 2 }; // LEG: steps that count of a layout

typedef struct {
  int tp, cp, dp, zero;
} leg;

// Any to any: there and back.
static const leg legs[] = {{2, 1, 2, 1}, {1, 2, 3, 0}, {1, 1, 1, 0},
                           {4, 1, 1, 0}, {1, 2, 3, 1}, {2, 1, 2, 1}};
enum { LEGS = sizeof legs / sizeof *legs, STEPS = LEG * LEGS };

static const char tokenizer_yaml[] =
    "run: {threads: 1, precision: fp32, seed: 5}\n"
    "train: {stage: tokenizer, steps: 4, batch: 4}\n"
    "optim: {warmup_steps: 1, decay_steps: 1}\n"
    "data: {frames: 2}\n"
    "tokenizer: {patch: 8, rows: 3, cols: 3, levels: [5, 4], width: 32, heads: 2, kv_heads: 2, "
    "hidden: 48, layers: 1}\n";
static const char dynamics_yaml[] =
    "run: {threads: 1, precision: fp32, seed: 5}\n"
    "train: {stage: dynamics, steps: 12, batch: 6}\n"
    "optim: {lr_peak: 0.003, warmup_steps: 2, decay_steps: 4, ema_decay: 0.9}\n"
    "data: {frames: 5}\n"
    "tokenizer: {patch: 8, rows: 3, cols: 3, levels: [5, 4]}\n"
    "model: {rows: 3, cols: 3, codes: 20, registers: 1, width: 32, heads: 4, kv_heads: 2, "
    "hidden: 48, layers: 4, time_every: 2, actions: 2, branches: [worlds]}\n"
    "dist: {bucket_bytes: 8192, check_replicas: 2, timeout_s: 60}\n"
    "ckpt: {every: 2, keep: 20}\n";

// Runs words (ended by NULL) in the test's folder; fails with what it said.
static void run_words(small_run *r, const char *const *words) {
  const char *err = small_run_path(r, "said");
  program_wait_ok(program_start(words, err, true), err);
}
#define RUN(r, ...) run_words(r, (const char *const[]){__VA_ARGS__, NULL})

static void put_config(small_run *r, const char *name, const char *text) {
  assert_ok(orr_fs_write_atomic(small_run_path(r, name), text, strlen(text)));
}

// `orrery train FILE` on the ranks of a layout, results in ROOT/dir.
static void train(small_run *r, const leg *l, const char *file, const char *dir,
                  const char *resume) {
  char ranks[16], set[6][128];
  const char *words[WORDS_MAX] = {"mpirun", "--allow-run-as-root", "--oversubscribe", "-n", ranks};
  const int n = l->tp * l->cp * l->dp;
  int count = n > 1 ? 5 : 0;
  snprintf(ranks, sizeof ranks, "%d", n);
  snprintf(set[0], sizeof set[0], "run.dir=%s", dir);
  snprintf(set[1], sizeof set[1], "dist.tp=%d", l->tp);
  snprintf(set[2], sizeof set[2], "dist.cp=%d", l->cp);
  snprintf(set[3], sizeof set[3], "dist.dp=%d", l->dp);
  snprintf(set[4], sizeof set[4], "dist.zero=%d", l->zero);
  snprintf(set[5], sizeof set[5], "data.train=[%s]",
           strcmp(file, "dynamics.yaml") ? "clips" : "tokens");
  const char *const rest[] = {program_path, "train", file, "--resume", resume};
  for (int i = 0; i < 5; i++) words[count++] = rest[i];
  for (int i = 0; i < 6; i++) {
    words[count++] = "--set";
    words[count++] = set[i];
  }
  assert_true(count < WORDS_MAX);
  run_words(r, words);
}

static void make_tokens(small_run *r) {
  put_config(r, "tokenizer.yaml", tokenizer_yaml);
  put_config(r, "dynamics.yaml", dynamics_yaml);
  RUN(r, program_path, "data", "generate", "--scene", "tabletop", "--out", "clips", "--episodes",
      "6", "--episode-frames", "12", "--size", "24", "--processes", "2");
  train(r, &(leg){1, 1, 2, 1}, "tokenizer.yaml", "tokenizer", "none");
  RUN(r, program_path, "data", "tokenize", "clips", "--tokenizer", "tokenizer/ckpt", "--out",
      "tokens");
}

static void test_a_training_goes_from_layout_to_layout_as_if_it_had_never_stopped(void **state) {
  small_run *r = *state;
  double whole[SMALL_RUN_STEPS_MAX], relay[SMALL_RUN_STEPS_MAX], worst = 0.0;
  char from[64];
  if (!data_tabletop_available()) {
    print_message("skipped: this build has no MuJoCo\n");
    skip();
  }
  make_tokens(r);
  train(r, &(leg){1, 1, 1, 0}, "dynamics.yaml", "whole", "none");
  for (int i = 0; i < LEGS; i++) { // each to the end; the next takes over after LEG steps of it
    snprintf(from, sizeof from, "relay/ckpt/step-%08d", i * LEG);
    train(r, &legs[i], "dynamics.yaml", "relay", i ? from : "none");
  }
  assert_int_equal(small_run_losses(r, "whole", whole), STEPS);
  assert_int_equal(small_run_losses(r, "relay", relay), STEPS);
  for (int i = 0; i < STEPS; i++) {
    worst = fmax(worst, fabs(relay[i] / whole[i] - 1.0));
    /* fp32, sums in other orders: measured 1e-7 */
    if (!(fabs(relay[i] / whole[i] - 1.0) < 1e-5))
      fail_msg("step %d: loss %.9g, uninterrupted %.9g", i + 1, relay[i], whole[i]);
  }
  // Steps differ by more than layouts do: other clips, or the same in another order, would show.
  for (int i = 1; i < STEPS; i++) assert_true(fabs(whole[i] / whole[i - 1] - 1.0) > 1e-4);
  print_message("losses off by %.1e\n", worst);
}

static void test_ranks_of_two_builds_are_named_and_stop(void **state) {
  small_run *r = *state;
  char *program = NULL, other[256];
  size_t bytes;
  snprintf(other, sizeof other, "%s/orrery", r->root);
  assert_ok(orr_fs_read_all(program_path, &program, &bytes));
  FILE *f = fopen(other, "w");
  assert_non_null(f);
  assert_int_equal(fwrite(program, 1, bytes, f), bytes);
  assert_int_equal(fputc(0, f), 0); // after all that is loaded: it runs like the first
  assert_int_equal(fclose(f), 0);
  assert_int_equal(chmod(other, 0755), 0);
  put_config(r, "dynamics.yaml", dynamics_yaml);
  const char *const words[] = {"mpirun",
                               "--allow-run-as-root",
                               "--oversubscribe",
                               "-n",
                               "2",
                               program_path,
                               "train",
                               "dynamics.yaml",
                               ":",
                               "-n",
                               "1",
                               other,
                               "train",
                               "dynamics.yaml",
                               NULL};
  assert_int_not_equal(program_wait(program_start(words, small_run_path(r, "said"), true)), 0);
  char *said = folder_text(r->root, "said");
  const char *line = strstr(said, "error: ");
  if (!line || !strstr(line, "rank 2: compare programs: its program is not rank 0's") ||
      strstr(line + 1, "error: "))
    fail_msg("%s", said);
  orr_free(said);
  orr_free(program);
}

static int setup(void **state) {
  if (small_run_setup(state) != 0) return -1;
  orr_fs_remove_tree(small_run_path(*state, "tokens")); // real ones come in its place
  return chdir(((small_run *)*state)->root);
}

static int teardown(void **state) {
  return chdir("/") == 0 ? small_run_teardown(state) : -1;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_training_goes_from_layout_to_layout_as_if_it_had_never_stopped),
      cmocka_unit_test(test_ranks_of_two_builds_are_named_and_stop),
  };
  return cmocka_run_group_tests_name("train: relay", tests, setup, teardown);
}
