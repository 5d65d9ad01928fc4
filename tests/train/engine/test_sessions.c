// labels: quick
// Sessions apart and together: the same bits, frames that are taken back, sessions that move.
#include "tests/train/engine_rollout.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(
          test_a_session_has_the_same_bits_alone_and_with_others_at_any_number_of_threads),
      cmocka_unit_test(test_frames_taken_back_leave_no_trace),
      cmocka_unit_test(test_a_saved_session_goes_on_in_another_place),
  };
  return cmocka_run_group_tests_name("train/engine: sessions", tests, NULL, NULL);
}
