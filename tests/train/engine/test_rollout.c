// labels: quick
// Rollouts: what decides a frame that is decoded, and what is remembered of it.
#include "tests/train/engine_rollout.h"

#include <math.h>

// Rolls `frames` frames after a prompt of 2 with frame 1's actions; tokens [frames,B,S].
static void roll(rollout *r, const uint64_t *sample, int64_t frames, int32_t *out) {
  const int64_t BS = r->t->B * r->t->S;
  reset(r, sample);
  for (int64_t at = 0; at < 2 + frames; at++) {
    take_frame(r, at < 2 ? at : 1);
    if (at < 2)
      push(r);
    else
      next(r, out + (at - 2) * BS);
  }
}

static void test_the_same_keys_give_the_same_rollout_and_others_another(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  rollout r;
  enum { FRAMES = 7 };
  int32_t first[FRAMES * 12], again[FRAMES * 12], other[FRAMES * 12];
  toy_open(&t, &d, 2, 2, TRAIN_NO_BACKWARD, 23);
  unmask_prompt(&t);
  const how o = noisy(4, 3);
  rollout_open(&r, &t, &o);
  roll(&r, (const uint64_t[]){5, 6}, FRAMES, first);
  roll(&r, (const uint64_t[]){8, 6}, FRAMES, other);
  roll(&r, (const uint64_t[]){5, 6}, FRAMES, again);
  assert_memory_equal(first, again, sizeof first);
  for (int f = 0; f < FRAMES; f++)
    assert_memory_equal(first + f * 12 + 6, other + f * 12 + 6, 6 * sizeof *first); // clip 1
  assert_memory_not_equal(first, other, sizeof first);
  rollout_close(&r);
  toy_close(&t);
}

static void test_clips_with_one_key_and_one_past_share_their_future(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  rollout r;
  enum { FRAMES = 7 };
  int32_t out[FRAMES * 12];
  toy_open(&t, &d, 2, 2, TRAIN_NO_BACKWARD, 24);
  unmask_prompt(&t);
  memcpy(t.tokens + 12, t.tokens, 12 * sizeof *t.tokens);
  memcpy(t.action + 4 * d.A, t.action, (size_t)(4 * d.A) * sizeof *t.action);
  memcpy(t.has + 2, t.has, 2);
  t.branch[1] = t.branch[0];
  const how o = noisy(4, 3);
  rollout_open(&r, &t, &o);
  roll(&r, (const uint64_t[]){5, 5}, FRAMES, out);
  for (int f = 0; f < FRAMES; f++)
    assert_memory_equal(out + f * 12, out + f * 12 + 6, 6 * sizeof *out);
  rollout_close(&r);
  toy_close(&t);
}

static void test_every_number_of_passes_decodes_every_position(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  const int64_t steps[] = {1, 2, 3, 6, 25}; // up to more passes than positions
  toy t;
  toy_open(&t, &d, 2, 2, TRAIN_NO_BACKWARD, 25);
  unmask_prompt(&t);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    rollout r;
    int32_t out[5 * 12];
    const how o = noisy(4, steps[i]);
    rollout_open(&r, &t, &o);
    roll(&r, (const uint64_t[]){5, 6}, 5, out);
    for (int j = 0; j < 5 * 12; j++) assert_in_range(out[j], 0, d.V - 1);
    rollout_close(&r);
  }
  toy_close(&t);
}

static void test_a_long_rollout_with_a_small_window_stays_finite(void **state) {
  const kern_dtype types[] = {KERN_F32, KERN_BF16};
  for (size_t i = 0; i < 2; i++) {
    const train_dynamics_dims d = toy_dims(types[i]);
    toy t;
    rollout r;
    enum { FRAMES = 200 };
    int32_t *out = orr_calloc(FRAMES * 12, sizeof *out);
    toy_open(&t, &d, 2, 2, TRAIN_NO_BACKWARD, 26);
    unmask_prompt(&t);
    const how o = noisy(4, 2);
    rollout_open(&r, &t, &o);
    roll(&r, (const uint64_t[]){5, 6}, FRAMES, out);
    for (int j = 0; j < FRAMES * 12; j++) assert_in_range(out[j], 0, d.V - 1);
    take_frame(&r, 1);
    ask(&r, out + (FRAMES - 1) * 12);
    for (int64_t j = 0; j < t.B * t.S * d.V; j++) assert_true(isfinite(r.logits[j]));
    rollout_close(&r);
    orr_free(out);
    toy_close(&t);
  }
}

static void test_a_decoded_frame_is_remembered_as_a_given_one(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  rollout r, given;
  int32_t out[6 * 12];
  toy_open(&t, &d, 2, 2, TRAIN_NO_BACKWARD, 27);
  unmask_prompt(&t);
  const how o = noisy(3, 3);
  rollout_open(&r, &t, &o);
  rollout_open(&given, &t, &o);
  roll(&r, (const uint64_t[]){5, 6}, 6, out);
  for (int64_t at = 0; at < 8; at++) {
    take_frame(&given, at < 2 ? at : 1);
    if (at >= 2) memcpy(given.tokens, out + (at - 2) * 12, 12 * sizeof *out);
    push(&given);
  }
  take_frame(&r, 1);
  for (int again = 0; again < 2; again++) { // asking for logits appends nothing
    ask(&r, r.tokens);
    ask(&given, r.tokens);
    assert_memory_equal(r.logits, given.logits, (size_t)(t.B * t.S * d.V) * sizeof(float));
  }
  rollout_close(&given);
  rollout_close(&r);
  toy_close(&t);
}

// Likeliest code of every position, and its log probability.
static void likeliest(const float *logits, int64_t rows, int64_t V, int32_t *code, double *log_p) {
  for (int64_t i = 0; i < rows; i++) {
    const float *l = logits + i * V;
    double sum = 0.0;
    code[i] = 0;
    for (int32_t v = 1; v < V; v++)
      if (l[v] > l[code[i]]) code[i] = v;
    for (int64_t v = 0; v < V; v++) sum += exp((double)l[v] - (double)l[code[i]]);
    log_p[i] = -log(sum);
  }
}

// Without any noise the passes can be replayed by hand: after the first of two, floor(6 cos(pi/4))
// = 4 positions stay masked, so the two most confident ones are kept.
static void test_two_passes_keep_the_most_confident_positions_of_the_first(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  rollout r;
  int32_t code[12], want[12], got[12];
  double log_p[12];
  toy_open(&t, &d, 2, 2, TRAIN_NO_BACKWARD, 28);
  unmask_prompt(&t);
  const how o = {.window = 4, .steps = 2};
  rollout_open(&r, &t, &o);
  for (int64_t at = 0; at < 2; at++) {
    take_frame(&r, at);
    push(&r);
  }
  take_frame(&r, 1);
  for (int i = 0; i < 12; i++) want[i] = (int32_t)d.V;
  ask(&r, want);
  likeliest(r.logits, 12, d.V, code, log_p);
  for (int b = 0; b < 2; b++) {
    for (int i = b * 6; i < b * 6 + 6; i++) {
      int surer = 0;
      for (int j = b * 6; j < b * 6 + 6; j++) surer += log_p[j] > log_p[i];
      if (surer < 2) want[i] = code[i];
    }
  }
  ask(&r, want);
  likeliest(r.logits, 12, d.V, code, log_p);
  for (int i = 0; i < 12; i++)
    if (want[i] == d.V) want[i] = code[i];
  for (int i = 0; i < 12; i++) assert_in_range(want[i], 0, d.V - 1);
  next(&r, got);
  assert_memory_equal(got, want, sizeof got);
  rollout_close(&r);
  toy_close(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_same_keys_give_the_same_rollout_and_others_another),
      cmocka_unit_test(test_clips_with_one_key_and_one_past_share_their_future),
      cmocka_unit_test(test_every_number_of_passes_decodes_every_position),
      cmocka_unit_test(test_a_long_rollout_with_a_small_window_stays_finite),
      cmocka_unit_test(test_a_decoded_frame_is_remembered_as_a_given_one),
      cmocka_unit_test(test_two_passes_keep_the_most_confident_positions_of_the_first),
  };
  return cmocka_run_group_tests_name("train/engine: rollouts", tests, NULL, NULL);
}
