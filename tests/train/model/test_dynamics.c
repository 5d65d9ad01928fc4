// labels: quick
// The dynamics model as a whole: causality, gradients, recomputation, planning. That its
// figures are right is shown by the golden files.
#include "tests/train/toy.h"

#include <math.h>

#include "base/fault.h"

static const kern_dtype types[] = {KERN_F32, KERN_BF16};

// -- causality ------------------------------------------------------------------------------

// Clip 0 was changed from frame t on: earlier frames and clip 1 keep their bits, frame t and every
// later one has a logit that moved.
static void assert_changed_from(const toy *t, const float *before, int64_t first) {
  const size_t frame = (size_t)(t->S * t->d.V);
  for (int64_t bt = 0; bt < t->B * t->T; bt++) {
    const bool same = memcmp(before + (size_t)bt * frame, t->logits + (size_t)bt * frame,
                             frame * sizeof(float)) == 0;
    const bool expected = bt >= t->T || bt < first;
    if (same != expected)
      fail_msg("frame %d was changed: clip %d frame %d is %s", (int)first, (int)(bt / t->T),
               (int)(bt % t->T), same ? "the same" : "another");
  }
}

static void test_a_frames_tokens_change_no_earlier_logits(void **state) {
  for (size_t i = 0; i < 2; i++) {
    const train_dynamics_dims d = toy_dims(types[i]);
    toy t;
    toy_open(&t, &d, 2, 5, TRAIN_NO_BACKWARD, 1);
    const size_t bytes = (size_t)(t.B * t.T * t.S * d.V) * sizeof(float);
    float *before = orr_malloc(bytes);
    memcpy(before, toy_logits(&t), bytes);
    for (int64_t frame = 0; frame < t.T; frame++) {
      int32_t *token = t.tokens + frame * t.S + 2, kept = *token;
      *token = (kept + 7) % (int32_t)d.V;
      toy_logits(&t);
      assert_changed_from(&t, before, frame);
      *token = kept;
    }
    orr_free(before);
    toy_close(&t);
  }
}

static void test_an_action_changes_no_logits_before_the_frame_it_leads_to(void **state) {
  for (size_t i = 0; i < 2; i++) {
    const train_dynamics_dims d = toy_dims(types[i]);
    toy t;
    toy_open(&t, &d, 2, 5, TRAIN_NO_BACKWARD, 2);
    memset(t.has, 1, (size_t)(t.B * t.T));
    const size_t bytes = (size_t)(t.B * t.T * t.S * d.V) * sizeof(float);
    float *before = orr_malloc(bytes);
    memcpy(before, toy_logits(&t), bytes);
    for (int64_t frame = 0; frame < t.T; frame++) {
      float *action = t.action + frame * 2 * d.A + 1, kept = *action;
      *action += 1.0f;
      toy_logits(&t);
      assert_changed_from(&t, before, frame);
      *action = kept;
      t.has[frame] = 0; // dropping it is a change as well
      toy_logits(&t);
      assert_changed_from(&t, before, frame);
      t.has[frame] = 1;
    }
    orr_free(before);
    toy_close(&t);
  }
}

// -- gradients ------------------------------------------------------------------------------

// (loss(w + h dir) - loss(w - h dir)) / 2h of one parameter.
static double slope(toy *t, const train_param *p, const float *direction, double h) {
  float *w = t->state.weights.master + p->at;
  float *kept = orr_malloc((size_t)p->count * sizeof *kept);
  double loss[2];
  memcpy(kept, w, (size_t)p->count * sizeof *kept);
  for (int side = 0; side < 2; side++) {
    for (int64_t j = 0; j < p->count; j++)
      w[j] = (float)((double)kept[j] + (side ? -h : h) * (double)direction[j]);
    loss[side] = toy_loss(t, false);
  }
  memcpy(w, kept, (size_t)p->count * sizeof *kept);
  orr_free(kept);
  return (loss[0] - loss[1]) / (2.0 * h);
}

// Along the gradient the slope is the gradient's norm; along a random direction it is the scalar
// product. Fourth-order differences of about 2e-3 of the loss: far above float32's rounding, and
// small beside the curvature.
static void assert_slope(toy *t, const train_param *p, const float *direction, double norm,
                         const char *what) {
  const float *g = t->state.weights.grad + p->at;
  double want = 0.0;
  for (int64_t j = 0; j < p->count; j++) want += (double)g[j] * (double)direction[j];
  const double h = fmin(2e-2, 2e-3 / norm);
  const double got = (4.0 * slope(t, p, direction, h) - slope(t, p, direction, 2 * h)) / 3.0;
  /* the loss of about 3.6 rounds at 2e-7, 1e-4 of the 2e-3 it moves by: measured at most 1.6e-4 */
  if (!(fabs(got - want) < 1e-3 * norm))
    fail_msg("%s, %s: slope %.7g, gradient says %.7g", p->name, what, got, want);
}

static void test_gradients_equal_finite_differences_for_every_parameter(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  toy_open(&t, &d, 2, 5, TRAIN_KEEP_ALL, 3);
  toy_loss(&t, true);
  for (int i = 0; i < t.state.params.count; i++) {
    const train_param *p = &t.state.params.list[i];
    const float *g = t.state.weights.grad + p->at;
    float *direction = orr_malloc((size_t)p->count * sizeof *direction);
    double norm = 0.0, length = 0.0;
    for (int64_t j = 0; j < p->count; j++) norm += (double)g[j] * (double)g[j];
    norm = sqrt(norm);
    assert_true(norm > 1e-4); // the parameter takes part
    for (int64_t j = 0; j < p->count; j++) direction[j] = (float)((double)g[j] / norm);
    assert_slope(&t, p, direction, norm, "along the gradient");
    for (int64_t j = 0; j < p->count; j++) {
      direction[j] = toy_normal(9, (uint64_t)i, j);
      length += (double)direction[j] * (double)direction[j];
    }
    for (int64_t j = 0; j < p->count; j++) direction[j] /= (float)sqrt(length);
    assert_slope(&t, p, direction, norm, "along a random direction");
    orr_free(direction);
  }
  toy_close(&t);
}

static void test_recomputation_gives_the_same_bits(void **state) {
  static const train_keep keeps[] = {TRAIN_RECOMPUTE_CHEAP, TRAIN_RECOMPUTE};
  for (size_t i = 0; i < 4; i++) {
    const train_dynamics_dims d = toy_dims(types[i / 2]);
    toy kept, again;
    toy_open(&kept, &d, 2, 5, TRAIN_KEEP_ALL, 4);
    toy_open(&again, &d, 2, 5, keeps[i % 2], 4);
    assert_true(again.acts.capacity < kept.acts.capacity);
    assert_true(toy_loss(&kept, true) == toy_loss(&again, true));
    assert_memory_equal(kept.state.weights.grad, again.state.weights.grad,
                        (size_t)kept.state.params.total * sizeof(float));
    toy_close(&again);
    toy_close(&kept);
  }
}

static void test_a_plan_without_backward_computes_the_same_bits(void **state) {
  for (size_t i = 0; i < 2; i++) {
    const train_dynamics_dims d = toy_dims(types[i]);
    toy train, infer;
    toy_open(&train, &d, 2, 5, TRAIN_KEEP_ALL, 5);
    toy_open(&infer, &d, 2, 5, TRAIN_NO_BACKWARD, 5);
    assert_true(toy_loss(&train, true) == toy_loss(&infer, false));
    toy_logits(&train);
    toy_logits(&infer);
    assert_memory_equal(train.logits, infer.logits,
                        (size_t)(train.B * train.T * train.S * d.V) * sizeof(float));
    toy_close(&infer);
    toy_close(&train);
  }
}

// A batch whose masked rows fill two chunks of the loss against its halves, one chunk each.
static void test_loss_and_gradient_are_sums_over_clips_and_chunks(void **state) {
  train_dynamics_dims d = toy_dims(KERN_F32);
  d.rows = 4;
  d.cols = 8;
  d.S = 32;
  d.N = 1 + d.S + d.R;
  toy whole, half;
  toy_open(&whole, &d, 12, 7, TRAIN_KEEP_ALL, 6);
  toy_open(&half, &d, 6, 7, TRAIN_KEEP_ALL, 6);
  assert_true(toy_batch(&whole).masked_rows == 2 * TRAIN_LOSS_ROWS);
  double want = toy_loss(&whole, true) * (double)whole.masked, got = 0.0;
  const int64_t frames = half.B * half.T, rows = frames * d.N, masked = whole.masked;
  for (int64_t part = 0; part < 2; part++) {
    memcpy(half.tokens, whole.tokens + part * frames * d.S, (size_t)(frames * d.S) * 4);
    memcpy(half.action, whole.action + part * frames * 2 * d.A, (size_t)(frames * 2 * d.A) * 4);
    memcpy(half.has, whole.has + part * frames, (size_t)frames);
    memcpy(half.branch, whole.branch + part * half.B, (size_t)half.B * 4);
    int64_t n = 0;
    for (int64_t i = 0; i < masked; i++) {
      if (whole.masked_row[i] / rows != part) continue;
      half.masked_row[n] = (int32_t)(whole.masked_row[i] % rows);
      half.target[n++] = whole.target[i];
    }
    half.masked = n;
    for (; n < half.rows; n++) half.masked_row[n] = half.target[n] = -1;
    const train_dynamics_batch b = toy_batch(&half);
    assert_int_equal(b.masked_rows, TRAIN_LOSS_ROWS);
    assert_ok(train_dynamics_forward(half.model, &b));
    assert_ok(train_dynamics_loss(half.model, &b, &(float){(float)(1.0 / (double)masked)}, true,
                                  &got, NULL, NULL));
  }
  assert_true(fabs(got - want) < 1e-9 * want); /* float64 sums of the same rows: measured 0 */
  double off = 0.0, norm = 0.0;
  for (int64_t i = 0; i < whole.state.params.total; i++) {
    const double a = whole.state.weights.grad[i], b = half.state.weights.grad[i];
    off += (a - b) * (a - b);
    norm += a * a;
  }
  /* fp32, another order of sums over 2856 tokens: measured 3e-7 */
  assert_true(sqrt(off / norm) < 2e-6);
  toy_close(&half);
  toy_close(&whole);
}

// -- the order in which gradients become final ----------------------------------------------

enum { CALLS_MAX = 16 };
typedef struct {
  const float *grad;
  int64_t total, first[CALLS_MAX];
  float *seen[CALLS_MAX]; // the whole gradient when the call came
  int calls;
} ready_log;

static orr_code note_ready(void *ctx, int64_t first) {
  ready_log *r = ctx;
  const size_t bytes = (size_t)r->total * sizeof(float);
  if (r->calls == CALLS_MAX) fail_msg("more than %d calls", CALLS_MAX);
  r->first[r->calls] = first;
  r->seen[r->calls] = orr_malloc(bytes);
  memcpy(r->seen[r->calls++], r->grad, bytes);
  return ORR_OK;
}

static void test_gradients_reported_ready_are_final(void **state) {
  const train_keep keeps[] = {TRAIN_KEEP_ALL, TRAIN_RECOMPUTE};
  for (size_t i = 0; i < 2; i++) {
    const train_dynamics_dims d = toy_dims(KERN_F32);
    toy t;
    toy_open(&t, &d, 2, 5, keeps[i], 7);
    ready_log r = {.grad = t.state.weights.grad, .total = t.state.params.total};
    toy_loss_ready(&t, true, note_ready, &r);
    assert_int_equal(r.calls, d.layers + 2); // head, every block, embeddings
    assert_int_equal(r.first[r.calls - 1], 0);
    for (int c = 0; c < r.calls; c++) {
      if (c > 0) assert_true(r.first[c] < r.first[c - 1]);
      const int64_t n = r.total - r.first[c];
      assert_memory_equal(r.seen[c] + r.first[c], r.grad + r.first[c], (size_t)n * sizeof(float));
      orr_free(r.seen[c]);
    }
    toy_close(&t);
  }
}

static orr_code fail_ready(void *ctx, int64_t first) {
  return ORR_FAIL(ORR_ECOMM, "another rank has left");
}

static void test_an_error_of_the_callback_ends_the_backward_pass(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  double sum = 0.0;
  toy_open(&t, &d, 2, 5, TRAIN_KEEP_ALL, 7);
  const train_dynamics_batch b = toy_batch(&t);
  assert_ok(train_dynamics_forward(t.model, &b));
  assert_int_equal(train_dynamics_loss(t.model, &b, &(float){1.0f}, true, &sum, fail_ready, NULL),
                   ORR_ECOMM);
  toy_close(&t);
}

// -- planning -------------------------------------------------------------------------------

static void test_a_step_uses_exactly_the_announced_bytes_and_allocates_nothing(void **state) {
  const train_keep keeps[] = {TRAIN_KEEP_ALL, TRAIN_RECOMPUTE, TRAIN_RECOMPUTE_CHEAP};
  for (size_t i = 0; i < 6; i++) {
    const train_dynamics_dims d = toy_dims(types[i / 3]);
    toy t;
    toy_open(&t, &d, 2, 5, keeps[i % 3], 8);
    assert_ok(orr_arena_check(&t.acts));
    assert_ok(orr_arena_check(&t.state.parameters));
    assert_ok(orr_arena_check(&t.state.gradients));
    assert_ok(orr_arena_check(&t.state.optimizer));
    const size_t n = (size_t)t.state.params.total * sizeof(float);
    assert_int_equal(t.state.gradients.capacity, n);
    assert_int_equal(t.state.optimizer.capacity, 2 * n);
    assert_int_equal(t.state.parameters.capacity, d.block.act == KERN_BF16 ? n + n / 2 : n);
    const size_t workspace = t.k->workspace_bytes;
    orr_fault_arm(ORR_FAULT_MALLOC, 1);
    toy_loss(&t, true);
    const bool allocated = orr_fault_fired(ORR_FAULT_MALLOC);
    orr_fault_arm(ORR_FAULT_MALLOC, 0);
    assert_false(allocated);
    assert_int_equal(t.k->late_plans, 0);
    assert_int_equal(t.k->workspace_bytes, workspace);
    toy_close(&t);
  }
}

static void test_more_masked_rows_than_planned_are_refused(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  toy t;
  double sum = 0.0;
  toy_open(&t, &d, 2, 5, TRAIN_NO_BACKWARD, 8);
  train_dynamics_batch b = toy_batch(&t);
  b.masked_rows = train_dynamics_loss_capacity(t.model) + TRAIN_LOSS_ROWS;
  assert_int_equal(train_dynamics_loss(t.model, &b, &(float){1.0f}, false, &sum, NULL, NULL),
                   ORR_EINVAL);
  toy_close(&t);
}

// A clip of 6 frames taken for two of 3 has the logits of two clips of 3.
static void test_a_clip_in_pieces_equals_short_clips(void **state) {
  train_dynamics_dims d = toy_dims(KERN_F32);
  d.before = false; // a toy of 6 frames knows of no piece that begins
  toy whole, pieces;
  toy_open(&whole, &d, 2, 3, TRAIN_NO_BACKWARD, 51);
  toy_open(&pieces, &d, 1, 6, TRAIN_NO_BACKWARD, 51);
  const size_t positions = (size_t)(6 * d.S);
  memcpy(pieces.tokens, whole.tokens, positions * sizeof *whole.tokens);
  memcpy(pieces.action, whole.action, (size_t)(6 * 2 * d.A) * sizeof *whole.action);
  memcpy(pieces.has, whole.has, 6);
  whole.branch[1] = whole.branch[0] = pieces.branch[0];
  toy_logits(&whole);
  toy_logits(&pieces); // as one clip: another result
  assert_memory_not_equal(pieces.logits, whole.logits, positions * (size_t)d.V * sizeof(float));
  train_dynamics_take_frames(pieces.model, 3);
  toy_logits(&pieces);
  double off = 0, most = 0;
  for (size_t i = 0; i < positions * (size_t)d.V; i++) {
    off = fmax(off, fabs((double)pieces.logits[i] - (double)whole.logits[i]));
    most = fmax(most, fabs((double)whole.logits[i]));
  }
  /* fp32, sums in the same order: measured 0 */
  if (!(off <= 1e-7 * most)) fail_msg("off by %g of %g", off, most);
  toy_close(&pieces);
  toy_close(&whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_clip_in_pieces_equals_short_clips),
      cmocka_unit_test(test_a_frames_tokens_change_no_earlier_logits),
      cmocka_unit_test(test_an_action_changes_no_logits_before_the_frame_it_leads_to),
      cmocka_unit_test(test_gradients_equal_finite_differences_for_every_parameter),
      cmocka_unit_test(test_recomputation_gives_the_same_bits),
      cmocka_unit_test(test_a_plan_without_backward_computes_the_same_bits),
      cmocka_unit_test(test_loss_and_gradient_are_sums_over_clips_and_chunks),
      cmocka_unit_test(test_gradients_reported_ready_are_final),
      cmocka_unit_test(test_an_error_of_the_callback_ends_the_backward_pass),
      cmocka_unit_test(test_a_step_uses_exactly_the_announced_bytes_and_allocates_nothing),
      cmocka_unit_test(test_more_masked_rows_than_planned_are_refused),
  };
  return cmocka_run_group_tests_name("train/dynamics", tests, NULL, NULL);
}
