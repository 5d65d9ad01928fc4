// labels: quick
// Decoding with the ring of keys and values: against the full forward pass, against plain loops
// once frame 0 has left the window, and as a rollout.
#include "tests/train/plain_rollout.h"
#include "tests/train/toy.h"

#include <math.h>

#include "train/engine/engine.h"
#include "train/model/packed.h"

// Every clip of a toy is a session.
enum { MOST = 8 };

typedef struct {
  int64_t window, steps, ahead;
  double temperature, choice_temperature;
} how;

typedef struct {
  train_engine *engine;
  const toy *t;
  how how;
  train_engine_frame frame[MOST]; // at hand
  float *action;                  // [B,2A] of them
  int32_t *tokens;                // [B,S]
  float *logits;                  // [B*S,V]
} rollout;

static void reset(rollout *r, const uint64_t *sample) {
  for (int64_t b = 0; b < r->t->B; b++)
    assert_ok(
        train_engine_begin(r->engine, (int32_t)b,
                           &(train_engine_settings){.steps = r->how.steps,
                                                    .temperature = r->how.temperature,
                                                    .choice_temperature = r->how.choice_temperature,
                                                    .seed = 11,
                                                    .sample = sample[b]}));
}

static void rollout_open(rollout *r, toy *t, const how *h) {
  const uint64_t sample[MOST] = {1, 2, 3, 4, 5, 6, 7, 8};
  *r = (rollout){.t = t, .how = *h};
  r->action = orr_calloc((size_t)(t->B * 2 * t->d.A), sizeof *r->action);
  r->tokens = orr_calloc((size_t)(t->B * t->S), sizeof *r->tokens);
  r->logits = orr_calloc((size_t)(t->B * t->S * t->d.V), sizeof *r->logits);
  assert_ok(train_packed_dynamics(t->k, &t->d, &t->p, &t->state.weights));
  assert_ok(train_engine_create(t->k, &t->d, &t->p, &t->state.weights,
                                &(train_engine_options){.sessions = t->B,
                                                        .batch = t->B,
                                                        .window = h->window,
                                                        .steps = h->steps,
                                                        .ahead = h->ahead},
                                &r->engine));
  reset(r, sample);
}

static void rollout_close(rollout *r) {
  train_engine_destroy(r->engine);
  train_packed_release(&((toy *)(uintptr_t)r->t)->state.weights);
  orr_free(r->logits);
  orr_free(r->tokens);
  orr_free(r->action);
}

// Actions and tokens of frame `at` of the batch, in r->frame.
static void take_frame(rollout *r, int64_t at) {
  const toy *t = r->t;
  const size_t A2 = (size_t)(2 * t->d.A), S = (size_t)t->S;
  for (int64_t b = 0; b < t->B; b++) {
    const int64_t bt = b * t->T + at;
    memcpy(r->action + (size_t)b * A2, t->action + (size_t)bt * A2, A2 * sizeof(float));
    memcpy(r->tokens + (size_t)b * S, t->tokens + (size_t)bt * S, S * sizeof(int32_t));
    r->frame[b] = (train_engine_frame){.session = (int32_t)b,
                                       .branch = t->branch[b],
                                       .has_action = t->has[bt],
                                       .action = r->action + (size_t)b * A2,
                                       .tokens = r->tokens + (size_t)b * S};
  }
}

static void push(rollout *r) {
  assert_ok(train_engine_push(r->engine, r->frame, r->t->B));
}

static void next(rollout *r, int32_t *out) {
  assert_ok(train_engine_next(r->engine, r->frame, r->t->B));
  memcpy(out, r->tokens, (size_t)(r->t->B * r->t->S) * sizeof *out);
}

static void ask(rollout *r, const int32_t *tokens) {
  if (tokens != r->tokens) memcpy(r->tokens, tokens, (size_t)(r->t->B * r->t->S) * sizeof *tokens);
  assert_ok(train_engine_logits(r->engine, r->frame, r->t->B, r->logits));
}

static how noisy(int64_t window, int64_t steps) {
  return (how){.window = window, .steps = steps, .temperature = 1.0, .choice_temperature = 2.0};
}

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

// -- rollouts --------------------------------------------------------------------------------

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

static void unmask_prompt(toy *t) {
  for (int64_t i = 0; i < t->B * t->T * t->S; i++)
    if (t->tokens[i] == t->d.V) t->tokens[i] = (int32_t)(i % t->d.V);
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
  next(&r, got);
  assert_memory_equal(got, want, sizeof got);
  rollout_close(&r);
  toy_close(&t);
}

static void test_what_cannot_be_is_refused(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  train_engine *e = NULL;
  toy_open(&t, &d, 2, 2, TRAIN_NO_BACKWARD, 29);
  const train_engine_options bad[] = {
      {.sessions = 1, .batch = 1, .window = 0, .steps = 2},
      {.sessions = 1, .batch = 1, .window = 2, .steps = 0},
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

// -- sessions apart and together --------------------------------------------------------------

enum { SESSIONS = 5, LONG = 14 };

// Five toys' worth of prompts: session i begins `i` frames late, so that frames of one batch differ
// in number.
typedef struct {
  int32_t tokens[SESSIONS][LONG][6];
  double nll[SESSIONS][LONG];
} history;

static void many_open(rollout *r, toy *t, const train_dynamics_dims *d, int threads,
                      int64_t ahead) {
  toy_open_on(t, d, SESSIONS, 2, TRAIN_NO_BACKWARD, 30, threads);
  unmask_prompt(t);
  how o = noisy(4, 3);
  o.ahead = ahead;
  rollout_open(r, t, &o);
}

// Frame `at` of session b: of the prompt, or decoded under actions that change on the way.
static bool is_given(int64_t at) {
  return at < 2;
}

static train_engine_frame frame_at(rollout *r, int64_t b, int64_t at) {
  take_frame(r, is_given(at) ? at : at % 5 == 0 ? 0 : 1);
  return r->frame[b];
}

static void keep(history *h, const train_engine_frame *f, int64_t at) {
  memcpy(h->tokens[f->session][at], f->tokens, sizeof h->tokens[0][0]);
  h->nll[f->session][at] = f->nll;
}

static void play_alone(rollout *r, history *h) {
  for (int64_t b = 0; b < SESSIONS; b++)
    for (int64_t at = 0; at < LONG; at++) {
      train_engine_frame f = frame_at(r, b, at);
      assert_ok(is_given(at) ? train_engine_push(r->engine, &f, 1)
                             : train_engine_next(r->engine, &f, 1));
      keep(h, &f, at);
    }
}

static void play_together(rollout *r, history *h) {
  int32_t tokens[SESSIONS][6];
  float action[SESSIONS][6];
  for (int64_t now = 0; now < LONG + SESSIONS; now++)
    for (int given = 1; given >= 0; given--) {
      train_engine_frame f[SESSIONS];
      int64_t n = 0;
      for (int64_t b = 0; b < SESSIONS; b++) {
        const int64_t at = now - b;
        if (at < 0 || at >= LONG || is_given(at) != given) continue;
        f[n] = frame_at(r, b, at);
        memcpy(tokens[n], f[n].tokens, sizeof tokens[n]);
        memcpy(action[n], f[n].action, sizeof action[n]);
        f[n].tokens = tokens[n];
        f[n].action = action[n];
        n++;
      }
      if (!n) continue;
      assert_ok(given ? train_engine_push(r->engine, f, n) : train_engine_next(r->engine, f, n));
      for (int64_t i = 0; i < n; i++) keep(h, &f[i], now - f[i].session);
    }
}

static void
test_a_session_has_the_same_bits_alone_and_with_others_at_any_number_of_threads(void **state) {
  for (int type = 0; type < 2; type++) {
    const train_dynamics_dims d = toy_dims((kern_dtype)type);
    history *h = calloc(3, sizeof *h);
    for (int i = 0; i < 3; i++) {
      toy t;
      rollout r;
      many_open(&r, &t, &d, i == 2 ? 3 : 1, 0);
      if (i == 0)
        play_alone(&r, &h[i]);
      else
        play_together(&r, &h[i]);
      rollout_close(&r);
      toy_close(&t);
      assert_memory_equal(&h[0], &h[i], sizeof h[0]);
    }
    for (int at = 2; at < LONG; at++) assert_true(h[0].nll[1][at] > 0.0);
    free(h);
  }
}

// Frames decoded under an action that did not come are taken back, and leave no trace.
static void test_frames_taken_back_leave_no_trace(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  enum { AHEAD = 3 };
  history *h = calloc(2, sizeof *h);
  for (int wander = 0; wander < 2; wander++) {
    toy t;
    rollout r;
    many_open(&r, &t, &d, 1, AHEAD);
    for (int64_t at = 0; at < LONG; at++) {
      for (int64_t i = 0; wander && at >= 2 && i < AHEAD; i++) {
        train_engine_frame f = frame_at(&r, 0, 5 + i % 2);
        assert_ok(train_engine_next(r.engine, &f, 1));
      }
      if (wander && at >= 2) {
        assert_int_equal(train_engine_back(r.engine, 0, AHEAD + 1), ORR_EINVAL);
        assert_ok(train_engine_back(r.engine, 0, AHEAD));
        assert_int_equal(train_engine_back(r.engine, 0, 1), ORR_EINVAL); // its place is taken
        assert_int_equal(train_engine_at(r.engine, 0), at);
      }
      train_engine_frame f = frame_at(&r, 0, at);
      assert_ok(is_given(at) ? train_engine_push(r.engine, &f, 1)
                             : train_engine_next(r.engine, &f, 1));
      keep(&h[wander], &f, at);
    }
    rollout_close(&r);
    toy_close(&t);
  }
  assert_memory_equal(&h[0], &h[1], sizeof h[0]);
  free(h);
}

static void test_a_saved_session_goes_on_in_another_place(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_BF16);
  toy t;
  rollout r;
  int32_t want[6];
  many_open(&r, &t, &d, 1, 2);
  void *saved = calloc(1, train_engine_state_bytes(r.engine));
  for (int64_t at = 0; at < 9; at++) {
    train_engine_frame f = frame_at(&r, 1, at);
    assert_ok(is_given(at) ? train_engine_push(r.engine, &f, 1)
                           : train_engine_next(r.engine, &f, 1));
  }
  assert_ok(train_engine_save(r.engine, 1, saved));
  for (int64_t to = 1; to < 4; to += 2) {
    assert_ok(train_engine_load(r.engine, (int32_t)to, saved));
    assert_int_equal(train_engine_at(r.engine, (int32_t)to), 9);
    for (int64_t at = 9; at < LONG; at++) {
      train_engine_frame f = frame_at(&r, 1, at);
      f.session = (int32_t)to;
      assert_ok(train_engine_next(r.engine, &f, 1));
      if (to == 1) memcpy(want, f.tokens, sizeof want);
    }
    assert_memory_equal(r.tokens + 6, want, sizeof want);
  }
  free(saved);
  rollout_close(&r);
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
      cmocka_unit_test(test_a_window_holds_no_distance_that_training_did_not),
      cmocka_unit_test(test_decoding_frame_by_frame_equals_the_full_forward_pass),
      cmocka_unit_test(test_beyond_the_window_frame_0_stays_at_the_windows_distance),
      cmocka_unit_test(test_the_same_keys_give_the_same_rollout_and_others_another),
      cmocka_unit_test(test_clips_with_one_key_and_one_past_share_their_future),
      cmocka_unit_test(test_every_number_of_passes_decodes_every_position),
      cmocka_unit_test(test_a_long_rollout_with_a_small_window_stays_finite),
      cmocka_unit_test(test_a_decoded_frame_is_remembered_as_a_given_one),
      cmocka_unit_test(test_two_passes_keep_the_most_confident_positions_of_the_first),
      cmocka_unit_test(
          test_a_session_has_the_same_bits_alone_and_with_others_at_any_number_of_threads),
      cmocka_unit_test(test_frames_taken_back_leave_no_trace),
      cmocka_unit_test(test_a_saved_session_goes_on_in_another_place),
      cmocka_unit_test(test_what_cannot_be_is_refused),
  };
  return cmocka_run_group_tests_name("train/engine", tests, NULL, NULL);
}
