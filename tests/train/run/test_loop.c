// labels: quick; wrap: train_peak_measure
// Whole runs on one rank: what they write, that cutting a batch or a run in pieces changes nothing,
// and how they stop.
#include "tests/train/small_run.h"

#include <pthread.h>
#include <signal.h>

#include "base/fault.h"
#include "checkpoints/checkpoint.h"
#include "train/model/dynamics.h"
#include "train/step/schedule.h"
#include "train/step/state.h"
#include "train/save/store.h"

enum { STEPS = 12 };

// The machine's matmul rate as a run measures it: the first time so little, if not 0.
static double busy_rate; // the wrapped function's signature leaves no other way in

orr_code __real_train_peak_measure(kern *k, kern_dtype type, double *flops_per_s);
orr_code __wrap_train_peak_measure(kern *k, kern_dtype type, double *flops_per_s);

orr_code __wrap_train_peak_measure(kern *k, kern_dtype type, double *flops_per_s) {
  if (busy_rate == 0.0) return __real_train_peak_measure(k, type, flops_per_s);
  *flops_per_s = busy_rate;
  busy_rate = 0.0;
  return ORR_OK;
}

static void assert_same_losses(const double *a, const double *b, int n) {
  for (int i = 0; i < n; i++)
    if (!(a[i] == b[i])) fail_msg("step %d: losses %.9g and %.9g", i + 1, a[i], b[i]);
}

// -- what a run writes ----------------------------------------------------------------------

// Every moment of a step is in one phase, whatever the machine does meanwhile: eight numbers of
// three digits after the point.
static void assert_adds_up(const json_t *line) {
  static const char *const phases[] = {"input_ms",     "forward_ms",   "backward_ms",
                                       "optimizer_ms", "data_wait_ms", "ckpt_stall_ms",
                                       "other_ms"};
  const double step = json_number_value(json_object_get(line, "step_ms"));
  double sum = 0.0;
  for (size_t i = 0; i < sizeof phases / sizeof *phases; i++)
    sum += json_number_value(json_object_get(line, phases[i]));
  if (!(fabs(sum - step) < 0.005)) fail_msg("phases of %g ms in a step of %g ms", sum, step);
}

static void test_a_run_writes_its_configuration_and_every_field_of_every_step(void **state) {
  small_run *r = *state;
  static const char *const fields[] = {"loss",
                                       "lr",
                                       "grad_norm",
                                       "tokens",
                                       "tokens_per_s",
                                       "frames_per_s",
                                       "tflop",
                                       "step_ms",
                                       "data_wait_ms",
                                       "comm_ms",
                                       "ckpt_stall_ms",
                                       "mfu",
                                       "time",
                                       "data_bytes",
                                       "data_unpacked_bytes",
                                       "data_chunks",
                                       "data_chunk_hits",
                                       "data_queue",
                                       "other_ms",
                                       "input_ms",
                                       "forward_ms",
                                       "backward_ms",
                                       "optimizer_ms",
                                       "busy_ms",
                                       "busy_cpu_ms"};
  char path[512], line[2048], latest[64];
  int step = 0;
  assert_ok(SMALL_RUN(r, "whole", "auto"));
  cfg *c = small_run_config(r, "whole", (const char *const[]){NULL}), *kept = NULL;
  train_dynamics_dims d;
  train_dynamics_dims_from(c, &d);
  const double work = 1e-12 * train_dynamics_flops(&d, c->train.batch, c->data.frames);
  snprintf(path, sizeof path, "%s/whole/metrics.jsonl", r->root);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f)) {
    json_t *j = NULL;
    assert_ok(orr_json_parse(path, line, strlen(line), &j));
    step++;
    assert_int_equal(json_integer_value(json_object_get(j, "step")), step);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
      if (!json_is_number(json_object_get(j, fields[i]))) fail_msg("no number '%s'", fields[i]);
    assert_int_equal(json_object_size(j), 1 + sizeof fields / sizeof *fields);
    // 4 clips of 4 frames of 1 + 6 + 2 tokens
    assert_int_equal(json_number_value(json_object_get(j, "tokens")), step * 4 * 4 * 9);
    assert_true(fabs(json_number_value(json_object_get(j, "tflop")) - step * work) <
                1e-5 * step * work); // printed with 6 digits
    const double lr = json_number_value(json_object_get(j, "lr"));
    assert_true(fabs(lr - train_schedule_lr(c, step)) < 1e-8); // printed with 9 digits
    assert_adds_up(j);
    json_decref(j);
  }
  fclose(f);
  assert_int_equal(step, STEPS);
  snprintf(path, sizeof path, "%s/whole/config.yaml", r->root);
  assert_ok(cfg_create(&kept));
  assert_ok(cfg_read_file(kept, path));
  char *differences = NULL;
  assert_ok(cfg_diff(c, kept, &differences));
  assert_string_equal(differences, "");
  free(differences);
  small_run_text(r, "whole/ckpt/latest", latest, sizeof latest);
  assert_string_equal(latest, "step-00000012");
  cfg_destroy(kept);
  cfg_destroy(c);
}

static void test_mfu_is_a_share_though_the_machine_was_busy_when_it_was_measured(void **state) {
  small_run *r = *state;
  int lines = 0;
  busy_rate = 1e6; // steps of this model are far above
  assert_ok(SMALL_RUN(r, "busy", "none", "train.steps=6"));
  assert_true(busy_rate == 0.0);
  char *text = folder_text(r->root, "busy/metrics.jsonl");
  for (const char *at = text; (at = strstr(at, "\"mfu\": ")); lines++) {
    const double mfu = strtod(at += strlen("\"mfu\": "), NULL);
    if (!(mfu > 0.0 && mfu <= 1.0)) fail_msg("mfu %g", mfu);
  }
  assert_int_equal(lines, 6);
  orr_free(text);
}

static void test_a_finished_run_has_nothing_left_to_do(void **state) {
  small_run *r = *state;
  double before[SMALL_RUN_STEPS_MAX], after[SMALL_RUN_STEPS_MAX];
  assert_ok(SMALL_RUN(r, "done", "auto", "metrics.tensorboard=false"));
  assert_int_equal(small_run_losses(r, "done", before), STEPS);
  char *history = folder_text(r->root, "done/history.jsonl");
  assert_ok(SMALL_RUN(r, "done", "auto", "metrics.tensorboard=true"));
  char *said = small_run_said(r);
  assert_non_null(strstr(said, "nothing to do"));
  orr_free(said);
  char *now = folder_text(r->root, "done/history.jsonl"); // goodput is told from it
  assert_string_equal(now, history);
  assert_false(orr_fs_exists(small_run_path(r, "done/tensorboard")));
  orr_free(now);
  orr_free(history);
  assert_int_equal(small_run_losses(r, "done", after), STEPS);
  assert_same_losses(before, after, STEPS);
}

// -- pieces ---------------------------------------------------------------------------------

static void test_micro_batches_give_the_losses_of_the_whole_batch(void **state) {
  small_run *r = *state;
  static const char *const micro[] = {"train.micro_batch=1", "train.micro_batch=2",
                                      "train.micro_batch=4"};
  double whole[SMALL_RUN_STEPS_MAX], loss[SMALL_RUN_STEPS_MAX];
  assert_ok(SMALL_RUN(r, "micro0", "none"));
  assert_int_equal(small_run_losses(r, "micro0", whole), STEPS);
  for (int i = 0; i < 3; i++) {
    assert_ok(SMALL_RUN(r, "micro", "none", micro[i]));
    assert_int_equal(small_run_losses(r, "micro", loss), STEPS);
    for (int s = 0; s < STEPS; s++) {
      /* fp32 gradients summed in another order, 12 steps at a rate of 0.01: measured 3e-8 */
      if (!(fabs(loss[s] - whole[s]) < 1e-6 * whole[s]))
        fail_msg("%s, step %d: %.9g, whole %.9g", micro[i], s + 1, loss[s], whole[s]);
    }
    if (i == 2) assert_same_losses(loss, whole, STEPS);
  }
}

static void test_recomputation_and_synchronous_saving_keep_every_bit(void **state) {
  small_run *r = *state;
  double whole[SMALL_RUN_STEPS_MAX], loss[SMALL_RUN_STEPS_MAX];
  assert_ok(SMALL_RUN(r, "kept", "none"));
  small_run_losses(r, "kept", whole);
  assert_ok(SMALL_RUN(r, "again", "none", "train.recompute=true", "ckpt.async=false",
                      "ckpt.every=1", "ckpt.keep=2"));
  assert_int_equal(small_run_losses(r, "again", loss), STEPS);
  assert_same_losses(loss, whole, STEPS);
}

// -- resuming -------------------------------------------------------------------------------

// Both files of ROOT/run's checkpoint of step 12.
static void hash_last(small_run *r, const char *run, orr_hash128 *model, orr_hash128 *optim) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s/ckpt/step-00000012/model-00001-of-00001.safetensors", r->root,
           run);
  assert_ok(orr_hash_file(path, model, NULL));
  snprintf(path, sizeof path, "%s/%s/ckpt/step-00000012/optim-00001-of-00001.safetensors", r->root,
           run);
  assert_ok(orr_hash_file(path, optim, NULL));
}

static void test_a_run_resumed_at_step_6_repeats_the_losses_bit_for_bit(void **state) {
  small_run *r = *state;
  static const char *const precision[] = {"run.precision=fp32", "run.precision=bf16"};
  double whole[SMALL_RUN_STEPS_MAX], loss[SMALL_RUN_STEPS_MAX];
  orr_hash128 model[2], optim[2];
  char ckpt[512];
  snprintf(ckpt, sizeof ckpt, "%s/resumed/ckpt/step-00000006", r->root);
  for (int i = 0; i < 2; i++) {
    assert_ok(SMALL_RUN(r, "resumed", "none", precision[i]));
    assert_int_equal(small_run_losses(r, "resumed", whole), STEPS);
    hash_last(r, "resumed", &model[0], &optim[0]);
    assert_ok(SMALL_RUN(r, "resumed", ckpt, precision[i]));
    hash_last(r, "resumed", &model[1], &optim[1]);
    assert_true(orr_hash_equal(model[0], model[1])); // weights
    assert_true(orr_hash_equal(optim[0], optim[1])); // moments and average
    assert_int_equal(small_run_losses(r, "resumed", loss), STEPS);
    assert_same_losses(loss, whole, STEPS);
    assert_true(loss[STEPS - 1] != loss[5]);
  }
}

// Breaks a byte in the middle of the model file of a checkpoint.
static void damage(small_run *r, const char *folder) {
  char path[512];
  uint64_t bytes;
  snprintf(path, sizeof path, "%s/%s/model-00001-of-00001.safetensors", r->root, folder);
  assert_ok(orr_fs_size(path, &bytes));
  const int fd = open(path, O_RDWR);
  unsigned char byte;
  assert_int_equal(pread(fd, &byte, 1, (off_t)(bytes / 2)), 1);
  byte ^= 16;
  assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bytes / 2)), 1);
  close(fd);
}

static void test_a_run_resumed_otherwise_says_which_keys_differ(void **state) {
  small_run *r = *state;
  assert_ok(SMALL_RUN(r, "otherwise", "auto", "train.steps=6"));
  assert_ok(SMALL_RUN(r, "otherwise", "auto", "train.steps=9", "optim.lr_peak=0.02"));
  char *said = small_run_said(r);
  assert_non_null(strstr(said, "train.steps: 6 -> 9"));
  assert_non_null(strstr(said, "optim.lr_peak: 0.01 -> 0.02"));
  orr_free(said);
  // 9 steps of 4 clips are no number of steps of 2 clips that the run has taken
  assert_int_equal(SMALL_RUN(r, "otherwise", "auto", "train.batch=2"), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "train.batch 2"));
  assert_non_null(strstr(orr_status_message(), "36 clips in 9 steps"));
  assert_non_null(strstr(orr_status_message(), "train.init_from"));
}

static void test_a_damaged_checkpoint_is_named_and_the_one_before_it_continues(void **state) {
  small_run *r = *state;
  double whole[SMALL_RUN_STEPS_MAX], loss[SMALL_RUN_STEPS_MAX];
  assert_ok(SMALL_RUN(r, "damaged", "none"));
  small_run_losses(r, "damaged", whole);
  damage(r, "damaged/ckpt/step-00000012");
  assert_ok(SMALL_RUN(r, "damaged", "auto"));
  char *said = small_run_said(r);
  assert_non_null(strstr(said, "step-00000012 is damaged"));
  assert_non_null(strstr(said, "step-00000009 at step 9"));
  orr_free(said);
  assert_int_equal(small_run_losses(r, "damaged", loss), STEPS);
  assert_same_losses(loss, whole, STEPS);
  assert_ok(SMALL_RUN(r, "damaged", "auto")); // step 12 was written anew, and is whole
  said = small_run_said(r);
  assert_non_null(strstr(said, "nothing to do"));
  orr_free(said);
}

// Largest difference between tensor `a` of one checkpoint and `b` of another.
static double tensor_distance(const char *path_a, const char *file_a, const char *a,
                              const char *path_b, const char *file_b, const char *b, int64_t n) {
  ckpt_reader *ra = NULL, *rb = NULL;
  const size_t bytes = (size_t)n * sizeof(float);
  float *va = orr_malloc(bytes), *vb = orr_malloc(bytes);
  double off = 0.0;
  assert_ok(ckpt_open(path_a, &ra));
  assert_ok(ckpt_open(path_b, &rb));
  assert_ok(ckpt_read(ra, file_a, a, 0, bytes, va));
  assert_ok(ckpt_read(rb, file_b, b, 0, bytes, vb));
  for (int64_t i = 0; i < n; i++) off = fmax(off, fabs((double)va[i] - (double)vb[i]));
  ckpt_close(rb);
  ckpt_close(ra);
  orr_free(vb);
  orr_free(va);
  return off;
}

static void test_a_save_that_fails_is_an_event_of_the_run(void **state) {
  small_run *r = *state;
  orr_fault_arm(ORR_FAULT_RENAME, 4); // config.yaml; step 3 and `latest`; step 6
  assert_ok(SMALL_RUN(r, "unsaved", "none"));
  assert_true(orr_fault_fired(ORR_FAULT_RENAME));
  orr_fault_arm(ORR_FAULT_RENAME, 0);
  char *history = folder_text(r->root, "unsaved/history.jsonl");
  const char *event = strstr(history, "\"event\":\"save_failed\"");
  assert_non_null(event);
  assert_non_null(strstr(event, "checkpoint of step 6 was not written: "));
  assert_null(strstr(event + 1, "\"event\":\"save_failed\""));
  orr_free(history);
}

static void test_init_from_takes_the_moving_average_and_starts_at_step_1(void **state) {
  small_run *r = *state;
  char base[512], tuned[512], init[600];
  assert_ok(SMALL_RUN(r, "base", "none"));
  snprintf(base, sizeof base, "%s/base/ckpt", r->root);
  snprintf(tuned, sizeof tuned, "%s/tuned/ckpt", r->root);
  snprintf(init, sizeof init, "train.init_from=%s/base", r->root); // a run's folder
  assert_ok(SMALL_RUN(r, "tuned", "auto", init, "optim.lr_peak=0", "train.steps=6"));
  double loss[SMALL_RUN_STEPS_MAX];
  assert_int_equal(small_run_losses(r, "tuned", loss), 6);
  assert_true(tensor_distance(tuned, "model", "head.weight", base, "optim", "ema.head.weight",
                              20 * 32) == 0.0);
  assert_true(
      tensor_distance(tuned, "model", "head.weight", base, "model", "head.weight", 20 * 32) > 1e-4);
}

static void test_a_checkpoint_of_another_model_is_refused_with_the_key(void **state) {
  small_run *r = *state;
  char ckpt[512];
  assert_ok(SMALL_RUN(r, "narrow", "none", "train.steps=6"));
  snprintf(ckpt, sizeof ckpt, "%s/narrow/ckpt", r->root);
  assert_int_equal(SMALL_RUN(r, "wide", ckpt, "model.hidden=48"), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "model.hidden: 40 -> 48"));
  assert_non_null(strstr(orr_status_message(), "another run.dir"));
  // the shapes would fit: only the key tells
  assert_int_equal(SMALL_RUN(r, "narrow", "auto", "model.time_every=1"), ORR_ECONFIG);
  assert_non_null(strstr(orr_status_message(), "model.time_every: 2 -> 1"));
  assert_ok(SMALL_RUN(r, "narrow", "auto", "model.z_loss=0.01"));
}

// -- steps without a number -----------------------------------------------------------------

// Saves the checkpoint `from` again in ROOT/to with a NaN in the head.
static void save_with_nan(small_run *r, const char *from, const char *to) {
  cfg *c = small_run_config(r, "unused", (const char *const[]){NULL});
  kern *k = NULL;
  train_dynamics_dims d;
  train_dynamics_params p;
  train_state s;
  ckpt_reader *reader = NULL;
  ckpt_writer *w = NULL;
  train_store *store = NULL;
  ckpt_plan plan;
  const char *sums = NULL;
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &k));
  assert_ok(kern_commit(k));
  train_dynamics_dims_from(c, &d);
  train_state_init(&s, k, KERN_F32, true, true);
  assert_ok(train_dynamics_list(&d, &s.params, &p));
  train_state_place(&s);
  assert_ok(train_state_commit(&s));
  train_state_place(&s);
  assert_ok(ckpt_open(from, &reader));
  assert_ok(train_store_load(&s, reader));
  s.weights.master[p.head + 5] = NAN;
  assert_ok(train_store_plan(&s, 1 << 30, &plan));
  const ckpt_writer_options o = {.root = small_run_path(r, to), .ranks = 1, .keep = 10};
  assert_ok(ckpt_writer_create(&plan, &o, &w));
  assert_ok(ckpt_save_prepare(w, 3));
  assert_ok(train_store_create(NULL, &s, NULL, w, 0, &store));
  assert_ok(ckpt_save_begin(w, 3, train_store_get, store));
  assert_ok(ckpt_save_sums(w, &sums));
  assert_ok(ckpt_save_commit(w, &sums, ckpt_reader_meta(reader)));
  assert_ok(ckpt_writer_wait(w));
  train_store_destroy(store);
  ckpt_writer_destroy(w);
  ckpt_close(reader);
  train_state_release(&s);
  orr_free(p.blocks);
  kern_destroy(k);
  cfg_destroy(c);
}

static void test_a_loss_that_is_no_number_skips_the_update_and_is_logged(void **state) {
  small_run *r = *state;
  char good[512], bad[512], end[512];
  double loss[SMALL_RUN_STEPS_MAX];
  snprintf(good, sizeof good, "%s/nan/ckpt/step-00000003", r->root);
  snprintf(bad, sizeof bad, "%s/nan-start", r->root);
  snprintf(end, sizeof end, "%s/nan/ckpt/step-00000006", r->root);
  assert_ok(SMALL_RUN(r, "nan", "none", "train.steps=6"));
  save_with_nan(r, good, "nan-start");
  assert_ok(SMALL_RUN(r, "nan", bad, "train.steps=6"));
  char *said = small_run_said(r);
  assert_non_null(strstr(said, "step 4: the loss is not finite: loss nan"));
  assert_non_null(strstr(said, "update skipped"));
  orr_free(said);
  assert_int_equal(small_run_losses(r, "nan", loss), 6);
  for (int i = 0; i < 6; i++) assert_int_equal(isnan(loss[i]), i >= 3);
  // nothing moved: weights, moments and average are those of step 3
  const char *tensors[] = {"blocks.1.attn.q.weight", "m.blocks.1.attn.q.weight",
                           "ema.blocks.1.attn.q.weight"};
  for (int i = 0; i < 3; i++) {
    const char *file = i == 0 ? "model" : "optim";
    assert_true(tensor_distance(good, file, tensors[i], end, file, tensors[i], 32 * 32) == 0.0);
  }
}

// -- stopping -------------------------------------------------------------------------------

typedef struct {
  char metrics[512];
  int number;
} signaller;

// Sends the signal as soon as three steps are done, however long that takes.
static void *signal_after_three_steps(void *ctx) {
  const signaller *s = ctx;
  char *text;
  for (int lines = 0; lines < 3; usleep(1000)) {
    size_t bytes;
    if (!orr_fs_exists(s->metrics) || orr_fs_read_all(s->metrics, &text, &bytes) != ORR_OK)
      continue;
    lines = 0;
    for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
    orr_free(text);
  }
  kill(getpid(), s->number);
  return NULL;
}

// A run too long to end by itself; the last step is the checkpoint's.
static void assert_stops(small_run *r, const char *name, int number, const char *more) {
  char latest[64], file[64];
  signaller s = {.number = number};
  pthread_t thread;
  snprintf(s.metrics, sizeof s.metrics, "%s/%s/metrics.jsonl", r->root, name);
  snprintf(file, sizeof file, "%s/ckpt/latest", name);
  if (number) assert_int_equal(pthread_create(&thread, NULL, signal_after_three_steps, &s), 0);
  assert_int_equal(SMALL_RUN(r, name, "auto", "train.steps=1000000000", "ckpt.every=0", more),
                   ORR_ESTOPPED);
  if (number) pthread_join(thread, NULL);
  FILE *f = fopen(s.metrics, "r");
  char line[2048];
  int steps = 0;
  while (fgets(line, sizeof line, f)) steps++;
  fclose(f);
  assert_true(steps >= (number ? 3 : 1));
  small_run_text(r, file, latest, sizeof latest);
  assert_int_equal(strtoll(latest + strlen("step-"), NULL, 10), steps);
}

static void test_signals_stop_a_run_with_a_checkpoint(void **state) {
  assert_stops(*state, "usr1", SIGUSR1, "run.seed=4");
  assert_stops(*state, "term", SIGTERM, "run.seed=4");
}

static void test_max_wall_s_stops_a_run_with_a_checkpoint(void **state) {
  assert_stops(*state, "wall", 0, "train.max_wall_s=0.001");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_run_writes_its_configuration_and_every_field_of_every_step),
      cmocka_unit_test(test_mfu_is_a_share_though_the_machine_was_busy_when_it_was_measured),
      cmocka_unit_test(test_a_finished_run_has_nothing_left_to_do),
      cmocka_unit_test(test_micro_batches_give_the_losses_of_the_whole_batch),
      cmocka_unit_test(test_recomputation_and_synchronous_saving_keep_every_bit),
      cmocka_unit_test(test_a_run_resumed_at_step_6_repeats_the_losses_bit_for_bit),
      cmocka_unit_test(test_a_run_resumed_otherwise_says_which_keys_differ),
      cmocka_unit_test(test_a_damaged_checkpoint_is_named_and_the_one_before_it_continues),
      cmocka_unit_test(test_a_save_that_fails_is_an_event_of_the_run),
      cmocka_unit_test(test_init_from_takes_the_moving_average_and_starts_at_step_1),
      cmocka_unit_test(test_a_checkpoint_of_another_model_is_refused_with_the_key),
      cmocka_unit_test(test_a_loss_that_is_no_number_skips_the_update_and_is_logged),
      cmocka_unit_test(test_signals_stop_a_run_with_a_checkpoint),
      cmocka_unit_test(test_max_wall_s_stops_a_run_with_a_checkpoint),
  };
  return cmocka_run_group_tests_name("train/loop", tests, small_run_setup, small_run_teardown);
}
