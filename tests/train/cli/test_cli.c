// labels: quick; needs: orrery
// What the program says to bad input: one line of error on stderr that names object, got, wanted
// and remedy, and the exit code: 1 failed, 2 bad usage or configuration.
#define _GNU_SOURCE
#include "kernels/kern.h"
#include "tests/train/program.h"
#include "tests/train/small_run.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

enum { WORDS_MAX = 32 };

// Runs words; the code must be this one and the one error, a line or a list of several faults, must
// hold every part.
static void expect(small_run *r, const char *const *words, int code, const char *const *parts) {
  char err[256], *line = NULL;
  int errors = 0;
  snprintf(err, sizeof err, "%s/err", r->root);
  const int got = program_wait(program_start(words, err, true));
  char *text = folder_read(err);
  for (char *l = text, *end; *l; l = end) {
    end = l + strcspn(l, "\n");
    while (strncmp(end, "\n  ", 3) == 0) end += 1 + strcspn(end + 1, "\n"); // a fault of a list
    if (*end) *end++ = '\0';
    if (!strstr(l, "error: ")) continue;
    errors++;
    line = l;
  }
  if (got != code) fail_msg("exit code %d, wanted %d: %s", got, code, line ? line : "(no error)");
  if (errors != 1) fail_msg("%d lines of error, wanted 1; the last: %s", errors, line ? line : "");
  for (; *parts; parts++)
    if (!strstr(line, *parts)) fail_msg("'%s' is not in '%s'", *parts, line);
  orr_free(text);
}

#define WORDS(...)                                                                                 \
  (const char *const[]) {                                                                          \
    program_path, __VA_ARGS__, NULL                                                                \
  }
#define SAYS(...)                                                                                  \
  (const char *const[]) {                                                                          \
    __VA_ARGS__, NULL                                                                              \
  }

// ROOT/name.yaml: the small run with results in ROOT/name.
static const char *config(small_run *r, const char *name) {
  cfg *c = small_run_config(r, name, (const char *const[]){"train.steps=6", NULL});
  char file[64];
  snprintf(file, sizeof file, "%s.yaml", name);
  return small_run_store(r, file, c);
}

static void expect_text(small_run *r, const char *yaml, const char *const *parts) {
  const char *path = small_run_path(r, "bad.yaml");
  assert_ok(orr_fs_write_atomic(path, yaml, strlen(yaml)));
  expect(r, WORDS("train", path), 2, parts);
}

// `train` with one assignment that does not fit.
static void expect_set(small_run *r, const char *assignment, int code, const char *const *parts) {
  char set[512];
  snprintf(set, sizeof set, "%s", assignment);
  expect(r, WORDS("train", config(r, "set"), "--set", set, "--resume", "none"), code, parts);
}

// -- the device -----------------------------------------------------------------------------

// With run.device auto and no GPU that works: one line says why, and the run goes on.
static void test_a_run_without_a_gpu_says_why_in_one_line(void **state) {
  small_run *r = *state;
  char err[256];
  kern *k = NULL;
  assert_ok(kern_create(KERN_DEVICE_AUTO, 1, &k));
  char why[sizeof k->why_cpu];
  memcpy(why, k->why_cpu, sizeof why);
  kern_destroy(k);
  snprintf(err, sizeof err, "%s/err", r->root);
  const char *const *words =
      WORDS("train", config(r, "auto"), "--set", "run.device=auto", "--dry-run");
  program_wait_ok(program_start(words, err, true), err);
  char *text = folder_read(err);
  if (*why) {
    const char *line = strstr(text, "no GPU is used: ");
    if (!line || !strstr(line, why)) fail_msg("no line with '%s' in: %s", why, text);
    assert_null(strstr(line + 1, "no GPU is used: "));
    assert_non_null(strstr(line, "device cpu "));
  } else {
    assert_non_null(strstr(text, "device cuda "));
  }
  orr_free(text);
  expect(r, WORDS("train", config(r, "cuda"), "--set", "run.device=cuda", "--dry-run"),
         *why ? 1 : 0, SAYS(*why ? why : ""));
}

// -- faults together ------------------------------------------------------------------------

// Settings that do not fit and data that does not: one call of `train` and one dry run name all.
static void test_all_faults_are_named_by_one_call(void **state) {
  small_run *r = *state;
  char err[256];
  static const char *const parts[] = {"faults:", "model.width 34 is not divisible by model.heads 4",
                                      "data.frames is 1", "2 action components, wanted at most 1",
                                      "nowhere: no such folder"};
  for (int dry = 0; dry < 2; dry++) {
    char data[600];
    snprintf(err, sizeof err, "%s/err", r->root);
    snprintf(data, sizeof data, "data.train=[%s/tokens, %s/nowhere]", r->root, r->root);
    const char *const *words =
        WORDS("train", config(r, "faults"), "--set", data, "--set", "model.width=34", "--set",
              "data.frames=1", "--set", "model.actions=1", dry ? "--dry-run" : "--resume",
              dry ? NULL : "none");
    assert_int_equal(program_wait(program_start(words, err, true)), 2);
    char *text = folder_read(err);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
      if (!strstr(text, parts[i])) fail_msg("no '%s' in: %s", parts[i], text);
    orr_free(text);
  }
  expect(r, WORDS("train", config(r, "dry"), "--set", "model.actions=1", "--dry-run"), 1,
         SAYS("2 action components, wanted at most 1", "raise model.actions"));
}

// -- usage ----------------------------------------------------------------------------------

static void test_unknown_commands_options_and_missing_operands(void **state) {
  expect(*state, WORDS("trian"), 2,
         SAYS("unknown command 'trian'", "did you mean train", "orrery --help"));
  expect(*state, WORDS("train"), 2, SAYS("CONFIG.yaml is wanted, got nothing", "train --help"));
  expect(*state, WORDS("train", "a", "b"), 2, SAYS("unexpected 'b'", "only CONFIG.yaml"));
  expect(*state, WORDS("train", "a", "--resme", "auto"), 2,
         SAYS("unknown option --resme", "did you mean --resume"));
  expect(*state, WORDS("rollout", "a", "--clip", "first", "--data", "b", "--out", "c.gif"), 1,
         SAYS("b: no such folder"));
  expect(*state, WORDS("rollout", "a", "--data", "b", "--out", "c.webm"), 1,
         SAYS("c.webm: a film ends in .mp4, .gif or .png"));
  expect(*state, WORDS("eval", "a"), 2, SAYS("--data DIR|URL is missing"));
  expect(*state, WORDS("data", "tokenize", "a", "--out", "b"), 2, SAYS("--tokenizer"));
  expect(*state, WORDS("data", "frobnicate"), 2,
         SAYS("got 'frobnicate'", "wanted one of: generate"));
  expect(*state, WORDS("config", "show"), 2, SAYS("got 'show'", "wanted print, check, doc or new"));
  expect(*state, WORDS("bench", "disk"), 2, SAYS("got 'disk'", "wanted step"));
}

// -- configuration --------------------------------------------------------------------------

static void test_unknown_and_ill_typed_keys_are_named_with_their_line(void **state) {
  small_run *r = *state;
  expect(r, WORDS("train", "/nonexistent.yaml"), 2, SAYS("/nonexistent.yaml", "No such file"));
  expect_text(r, "modle: {width: 32}\n", SAYS("bad.yaml:1: modle", "did you mean model"));
  expect_text(r, "model:\n  widht: 32\n", SAYS("bad.yaml:2: model.widht", "model.width?"));
  expect_text(r, "model:\n  width: wide\n",
              SAYS("bad.yaml:2: model.width", "got 'wide'", "wanted a whole number from 1"));
  expect_text(r, "optim: {lr_peak: 7}\n", SAYS("bad.yaml:1: optim.lr_peak", "got '7'", "to 1"));
  expect_text(r, "run: {precision: fp8}\n",
              SAYS("run.precision", "got 'fp8'", "wanted one of auto, bf16, fp32"));
  expect_text(r, "model: [1,\n", SAYS("bad.yaml:2: not valid YAML"));
  expect_set(r, "model.widht=3", 2, SAYS("--set", "model.widht", "model.width?"));
  expect_set(r, "model", 2, SAYS("--set: got 'model'", "wanted section.key=value"));
}

static void test_rows_that_do_not_fit_together_are_named_with_their_values(void **state) {
  expect_set(*state, "model.heads=5", 2, SAYS("model.width 32", "divisible", "model.heads 5"));
  expect_set(*state, "model.kv_heads=3", 2, SAYS("model.heads 4", "model.kv_heads 3"));
  expect_set(*state, "model.codes=21", 2, SAYS("multiply to 20", "model.codes is 21", "equal"));
  expect_set(*state, "train.micro_batch=3", 2, SAYS("train.batch 4", "train.micro_batch 3"));
  expect_set(*state, "model.branches=[robots]", 2, SAYS("'worlds'", "model.branches", "robots"));
}

// -- data -----------------------------------------------------------------------------------

static void test_data_sets_that_differ_from_the_configuration(void **state) {
  small_run *r = *state;
  expect_set(r, "data.train=[]", 2, SAYS("data.train is empty", "name at least one"));
  expect_set(r, "data.train=[/nonexistent]", 1, SAYS("/nonexistent", "index.json"));
  expect_set(r, "model.actions=1", 1, SAYS("tokens", "2", "model.actions", "1"));
  expect(r,
         WORDS("train", config(r, "set"), "--resume", "none", "--set", "model.codes=25", "--set",
               "tokenizer.levels=[5, 5]"),
         1, SAYS("tokens", "20", "25", "codes"));
  expect(r,
         WORDS("train", config(r, "set"), "--resume", "none", "--set", "model.rows=3", "--set",
               "tokenizer.rows=3"),
         1, SAYS("tokens", "6", "9"));
  expect(r, WORDS("train", config(r, "set"), "--resume", "none", "--set", "train.stage=tokenizer"),
         1, SAYS("/tokens", "frames"));
  expect_set(r, "data.frames=11", 1, SAYS("11", "frames"));
}

// A data set of 4 x 6 pixel frames in ROOT/frames.
static void make_frames(small_run *r) {
  static const char *const actions[] = {"left", "right"};
  const data_shard_format f = {.branch = "worlds",
                               .source = "grey",
                               .fps = 10,
                               .height = 4,
                               .width = 6,
                               .A = 2,
                               .action_names = actions};
  static const uint8_t frames[6 * 4 * 6 * 3];
  static const float action[6 * 2];
  char path[512];
  data_shard_writer *w = NULL;
  assert_ok(orr_fs_mkdirs(small_run_path(r, "frames")));
  assert_ok(orr_fs_join(path, sizeof path, small_run_path(r, "frames"), "shard-00000.h5"));
  assert_ok(data_shard_writer_create(path, &f, DATA_FILTER_NONE, &w));
  assert_ok(
      data_shard_writer_append(w, &(data_shard_rows){.n = 6, .frames = frames, .actions = action}));
  assert_ok(data_shard_writer_end_episode(w));
  assert_ok(data_shard_writer_finish(w));
  data_shard_writer_destroy(w);
  assert_ok(data_index_build(small_run_path(r, "frames"), NULL));
}

static void test_frames_of_another_size_name_both_sizes(void **state) {
  small_run *r = *state;
  char set[512];
  make_frames(r);
  snprintf(set, sizeof set, "data.train=[%s/frames]", r->root);
  expect(r,
         WORDS("train", config(r, "set"), "--resume", "none", "--set", "train.stage=tokenizer",
               "--set", set),
         1, SAYS("frames", "4", "6", "16", "24")); // 2 x 3 patches of 8
}

// ROOT/NAME: a data set whose first shard is then spoilt by `spoil`.
static void expect_spoilt(small_run *r, const char *name, void (*spoil)(const char *path),
                          const char *const *parts) {
  char set[512], path[512];
  small_run_data(r, name);
  snprintf(path, sizeof path, "%s/%s/shard-00000.h5", r->root, name);
  spoil(path);
  snprintf(set, sizeof set, "data.train=[%s/%s]", r->root, name);
  expect_set(r, set, 1, parts);
}

static void cut(const char *path) {
  uint64_t bytes;
  assert_ok(orr_fs_size(path, &bytes));
  assert_int_equal(truncate(path, (off_t)(bytes / 2)), 0);
}

static void make_foreign(const char *path) {
  assert_ok(orr_fs_write_atomic(path, "no HDF5 at all", 14));
}

static void raise_version(const char *path) {
  const char *const words[] = {
      "/usr/bin/python3", "-c",
      "import sys, h5py; h5py.File(sys.argv[1], 'r+').attrs['orrery_shard'] = 2", path, NULL};
  assert_int_equal(program_wait(program_start(words, "/dev/null", true)), 0);
}

static void test_truncated_foreign_and_newer_shards_are_named(void **state) {
  const char *const probe[] = {"/usr/bin/python3", "-c", "import h5py", NULL};
  expect_spoilt(*state, "cut", cut, SAYS("cut/shard-00000.h5", "truncated"));
  expect_spoilt(*state, "foreign", make_foreign, SAYS("foreign/shard-00000.h5", "HDF5"));
  if (program_wait(program_start(probe, "/dev/null", true)) != 0) {
    print_message("skipped: wrong version: no python3-h5py to write one\n");
    return;
  }
  expect_spoilt(*state, "newer", raise_version, SAYS("newer/shard-00000.h5", "version", "2", "1"));
}

// -- checkpoints ----------------------------------------------------------------------------

static void test_checkpoints_that_are_missing_or_of_another_model(void **state) {
  small_run *r = *state;
  char ckpt[256], frames[256];
  snprintf(ckpt, sizeof ckpt, "%s/trained/ckpt", r->root);
  snprintf(frames, sizeof frames, "%s/frames", r->root);
  make_frames(r);
  assert_int_equal(
      program_wait(program_start(WORDS("train", config(r, "trained")), "/dev/null", true)), 0);
  expect(r, WORDS("train", config(r, "set"), "--resume", "/nonexistent"), 1,
         SAYS("/nonexistent", "no checkpoint"));
  expect(r, WORDS("train", config(r, "set"), "--resume", ckpt, "--set", "model.hidden=48"), 2,
         SAYS("model.hidden: 40 -> 48", "another run.dir"));
  expect(r, WORDS("train", config(r, "set"), "--set", "train.init_from=/nonexistent"), 1,
         SAYS("/nonexistent", "no checkpoint"));
  expect(r, WORDS("eval", "/nonexistent", "--data", frames), 1,
         SAYS("/nonexistent", "no checkpoint"));
  expect(r, WORDS("eval", ckpt, "--data", frames), 2, SAYS("--tokenizer CHECKPOINT"));
  expect(r, WORDS("eval", ckpt, "--data", frames, "--tokenizer", ckpt), 1,
         SAYS("holds a dynamics model, wanted a tokenizer"));
  expect(r, WORDS("rollout", ckpt, "--data", frames, "--out", "x.gif", "--tokenizer", ckpt), 1,
         SAYS("holds a dynamics model, wanted a tokenizer"));
  expect(r, WORDS("eval", ckpt, "--data", small_run_path(r, "tokens")), 1,
         SAYS("holds tokens only, wanted frames"));
  expect(r, WORDS("ckpt", "inspect", "/nonexistent"), 1, SAYS("/nonexistent", "no checkpoint"));
}

// An exam's sets take minutes: what the model cannot do is told before they are made.
static void test_an_exam_that_a_model_cannot_take_makes_no_sets(void **state) {
  small_run *r = *state;
  char run[256], sets[300];
  snprintf(run, sizeof run, "%s/examined", r->root);
  snprintf(sets, sizeof sets, "%s/exam", run);
  const char *const *words = WORDS("train", config(r, "examined"));
  assert_int_equal(program_wait(program_start(words, "/dev/null", true)), 0);
  expect(r, WORDS("exam", run, "--passes", "1000"), 1,
         SAYS("--passes 1000: the model has", "positions a frame"));
  expect(r, WORDS("exam", run, "--passes", "1", "--branch", "robots"), 2, SAYS("robots"));
  assert_false(orr_fs_exists(sets));
}

// -- a shorter run --------------------------------------------------------------------------

static void test_fewer_steps_alone_shrink_warm_up_and_decay_and_resume_as_they_were(void **state) {
  small_run *r = *state;
  char err[256];
  snprintf(err, sizeof err, "%s/err", r->root);
  for (int call = 0; call < 2; call++) {
    const char *const *words = WORDS("train", config(r, "short"), "--set", "train.steps=4");
    program_wait_ok(program_start(words, err, true), err);
    char *said = folder_read(err), *kept = folder_text(r->root, "short/config.yaml");
    assert_non_null(strstr(said, "to fit into train.steps 4, optim.warmup_steps 2 of 6 steps "
                                 "becomes 1, optim.decay_steps 4 of 6 steps becomes 2"));
    assert_true(call == 0 || strstr(said, "nothing to do: the run is at step 4"));
    assert_null(strstr(said, "another configuration"));
    assert_non_null(strstr(kept, "warmup_steps: 1\n"));
    assert_non_null(strstr(kept, "decay_steps: 2\n"));
    orr_free(kept);
    orr_free(said);
  }
}

static void test_a_dry_run_tells_what_a_process_takes_beside_its_model(void **state) {
  small_run *r = *state;
  char err[256];
  double own = 0.0, all = 0.0, model = 0.0;
  struct rusage most;
  snprintf(err, sizeof err, "%s/err", r->root);
  program_wait_ok(
      program_start(WORDS("train", config(r, "dry"), "--set", "run.device=cpu", "--dry-run"), err,
                    true),
      err);
  char *said = folder_read(err);
  const char *line = strstr(said, "the process itself takes "), *total = strstr(said, ") in all");
  assert_non_null(line);
  assert_non_null(total);
  assert_int_equal(sscanf(line,
                          "the process itself takes %lf MiB now (program, libraries, MPI): %lf MiB",
                          &own, &all),
                   2);
  while (total > said && *total != '(') total--; // "5.9 MiB (6200674 bytes) in all"
  assert_int_equal(sscanf(total, "(%lf bytes", &model), 1);
  assert_true(fabs(all - own - model / 1048576.0) <= 1.0); // both are rounded
  assert_int_equal(getrusage(RUSAGE_CHILDREN, &most), 0);
  assert_true(own >= 5.0 && own <= (double)most.ru_maxrss / 1024.0 + 1.0); // which the kernel saw
  orr_free(said);
}

// -- places to write ------------------------------------------------------------------------

static void test_a_folder_that_cannot_be_made_is_named(void **state) {
  small_run *r = *state;
  char set[512];
  snprintf(set, sizeof set, "run.dir=%s/tokens/index.json/run", r->root);
  expect_set(r, set, 1, SAYS("tokens/index.json", "is a file, wanted a folder", "another path"));
}

// The disk is full before the first checkpoint: in a name space of its own with a small tmpfs.
static void fill_small_disk(small_run *r) {
  char disk[256], set[512];
  snprintf(disk, sizeof disk, "%s/disk", r->root);
  if (orr_fs_mkdirs(disk) != ORR_OK || unshare(CLONE_NEWNS) != 0 ||
      mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("none", disk, "tmpfs", 0, "size=200k") != 0)
    _exit(77);
  snprintf(set, sizeof set, "run.dir=%s/run", disk);
  expect_set(r, set, 1, SAYS("checkpoint was not written", "disk/run/ckpt", "free"));
  _exit(0);
}

static void test_a_full_disk_ends_a_run_with_what_to_do(void **state) {
  int status = 0;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) fill_small_disk(*state);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    print_message("skipped: this process may not mount a small file system\n");
    skip();
  }
  assert_int_equal(WEXITSTATUS(status), 0);
}

// -- ranks ----------------------------------------------------------------------------------

static void test_ranks_that_do_not_divide_the_batch_say_so_once(void **state) {
  small_run *r = *state;
  // what Open MPI leaks is not ours to report, and would be another exit code under a sanitizer
  expect(r,
         (const char *const[]){"env", "ASAN_OPTIONS=detect_leaks=0", "mpirun", "--oversubscribe",
                               "-n", "2", program_path, "train", config(r, "set"), "--set",
                               "train.batch=3", NULL},
         2, SAYS("train.batch 3", "2 ranks", "change train.batch or the number of ranks"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_run_without_a_gpu_says_why_in_one_line),
      cmocka_unit_test(test_all_faults_are_named_by_one_call),
      cmocka_unit_test(test_unknown_commands_options_and_missing_operands),
      cmocka_unit_test(test_unknown_and_ill_typed_keys_are_named_with_their_line),
      cmocka_unit_test(test_rows_that_do_not_fit_together_are_named_with_their_values),
      cmocka_unit_test(test_data_sets_that_differ_from_the_configuration),
      cmocka_unit_test(test_frames_of_another_size_name_both_sizes),
      cmocka_unit_test(test_truncated_foreign_and_newer_shards_are_named),
      cmocka_unit_test(test_checkpoints_that_are_missing_or_of_another_model),
      cmocka_unit_test(test_an_exam_that_a_model_cannot_take_makes_no_sets),
      cmocka_unit_test(test_fewer_steps_alone_shrink_warm_up_and_decay_and_resume_as_they_were),
      cmocka_unit_test(test_a_dry_run_tells_what_a_process_takes_beside_its_model),
      cmocka_unit_test(test_a_folder_that_cannot_be_made_is_named),
      cmocka_unit_test(test_a_full_disk_ends_a_run_with_what_to_do),
      cmocka_unit_test(test_ranks_that_do_not_divide_the_batch_say_so_once),
  };
  return cmocka_run_group_tests_name("orrery: bad input", tests, small_run_setup,
                                     small_run_teardown);
}
