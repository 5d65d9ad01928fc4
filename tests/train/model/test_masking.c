// labels: quick
// Training masks: their laws, and what they must not depend on. Draws are keyed, so every figure
// here is the same on every run; bounds are 5 standard errors of the law.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "train/model/masking.h"

enum { T = 16, S = 64, A = 2, V = 10, N = 1 + S + 3, CLIPS = 1000 };
static const double PI = 3.14159265358979323846;

typedef struct {
  int32_t in[T * S], tokens[T * S], before[T * S], row[T * S], target[T * S];
  float action_in[T * A], valid_in[T * A], action[T * 2 * A];
  uint8_t has[T];
  float weight[T * S];
  int64_t masked;
} clip;

static train_masking masking(double full_mask, double corrupt, double action_drop) {
  return (train_masking){.T = T,
                         .S = S,
                         .A = A,
                         .V = V,
                         .N = N,
                         .full_mask = full_mask,
                         .corrupt = corrupt,
                         .action_drop = action_drop,
                         .seed = 31};
}

static void apply(const train_masking *o, uint64_t sample, int64_t b, clip *c) {
  for (int i = 0; i < T * S; i++) c->in[i] = (int32_t)((sample + (uint64_t)(7 * i)) % V);
  for (int i = 0; i < T * A; i++) {
    c->action_in[i] = (float)(i + 1);
    c->valid_in[i] = (float)(i % A == 0);
  }
  c->masked = train_masking_apply(o,
                                  &(train_masking_clip){.sample = sample,
                                                        .tokens_in = c->in,
                                                        .action_in = c->action_in,
                                                        .valid_in = c->valid_in,
                                                        .tokens = c->tokens,
                                                        .before = c->before,
                                                        .action = c->action,
                                                        .has_action = c->has},
                                  b, c->row, c->target, c->weight);
}

// -- what is masked -------------------------------------------------------------------------

static double frame_ratio(const clip *c, int t) {
  int n = 0;
  for (int s = 0; s < S; s++) n += c->tokens[t * S + s] == V;
  return (double)n / S;
}

// Mean and mean square of the frames' mask ratios after frame 0.
static void ratio_moments(double full_mask, double *mean, double *square) {
  const train_masking o = masking(full_mask, 0.0, 0.0);
  clip c;
  *mean = *square = 0.0;
  for (uint64_t sample = 0; sample < CLIPS; sample++) {
    apply(&o, sample, 0, &c);
    for (int t = 1; t < T; t++) {
      const double r = frame_ratio(&c, t);
      *mean += r / (CLIPS * (T - 1));
      *square += r * r / (CLIPS * (T - 1));
    }
  }
}

static void assert_near(double got, double want, double bound) {
  if (!(fabs(got - want) < bound)) fail_msg("got %.6f, wanted %.6f +- %.6f", got, want, bound);
}

static void test_mask_ratios_follow_the_cosine_law(void **state) {
  double mean, square;
  ratio_moments(0.0, &mean, &square);
  // r = cos(pi u / 2): mean 2/pi, mean square 1/2; S positions add r (1 - r) / S to the square.
  // 15000 frames: standard errors 0.0026 and 0.0030.
  assert_near(mean, 2.0 / PI, 0.013);
  assert_near(square, 0.5 + (2.0 / PI - 0.5) / S, 0.015);
}

static void test_full_mask_is_the_share_of_frames_masked_whole_beside_the_law(void **state) {
  double mean, square;
  ratio_moments(0.25, &mean, &square);
  assert_near(mean, 0.25 + 0.75 * 2.0 / PI, 0.013);
  assert_near(square, 0.25 + 0.75 * (0.5 + (2.0 / PI - 0.5) / S), 0.015);
  ratio_moments(1.0, &mean, &square);
  assert_near(mean, 1.0, 1e-9);
}

static void test_frame_0_is_given_whole_and_its_action_is_none(void **state) {
  const train_masking o = masking(1.0, 1.0, 0.0);
  clip c;
  for (uint64_t sample = 0; sample < 50; sample++) {
    apply(&o, sample, 0, &c);
    assert_memory_equal(c.tokens, c.in, S * sizeof *c.in);
    assert_int_equal(c.has[0], 0);
    assert_int_equal(c.masked, (T - 1) * S);
  }
}

static void test_rows_and_targets_list_exactly_the_masked_positions(void **state) {
  const train_masking o = masking(0.1, 0.5, 0.0);
  clip c;
  for (int64_t b = 0; b < 3; b++) {
    int64_t n = 0;
    apply(&o, 40 + (uint64_t)b, b, &c);
    for (int i = 0; i < T * S; i++) {
      assert_in_range(c.tokens[i], 0, V);
      if (c.tokens[i] != V) continue;
      assert_int_equal(c.row[n], (b * T + i / S) * N + 1 + i % S);
      assert_int_equal(c.target[n++], c.in[i]);
    }
    assert_int_equal(c.masked, n);
  }
}

// Whatever is masked, a position carries the context code of the frame before: what was given, or
// the random code that stands in its place there.
static void test_before_is_the_frame_before_unmasked(void **state) {
  const train_masking o = masking(0.2, 0.5, 0.0);
  clip c;
  int64_t replaced = 0;
  for (uint64_t sample = 0; sample < 20; sample++) {
    apply(&o, sample, 0, &c);
    for (int i = 0; i < S; i++) assert_int_equal(c.before[i], V);
    for (int i = S; i < T * S; i++) {
      const int32_t shown = c.tokens[i - S];
      if (shown != V) {
        assert_int_equal(c.before[i], shown);
      } else {
        assert_in_range(c.before[i], 0, V - 1);
        replaced += c.before[i] != c.in[i - S];
      }
    }
  }
  assert_true(replaced > 0); // masked positions carry wrong codes at the clip's rate, too
}

// -- what is replaced -----------------------------------------------------------------------

static void test_each_clip_replaces_context_codes_at_a_rate_of_its_own(void **state) {
  const double corrupt = 0.6;
  const train_masking o = masking(0.0, corrupt, 0.0);
  double mean = 0.0, square = 0.0, most = 0.0;
  clip c;
  for (uint64_t sample = 0; sample < CLIPS; sample++) {
    int seen = 0, replaced = 0;
    apply(&o, sample, 0, &c);
    for (int i = S; i < T * S; i++) {
      if (c.tokens[i] == V) continue;
      seen++;
      replaced += c.tokens[i] != c.in[i];
    }
    // a random code is the old one once in V times
    const double rate = (double)replaced / seen * V / (V - 1);
    mean += rate / CLIPS;
    square += rate * rate / CLIPS;
    most = fmax(most, rate);
  }
  // U(0, 0.6): mean 0.3 (standard error 0.0055), mean square 0.12 + sampling of 350 positions
  // 0.0007 (standard error 0.0034), never far above 0.6
  assert_near(mean, 0.5 * corrupt, 0.028);
  assert_near(square, corrupt * corrupt / 3.0, 0.019);
  assert_true(most > 0.9 * corrupt && most < 1.3 * corrupt);
}

static void test_replacements_are_uniform_over_the_codes(void **state) {
  const train_masking o = masking(0.0, 1.0, 0.0);
  double count[V] = {0}, all = 0.0;
  clip c;
  for (uint64_t sample = 0; sample < CLIPS; sample++) {
    apply(&o, sample, 0, &c);
    for (int i = S; i < T * S; i++) {
      if (c.tokens[i] == V || c.tokens[i] == c.in[i]) continue;
      count[c.tokens[i]]++;
      all++;
    }
  }
  assert_true(all > 100000.0);
  for (int v = 0; v < V; v++) assert_near(count[v] / all, 1.0 / V, 5.0 * sqrt(0.09 / all));
}

static void test_without_corruption_context_codes_stay(void **state) {
  const train_masking o = masking(0.1, 0.0, 0.0);
  clip c;
  apply(&o, 5, 0, &c);
  for (int i = 0; i < T * S; i++)
    if (c.tokens[i] != V) assert_int_equal(c.tokens[i], c.in[i]);
}

// -- actions --------------------------------------------------------------------------------

static void test_actions_are_laid_out_as_value_times_valid_then_valid(void **state) {
  const train_masking o = masking(0.0, 0.0, 0.0);
  clip c;
  apply(&o, 5, 0, &c);
  for (int t = 0; t < T; t++) {
    assert_int_equal(c.has[t], t > 0);
    assert_true(c.action[t * 2 * A] == (float)(t * A + 1));
    assert_true(c.action[t * 2 * A + 1] == 0.0f); // component 1 is not valid
    assert_true(c.action[t * 2 * A + 2] == 1.0f);
    assert_true(c.action[t * 2 * A + 3] == 0.0f);
  }
}

static void test_actions_are_dropped_at_their_rate(void **state) {
  const train_masking o = masking(0.0, 0.0, 0.3);
  double has = 0.0;
  clip c;
  for (uint64_t sample = 0; sample < CLIPS; sample++) {
    apply(&o, sample, 0, &c);
    for (int t = 1; t < T; t++) has += c.has[t];
  }
  // 15000 frames: standard error 0.0037
  assert_near(has / (CLIPS * (T - 1)), 0.7, 0.019);
}

// -- independence ---------------------------------------------------------------------------

static void test_draws_depend_on_seed_and_sample_alone(void **state) {
  train_masking o = masking(0.1, 0.3, 0.2);
  clip first, again, other;
  apply(&o, 9, 0, &first);
  apply(&o, 10, 0, &other);
  apply(&o, 9, 5, &again); // another place in another batch, after other clips
  assert_memory_equal(first.tokens, again.tokens, sizeof first.tokens);
  assert_memory_equal(first.has, again.has, sizeof first.has);
  assert_memory_equal(first.action, again.action, sizeof first.action);
  assert_int_equal(first.masked, again.masked);
  assert_memory_equal(first.target, again.target, (size_t)first.masked * sizeof *first.target);
  for (int64_t i = 0; i < first.masked; i++)
    assert_int_equal(again.row[i], first.row[i] + 5 * T * N);
  // Shares of equal masks between two samples, and between two seeds: those of independent draws.
  o.seed++;
  apply(&o, 9, 0, &again);
  int same_sample = 0, same_seed = 0;
  for (int i = S; i < T * S; i++) {
    same_sample += (first.tokens[i] == V) == (other.tokens[i] == V);
    same_seed += (first.tokens[i] == V) == (again.tokens[i] == V);
  }
  assert_in_range(same_sample, 0.3 * (T - 1) * S, 0.8 * (T - 1) * S);
  assert_in_range(same_seed, 0.3 * (T - 1) * S, 0.8 * (T - 1) * S);
}

static void test_each_piece_of_a_clip_begins_as_a_clip(void **state) {
  train_masking o = masking(1.0, 1.0, 0.0);
  clip c;
  o.piece = 2;
  for (uint64_t sample = 0; sample < 20; sample++) {
    apply(&o, sample, 0, &c);
    for (int t = 0; t < T; t++) {
      assert_int_equal(c.has[t], t % 2);
      for (int s = 0; s < S; s++) {
        assert_int_equal(c.tokens[t * S + s], t % 2 ? V : c.in[t * S + s]);
        assert_true(t % 2 || c.before[t * S + s] == V);
      }
    }
  }
}

static void test_own_frames_come_at_their_rate_and_are_given_masked(void **state) {
  train_masking o = masking(0.3, 0.0, 0.0);
  clip c;
  int32_t given[T * S];
  int own = 0;
  o.own_codes = 0.4;
  for (uint64_t sample = 0; sample < CLIPS; sample++) {
    apply(&o, sample, 0, &c);
    train_masking_apply(&o,
                        &(train_masking_clip){.sample = sample,
                                              .tokens_in = c.in,
                                              .action_in = c.action_in,
                                              .valid_in = c.valid_in,
                                              .tokens = c.tokens,
                                              .given = given,
                                              .action = c.action,
                                              .has_action = c.has},
                        0, c.row, c.target, NULL);
    for (int t = 0; t < T; t++) {
      const int is_own = train_masking_own(&o, sample, t);
      own += is_own;
      for (int s = 0; s < S; s++) // without corruption what is given is what there was
        assert_int_equal(given[t * S + s], is_own ? V : c.in[t * S + s]);
      assert_false(is_own && t == 0);
    }
  }
  // of those that are not masked whole; 15000 frames: standard error 0.0037
  assert_near(own / (double)(CLIPS * (T - 1)), 0.7 * 0.4, 0.018);
}

// A clip with hidden frames has one stretch of them, 2 to T/2 frames long, after the second frame;
// none of its codes is seen, as a token or as the one before.
static void test_hidden_frames_are_seen_by_nobody(void **state) {
  train_masking o = masking(0.0, 0.5, 0.0);
  clip c;
  int clips = 0, lengths[T + 1] = {0};
  o.blind = 0.4;
  for (uint64_t sample = 0; sample < CLIPS; sample++) {
    int length = 0, stretches = 0;
    bool was = false;
    apply(&o, sample, 0, &c);
    for (int t = 0; t < T; t++) {
      int masks = 0;
      for (int s = 0; s < S; s++) masks += c.tokens[t * S + s] == V;
      for (int s = 0; s < S; s++)
        assert_int_equal(c.before[t * S + s] == V, t == 0 || was); // of the frame before
      const bool is = t + 1 < T && c.before[(t + 1) * S] == V; // of the last frame nobody can tell
      if (is) assert_int_equal(masks, S);
      assert_false(is && t < 2);
      length += is;
      stretches += is && !was;
      was = is;
    }
    assert_true(stretches <= 1 && length <= T / 2);
    clips += stretches;
    lengths[length]++;
  }
  assert_near(clips / (double)CLIPS, 0.4, 4 * sqrt(0.4 * 0.6 / CLIPS));
  for (int n = 2; n <= T / 2; n++) assert_true(lengths[n] > 0);
}

static void test_losses_weigh_more_where_codes_change(void **state) {
  train_masking o = masking(0.5, 0.3, 0.0);
  clip c;
  int changed = 0, stayed = 0;
  o.change_weight = 2.5;
  for (uint64_t sample = 0; sample < 20; sample++) {
    apply(&o, sample, 0, &c);
    // half of the positions keep their code from frame to frame; masks are the same again
    for (int i = S; i < T * S; i++)
      if (i % 2) c.in[i] = c.in[i - S];
    c.masked = train_masking_apply(&o,
                                   &(train_masking_clip){.sample = sample,
                                                         .tokens_in = c.in,
                                                         .action_in = c.action_in,
                                                         .valid_in = c.valid_in,
                                                         .tokens = c.tokens,
                                                         .action = c.action,
                                                         .has_action = c.has},
                                   0, c.row, c.target, c.weight);
    for (int64_t n = 0; n < c.masked; n++) {
      const int i = c.row[n] / N * S + c.row[n] % N - 1;
      const int change = c.in[i] != c.in[i - S];
      assert_true(c.weight[n] == (change ? 2.5f : 1.0f));
      changed += change;
      stayed += !change;
    }
  }
  assert_true(changed > 100 && stayed > 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mask_ratios_follow_the_cosine_law),
      cmocka_unit_test(test_full_mask_is_the_share_of_frames_masked_whole_beside_the_law),
      cmocka_unit_test(test_frame_0_is_given_whole_and_its_action_is_none),
      cmocka_unit_test(test_rows_and_targets_list_exactly_the_masked_positions),
      cmocka_unit_test(test_before_is_the_frame_before_unmasked),
      cmocka_unit_test(test_each_clip_replaces_context_codes_at_a_rate_of_its_own),
      cmocka_unit_test(test_replacements_are_uniform_over_the_codes),
      cmocka_unit_test(test_without_corruption_context_codes_stay),
      cmocka_unit_test(test_actions_are_laid_out_as_value_times_valid_then_valid),
      cmocka_unit_test(test_actions_are_dropped_at_their_rate),
      cmocka_unit_test(test_each_piece_of_a_clip_begins_as_a_clip),
      cmocka_unit_test(test_own_frames_come_at_their_rate_and_are_given_masked),
      cmocka_unit_test(test_hidden_frames_are_seen_by_nobody),
      cmocka_unit_test(test_losses_weigh_more_where_codes_change),
      cmocka_unit_test(test_draws_depend_on_seed_and_sample_alone),
  };
  return cmocka_run_group_tests_name("train/masking", tests, NULL, NULL);
}
