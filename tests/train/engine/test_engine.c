// labels: quick
// Decoding with the ring of keys and values: against the full forward pass, and against plain loops
// once frame 0 has left the window.
#include "tests/train/engine_rollout.h"
#include "tests/train/plain_rollout.h"

#include <math.h>

// -- against the full forward pass -----------------------------------------------------------

// Largest difference of frame `at`'s logits from `full` [B,T,S,V], beside the largest of those.
static double frame_error(const rollout *r, int64_t at, const float *full) {
  const toy *t = r->t;
  const int64_t SV = t->S * t->d.V;
  double off = 0.0, most = 0.0;
  for (int64_t b = 0; b < t->B; b++) {
    for (int64_t i = 0; i < SV; i++) {
      const double want = full[(b * t->T + at) * SV + i], got = r->logits[b * SV + i];
      assert_true(isfinite(got)); // fmax would drop a NaN
      off = fmax(off, fabs(got - want));
      most = fmax(most, fabs(want));
    }
  }
  return off / most;
}

static double largest_error(kern_dtype type, int64_t layers, int64_t window) {
  train_dynamics_dims d = toy_dims(type);
  d.layers = layers;
  toy t;
  rollout r;
  double most = 0.0;
  toy_open(&t, &d, 2, 6, TRAIN_NO_BACKWARD, 21);
  toy_logits(&t);
  const how o = noisy(window, 1);
  rollout_open(&r, &t, &o);
  for (int64_t at = 0; at < t.T; at++) {
    take_frame(&r, at);
    assert_int_equal(train_engine_at(r.engine, 1), at);
    ask(&r, r.tokens);
    most = fmax(most, frame_error(&r, at, t.logits));
    push(&r);
  }
  rollout_close(&r);
  toy_close(&t);
  return most;
}

static void test_decoding_frame_by_frame_equals_the_full_forward_pass(void **state) {
  for (int64_t layers = 3; layers <= 4; layers++) {      // ends in either of the two buffers
    for (int64_t window = 6; window <= 9; window += 3) { // as long as the clip, and longer
      /* fp32, other order of sums: measured 7e-7 */
      const double f32 = largest_error(KERN_F32, layers, window);
      if (!(f32 < 1e-5)) fail_msg("%d layers, window %d: %g", (int)layers, (int)window, f32);
    }
  }
  /* bf16 rounds activations at 4e-3, which hides the order of sums or shows it: measured 0 */
  assert_true(largest_error(KERN_BF16, 4, 6) < 2e-2);
}

// What a head says of each frame: of the full forward pass, and of the engine as frames are pushed,
// and as one is decoded and then pushed into another session.
static double said(const train_engine_frame *f, train_outcome o) {
  return o == TRAIN_REWARD ? f->reward : o == TRAIN_DONE ? f->done : f->progress;
}

static void test_heads_on_registers_say_what_the_full_forward_pass_says(void **state) {
  for (int64_t layers = 3; layers <= 4; layers++) { // the last block keeps frames, or not
    train_dynamics_dims d = toy_dims(KERN_F32);
    toy t;
    rollout r;
    double want[2 * 6 * TRAIN_OUTCOMES], reward = 0.0;
    int32_t drawn[2 * 6];
    d.layers = layers;
    d.outcome[TRAIN_REWARD] = d.outcome[TRAIN_PROGRESS] = true; // two of three
    toy_open(&t, &d, 2, 6, TRAIN_NO_BACKWARD, 31);
    toy_logits(&t);
    for (int o = 0; o < TRAIN_OUTCOMES; o++) {
      const float *logits;
      if (!d.outcome[o]) continue;
      assert_ok(train_dynamics_outcome(t.model, (train_outcome)o, &logits));
      for (int64_t i = 0; i < t.B * t.T; i++)
        want[i * TRAIN_OUTCOMES + o] =
            train_outcome_mean((train_outcome)o, logits + i * train_outcome_bins((train_outcome)o));
    }
    rollout_open(&r, &t, &(how){.window = 6, .steps = 2, .temperature = 1.0});
    for (int64_t at = 0; at < t.T; at++) {
      take_frame(&r, at);
      push(&r);
      for (int64_t b = 0; b < t.B; b++)
        for (int o = 0; o < TRAIN_OUTCOMES; o++) {
          const double w = want[(b * t.T + at) * TRAIN_OUTCOMES + o],
                       got = said(&r.frame[b], (train_outcome)o);
          /* fp32, other order of sums, through symexp: measured 2e-6 */
          if (d.outcome[o] ? !(fabs(got - w) < 1e-4 * (1.0 + fabs(w))) : !isnan(got))
            fail_msg("frame %d, head %d: %g, wanted %g", (int)at, o, got, w);
        }
    }
    for (int again = 0; again < 2; again++) { // decoded, and then given
      reset(&r, (const uint64_t[]){1, 2});
      for (int64_t at = 0; at < 3; at++) {
        take_frame(&r, at);
        push(&r);
      }
      take_frame(&r, 3);
      if (again) memcpy(r.tokens, drawn, sizeof drawn);
      if (again)
        push(&r);
      else
        next(&r, drawn);
      assert_true(isfinite(r.frame[1].reward) && (!again || r.frame[1].reward == reward));
      reward = r.frame[1].reward;
    }
    rollout_close(&r);
    toy_close(&t);
  }
}

// -- against plain loops, beyond the window --------------------------------------------------

static void test_beyond_the_window_frame_0_stays_at_the_windows_distance(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  const int64_t windows[] = {1, 2, 3, 5, 20};
  for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
    toy t;
    rollout r;
    plain p;
    toy_open(&t, &d, 2, 9, TRAIN_NO_BACKWARD, 22);
    const how o = noisy(windows[i], 1);
    rollout_open(&r, &t, &o);
    plain_open(&p, &t, windows[i]);
    const int64_t SV = t.S * d.V;
    double *want = orr_calloc((size_t)SV, sizeof *want);
    for (int64_t at = 0; at < t.T; at++) {
      take_frame(&r, at);
      ask(&r, r.tokens);
      push(&r);
      for (int64_t b = 0; b < t.B; b++) {
        double off = 0.0, most = 0.0;
        plain_frame(&p, b, at, want);
        for (int64_t j = 0; j < SV; j++) {
          off = fmax(off, fabs((double)r.logits[b * SV + j] - want[j]));
          most = fmax(most, fabs(want[j]));
        }
        /* fp32 against float64: measured 1.2e-6 */
        if (!(off < 1e-5 * most))
          fail_msg("window %d, clip %d, frame %d: off by %g", (int)windows[i], (int)b, (int)at,
                   off / most);
      }
    }
    orr_free(want);
    plain_close(&p);
    rollout_close(&r);
    toy_close(&t);
  }
}

// -- guidance ---------------------------------------------------------------------------------

// Greedy codes of every position in one pass, from (1 + w) logits - w logits without the action.
static void check_guidance(double w, int64_t at) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  rollout usual, guided;
  int32_t got[8 * 6];
  int64_t moved = 0;
  toy_open(&t, &d, 2, 5, TRAIN_NO_BACKWARD, 23);
  unmask_prompt(&t);
  const how greedy = {.window = 4, .steps = 1};
  how with = greedy;
  with.guidance = w;
  rollout_open(&usual, &t, &greedy);
  rollout_open(&guided, &t, &with);
  for (int64_t i = 0; i < at; i++) {
    take_frame(&usual, i);
    push(&usual);
    take_frame(&guided, i);
    push(&guided);
  }
  const int64_t n = t.B * t.S * d.V;
  int32_t masked[8 * 6];
  for (int64_t i = 0; i < t.B * t.S; i++) masked[i] = (int32_t)d.V;
  float *with_action = orr_calloc((size_t)n, sizeof *with_action);
  take_frame(&usual, at);
  for (int64_t b = 0; b < t.B; b++) usual.frame[b].has_action = true;
  ask(&usual, masked);
  memcpy(with_action, usual.logits, (size_t)n * sizeof *with_action);
  for (int64_t b = 0; b < t.B; b++) usual.frame[b].has_action = false;
  ask(&usual, masked);
  take_frame(&guided, at);
  for (int64_t b = 0; b < t.B; b++) guided.frame[b].has_action = true;
  next(&guided, got);
  for (int64_t i = 0; i < t.B * t.S; i++) {
    int64_t best = 0, unguided = 0;
    double most = -INFINITY, without = -INFINITY;
    for (int64_t v = 0; v < d.V; v++) {
      const double a = with_action[i * d.V + v], l = (1 + w) * a - w * usual.logits[i * d.V + v];
      if (l > most) most = l, best = v;
      if (a > without) without = a, unguided = v;
    }
    assert_int_equal(got[i], best);
    moved += best != unguided;
  }
  assert_true(w == 0 ? moved == 0 : moved > 0);
  orr_free(with_action);
  rollout_close(&guided);
  rollout_close(&usual);
  toy_close(&t);
}

// What stays does so at the window's distance, as frame 0 does; and it is the frames least alike.
static void test_frames_that_stay_are_seen_at_the_windows_distance(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  enum { T = 12, MEMORY = 2, WINDOW = 3 };
  for (int64_t ahead = 0; ahead <= 2; ahead += 2) {
    toy t;
    rollout r;
    plain p;
    bool stays[2 * T];
    int64_t frames[MEMORY], seen = 0;
    toy_open(&t, &d, 2, T, TRAIN_NO_BACKWARD, 35);
    // frames 1 to 4 show one place, 5 to 8 another, and so on
    for (int64_t i = 0; i < t.B * t.T * t.S; i++)
      if (i / t.S % t.T > 0 && i % t.S > 0) t.tokens[i] = (int32_t)((i / t.S % t.T - 1) / 4);
    const how o = {.window = WINDOW, .steps = 1, .ahead = ahead, .memory = MEMORY};
    rollout_open(&r, &t, &o);
    plain_open(&p, &t, WINDOW);
    p.stays = stays;
    const int64_t SV = t.S * d.V;
    double *want = orr_calloc((size_t)SV, sizeof *want);
    for (int64_t at = 0; at < t.T; at++) {
      memset(stays, 0, sizeof stays);
      for (int64_t b = 0; b < t.B; b++) {
        const int64_t n = train_engine_remembered(r.engine, (int32_t)b, frames);
        for (int64_t i = 0; i < n; i++) {
          assert_true(frames[i] >= 1 && frames[i] <= at - WINDOW); // it has left the window
          stays[b * T + frames[i]] = true;
        }
        seen = n;
      }
      take_frame(&r, at);
      if (at == 9) { // saved, led elsewhere, and loaded
        void *saved = orr_malloc(train_engine_state_bytes(r.engine));
        assert_ok(train_engine_save(r.engine, 0, saved));
        for (int i = 0; i < 5; i++) assert_ok(train_engine_push(r.engine, r.frame, 1));
        assert_ok(train_engine_load(r.engine, 0, saved));
        orr_free(saved);
      }
      ask(&r, r.tokens);
      push(&r);
      if (at > ahead + WINDOW && ahead) { // taken back, and here again
        assert_ok(train_engine_back(r.engine, 0, 1));
        assert_ok(train_engine_push(r.engine, r.frame, 1));
      }
      for (int64_t b = 0; b < t.B; b++) {
        double off = 0.0, most = 0.0;
        plain_frame(&p, b, at, want);
        for (int64_t i = 0; i < SV; i++) {
          off = fmax(off, fabs((double)r.logits[b * SV + i] - want[i]));
          most = fmax(most, fabs(want[i]));
        }
        /* fp32 against float64: measured 6e-7 */
        if (!(off < 1e-5 * most)) fail_msg("frame %d: off by %g of %g", (int)at, off, most);
      }
    }
    assert_int_equal(seen, MEMORY);
    assert_true(frames[0] == 4 && frames[1] == 8); // each place as it was last seen
    orr_free(want);
    plain_close(&p);
    rollout_close(&r);
    toy_close(&t);
  }
}

static void test_guided_codes_are_drawn_from_what_the_action_adds(void **state) {
  check_guidance(0.0, 3);
  check_guidance(40.0, 0);
  check_guidance(40.0, 3);
}

static void test_what_cannot_be_is_refused(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  train_engine *e = NULL;
  toy_open(&t, &d, 2, 2, TRAIN_NO_BACKWARD, 29);
  const train_engine_options bad[] = {
      {.sessions = 1, .batch = 1, .window = 0, .steps = 2},
      {.sessions = 1, .batch = 1, .window = 2, .steps = 0},
      {.sessions = 1, .batch = 1, .window = 2, .steps = 1, .guidance = -0.5},
      {.sessions = 0, .batch = 1, .window = 2, .steps = 2},
      {.sessions = 1, .batch = 0, .window = 2, .steps = 2},
      {.sessions = 1, .batch = 1, .window = 2, .steps = 2, .ahead = -1}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(train_engine_create(t.k, &d, &t.p, &t.state.weights, &bad[i], &e), ORR_EINVAL);
  assert_null(e);
  const train_engine_options o = {.sessions = 2, .batch = 2, .window = 2, .steps = 2};
  assert_ok(train_engine_create(t.k, &d, &t.p, &t.state.weights, &o, &e));
  int32_t tokens[2][6] = {{0}};
  train_engine_frame f[2] = {{.session = 0, .tokens = tokens[0]},
                             {.session = 0, .tokens = tokens[1]}};
  assert_int_equal(train_engine_push(e, f, 1), ORR_EINVAL); // has not begun
  assert_int_equal(train_engine_begin(e, 2, &(train_engine_settings){.steps = 1}), ORR_EINVAL);
  assert_int_equal(train_engine_begin(e, 0, &(train_engine_settings){.steps = 3}), ORR_EINVAL);
  assert_int_equal(
      train_engine_begin(e, 0, &(train_engine_settings){.steps = 1, .temperature = -1.0}),
      ORR_EINVAL);
  assert_ok(train_engine_begin(e, 0, &(train_engine_settings){.steps = 1}));
  assert_ok(train_engine_begin(e, 1, &(train_engine_settings){.steps = 2}));
  assert_int_equal(train_engine_push(e, f, 2), ORR_EINVAL); // one session twice
  assert_int_equal(train_engine_push(e, f, 3), ORR_EINVAL);
  f[1].session = 1;
  assert_int_equal(train_engine_decode(e, f, 2), ORR_EINVAL); // of one and of two passes
  f[1].branch = 2;
  assert_int_equal(train_engine_push(e, f, 2), ORR_EINVAL);
  f[1].branch = 0;
  tokens[1][3] = 21;
  assert_int_equal(train_engine_push(e, f, 2), ORR_EINVAL);
  assert_int_equal(train_engine_at(e, 0) + train_engine_at(e, 1), 0);
  train_engine_destroy(e);
  toy_close(&t);
}

static void test_a_window_holds_no_distance_that_training_did_not(void **state) {
  (void)state;
  cfg *c;
  assert_ok(cfg_create(&c));
  c->model.window = 192;
  c->data.frames = 16;
  assert_int_equal(train_engine_window(c, 100), 15); // distances of 16 frames: 1 to 15
  assert_int_equal(train_engine_window(c, 9), 9);    // no more than there is
  c->model.window = 7;
  assert_int_equal(train_engine_window(c, 100), 7);
  c->data.frames = 1;
  assert_int_equal(train_engine_window(c, 100), 1);
  cfg_destroy(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_decoding_frame_by_frame_equals_the_full_forward_pass),
      cmocka_unit_test(test_heads_on_registers_say_what_the_full_forward_pass_says),
      cmocka_unit_test(test_beyond_the_window_frame_0_stays_at_the_windows_distance),
      cmocka_unit_test(test_frames_that_stay_are_seen_at_the_windows_distance),
      cmocka_unit_test(test_guided_codes_are_drawn_from_what_the_action_adds),
      cmocka_unit_test(test_what_cannot_be_is_refused),
      cmocka_unit_test(test_a_window_holds_no_distance_that_training_did_not),
  };
  return cmocka_run_group_tests_name("train/engine", tests, NULL, NULL);
}
