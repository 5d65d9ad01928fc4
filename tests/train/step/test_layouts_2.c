// labels: full mpi; ranks: 2
// Layouts of 2 ranks against one rank.
#include "tests/train/layouts.h"

/* fp32, sums in other orders: measured 2e-8 of the loss, 1e-6 of a gradient's largest element */
#define WITHIN .loss_within = 1e-5, .grad_within = 1e-4
#define EXACT  .steps = 20, WITHIN
/* bf16 rounds partial sums: measured 1e-4 of the loss */
#define COARSE .bf16 = true, .steps = 50, .loss_within = 1e-2

static void test_tp2_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, EXACT});
}

static void test_cp2_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, EXACT});
}

static void test_dp2_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, EXACT});
}

static void test_micro_batches_reduce_once_and_equal_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .micro = 2, EXACT});
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 1, .micro = 1, EXACT});
}

static void test_recomputed_blocks_equal_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .recompute = true, EXACT});
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, .recompute = true, EXACT});
}

static void test_weighed_losses_equal_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .weigh = true, .steps = 3, WITHIN});
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, .weigh = true, .steps = 3, WITHIN});
  compare_layout(
      *state, &(layout){.tp = 1, .cp = 1, .dp = 2, .micro = 1, .weigh = true, .steps = 3, WITHIN});
}

static void test_heads_on_registers_equal_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .heads = true, .steps = 4, WITHIN});
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, .heads = true, .steps = 4, WITHIN});
  compare_layout(
      *state,
      &(layout){
          .tp = 1, .cp = 1, .dp = 2, .zero = 1, .micro = 1, .heads = true, .steps = 4, WITHIN});
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 1, .heads = true, COARSE});
}

static void test_views_equal_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .views = true, .steps = 3, WITHIN});
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, .views = true, .steps = 3, WITHIN});
  compare_layout(*state, &(layout){.tp = 1,
                                   .cp = 1,
                                   .dp = 2,
                                   .zero = 2,
                                   .micro = 1,
                                   .views = true,
                                   .heads = true,
                                   .steps = 3,
                                   WITHIN});
}

// The loss of one batch with the adapter as it is now.
static double loss_of(trainee *t) {
  train_step_result x;
  assert_ok(train_step_adapt(&t->work, false, false));
  trainee_fill(t, 0);
  assert_ok(
      train_step_run(&t->work, t->batch, &(train_step_request){1, 0.0, INFINITY, INFINITY, false}));
  assert_ok(train_step_results(&t->work, &x));
  return x.loss;
}

// Every seventh parameter, one element of each: A, B and what is trained whole.
static void test_gradients_of_an_adapter_are_those_of_its_loss(void **state) {
  const float eps = 1e-2f;
  dist_grid one;
  trainee t;
  double worst = 0.0;
  assert_ok(dist_grid_init(1, 1, 1, 0, 1, &one));
  trainee_open(&t, &(layout){.tp = 1, .cp = 1, .dp = 1, .lora = true}, &one, NULL);
  train_state *s = &t.work.state;
  loss_of(&t);
  float *grad = orr_malloc((size_t)s->params.total * sizeof *grad);
  memcpy(grad, s->weights.grad, (size_t)s->params.total * sizeof *grad);
  for (int i = 0; i < s->params.count; i += 7) {
    const train_param *p = &s->params.list[i];
    int64_t at = p->at; // the element with the largest gradient
    for (int64_t j = p->at; j < p->at + p->count; j++)
      if (fabsf(grad[j]) > fabsf(grad[at])) at = j;
    const float was = s->weights.master[at];
    s->weights.master[at] = was + eps;
    const double above = loss_of(&t);
    s->weights.master[at] = was - eps;
    const double below = loss_of(&t), want = (above - below) / (2.0 * (double)eps);
    s->weights.master[at] = was;
    const double off = fabs((double)grad[at] / want - 1.0);
    worst = fmax(worst, off);
    /* differences of float32 losses over 0.02, and their curvature: measured 4e-3 */
    if (!(off < 2e-2)) fail_msg("%s: %g, by differences %g", p->name, (double)grad[at], want);
  }
  print_message("gradients of an adapter off by %.1e\n", worst);
  orr_free(grad);
  trainee_close(&t);
}

static void test_an_adapter_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .lora = true, .steps = 4, WITHIN});
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, .lora = true, .steps = 4, WITHIN});
  compare_layout(*state, &(layout){.tp = 1,
                                   .cp = 1,
                                   .dp = 2,
                                   .zero = 1,
                                   .micro = 1,
                                   .lora = true,
                                   .heads = true,
                                   .steps = 4,
                                   WITHIN});
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .lora = true, COARSE});
}

// All ranks draw what one rank draws: the logits differ in their last bits, which turns over no
// code that these seeds meet.
static void test_own_codes_equal_those_of_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .own = true, .steps = 3, WITHIN});
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, .own = true, .steps = 3, WITHIN});
  compare_layout(*state,
                 &(layout){.tp = 1, .cp = 1, .dp = 2, .micro = 1, .own = true, .steps = 3, WITHIN});
  compare_layout(
      *state,
      &(layout){.tp = 2, .cp = 1, .dp = 1, .own = true, .before = true, .steps = 3, WITHIN});
}

static void test_steps_of_digits_equal_those_of_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .digits = true, .steps = 4, WITHIN});
  compare_layout(
      *state,
      &(layout){
          .tp = 1, .cp = 1, .dp = 2, .zero = 1, .digits = true, .muon = true, .steps = 4, WITHIN});
}

// Each rank's own largest logit would not do as the one that all subtract. Few steps: gradients
// this large carry roundings far.
static void test_logits_hundreds_apart_equal_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .sure = true, .steps = 3, WITHIN});
}

static void test_bf16_stays_near_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, COARSE});
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, COARSE});
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 1, COARSE});
}

// Straight through the rounding of its codes: a bit of rounding in the sums may turn a code over
// and change a gradient visibly, which these seeds do not meet.
static void test_the_tokenizer_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tokenizer = true, .tp = 2, .cp = 1, .dp = 1, EXACT});
  compare_layout(*state, &(layout){.tokenizer = true,
                                   .patchwise = true,
                                   .tp = 2,
                                   .cp = 1,
                                   .dp = 1,
                                   .micro = 2,
                                   .recompute = true,
                                   .steps = 3,
                                   WITHIN});
  compare_layout(*state, &(layout){.tokenizer = true, .tp = 2, .cp = 1, .dp = 1, COARSE});
  compare_layout(*state, &(layout){.tokenizer = true, .tp = 1, .cp = 2, .dp = 1, EXACT});
  compare_layout(*state, &(layout){.tokenizer = true, .tp = 1, .cp = 1, .dp = 2, EXACT});
  compare_layout(*state, &(layout){.tokenizer = true, .tp = 1, .cp = 1, .dp = 2, .zero = 1, EXACT});
  compare_layout(*state,
                 &(layout){.tokenizer = true, .tp = 1, .cp = 1, .dp = 2, .zero = 1, COARSE});
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_tp2_equals_one_rank, w),
      cmocka_unit_test_prestate(test_cp2_equals_one_rank, w),
      cmocka_unit_test_prestate(test_dp2_equals_one_rank, w),
      cmocka_unit_test_prestate(test_micro_batches_reduce_once_and_equal_one_rank, w),
      cmocka_unit_test_prestate(test_recomputed_blocks_equal_one_rank, w),
      cmocka_unit_test_prestate(test_heads_on_registers_equal_one_rank, w),
      cmocka_unit_test_prestate(test_views_equal_one_rank, w),
      cmocka_unit_test_prestate(test_gradients_of_an_adapter_are_those_of_its_loss, w),
      cmocka_unit_test_prestate(test_an_adapter_equals_one_rank, w),
      cmocka_unit_test_prestate(test_own_codes_equal_those_of_one_rank, w),
      cmocka_unit_test_prestate(test_steps_of_digits_equal_those_of_one_rank, w),
      cmocka_unit_test_prestate(test_weighed_losses_equal_one_rank, w),
      cmocka_unit_test_prestate(test_logits_hundreds_apart_equal_one_rank, w),
      cmocka_unit_test_prestate(test_the_tokenizer_equals_one_rank, w),
      cmocka_unit_test_prestate(test_bf16_stays_near_one_rank, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(2, all_tests);
}
