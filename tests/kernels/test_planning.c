// labels: quick
// Planning: ops are called with the placeholder addresses of counting arenas and must not follow
// them; afterwards a larger shape plans late, once, and is counted.
#include "tests/kernels/harness.h"

// An address that faults when it is followed.
#define NOWHERE ((void *)(uintptr_t)64)
#define PLAN(op, ...)                                                                              \
  do {                                                                                             \
    kern_##op##_args a_ = {__VA_ARGS__};                                                           \
    assert_ok(kern_##op(k, &a_));                                                                  \
  } while (0)

static void plan_layers(kern *k) {
  void *t = NOWHERE;
  PLAN(rmsnorm_fwd, .M = 9, .D = 8, .x = t, .w = t, .y = t, .rstd = t);
  PLAN(rmsnorm_bwd, .M = 9, .D = 8, .dy = t, .x = t, .w = t, .rstd = t, .add = t, .dx = t, .dw = t);
  PLAN(qknorm_rope_fwd, .M = 9, .H = 2, .G = 1, .K = 8, .qkv = t, .q_w = t, .k_w = t, .cos = t,
       .sin = t, .pos_div = 1, .pos_mod = 3, .qk = t, .rstd = t);
  PLAN(qknorm_rope_bwd, .M = 9, .H = 2, .G = 1, .K = 8, .qkv = t, .q_w = t, .k_w = t, .cos = t,
       .sin = t, .pos_div = 1, .pos_mod = 3, .rstd = t, .dqk = t, .dqkv = t, .dq_w = t, .dk_w = t);
  PLAN(swiglu_fwd, .M = 9, .F = 8, .gu = t, .h = t);
  PLAN(swiglu_bwd, .M = 9, .F = 8, .gu = t, .dh = t, .dgu = t);
  PLAN(embed_fwd, .BT = 4, .T = 2, .clips = 2, .S = 3, .R = 1, .D = 8, .tokens = t, .has_action = t,
       .branch_id = t, .action_emb = t, .table = t, .no_action = t, .branch = t, .reg = t,
       .v_count = 6, .x = t);
  PLAN(embed_bwd, .BT = 4, .T = 2, .clips = 2, .S = 3, .R = 1, .D = 8, .tokens = t, .has_action = t,
       .branch_id = t, .v_count = 6, .branches = 1, .dx = t, .daction_emb = t, .dtable = t,
       .dno_action = t, .dbranch = t, .dreg = t);
  PLAN(gather_rows, .M = 9, .D = 8, .x = t, .index = t, .y = t);
  PLAN(scatter_rows, .M = 9, .D = 8, .x = t, .index = t, .rows = 9, .y = t);
}

static void plan_losses(kern *k) {
  void *t = NOWHERE;
  static const int32_t levels[] = {5, 4};
  PLAN(xent_stats, .M = 9, .V = 8, .logits = t, .target = t, .largest = t, .sum = t,
       .target_logit = t);
  PLAN(xent_grad, .M = 9, .V = 8, .logits = t, .target = t, .largest = t, .sum = t,
       .target_logit = t, .scale = t, .loss_sum = t, .dlogits = t);
  PLAN(xent_rescale, .M = 9, .own_largest = t, .largest = t, .sum = t);
  PLAN(fsq_fwd, .M = 9, .n = 2, .levels = levels, .z = t, .code = t, .index = t);
  PLAN(fsq_bwd, .M = 9, .n = 2, .levels = levels, .z = t, .dcode = t, .dz = t);
  PLAN(fsq_lookup, .M = 9, .n = 2, .levels = levels, .index = t, .code = t);
  PLAN(patchify, .B = 1, .rows = 2, .cols = 2, .p = 2, .frames_u8 = t, .x = t);
  PLAN(unpatchify, .B = 1, .rows = 2, .cols = 2, .p = 2, .x = t, .frames_u8 = t, .frames_f32 = t);
  PLAN(pixel_loss, .B = 1, .rows = 2, .cols = 2, .p = 2, .x = t, .frames_f32 = t, .scale = t,
       .loss_sum = t, .dx = t);
}

static void plan_flat_ranges(kern *k) {
  void *t = NOWHERE;
  PLAN(adamw, .n = 9, .w = t, .g = t, .m = t, .v = t, .ema = t, .w_bf16 = t, .rates = t,
       .verdict = t);
  PLAN(muon_blend, .n = 9, .g = t, .m = t, .momentum = 0.9f, .verdict = t);
  PLAN(muon_norm, .n = 9, .g = t, .sumsq = t, .x = t);
  PLAN(muon_apply, .n = 9, .x = t, .w = t, .ema = t, .w_bf16 = t, .rates = t, .verdict = t);
  PLAN(clip, .sumsq = t, .loss_sum = t, .bounds = t, .limit = 1, .out = t);
  PLAN(digit_sums, .of = {.n = 24, .D = 8, .digits = 1, .level = {3}}, .m = t, .v = t, .sums = t);
  PLAN(digit_steps, .n = 24, .sums = t, .rates = t, .verdict = t, .step = t);
  PLAN(digit_apply, .of = {.n = 24, .D = 8, .digits = 1, .level = {3}}, .step = t, .w = t);
  PLAN(copy, .dst = t, .src = t, .bytes = 9, .way = KERN_COPY_WITHIN);
  PLAN(copy_rows, .dst = t, .src = t, .dst_pitch = 3, .src_pitch = 3, .width = 3, .rows = 3);
  PLAN(fill, .x = t, .bytes = 9);
  PLAN(sumsq, .n = 9, .x = t, .sum = t);
  PLAN(fingerprint, .n = 9, .x = t, .sum = t);
  PLAN(cast, .n = 9, .from = KERN_F32, .to = KERN_BF16, .x = t, .y = t);
  PLAN(axpby, .n = 9, .a = 1, .b = 1, .x = t, .y = t);
  PLAN(sample, .M = 9, .V = 8, .rows_per_sample = 1, .logits = t, .temperature = t, .sample = t,
       .code = t, .log_prob = t);
}

static void test_planning_follows_no_address(void **state) {
  FOR_SETUPS(run) {
    kern *k = NULL;
    assert_ok(cpu_create(run->threads, run->level, &k));
    plan_layers(k);
    plan_losses(k);
    plan_flat_ranges(k);
    assert_true(k->planning && k->workspace == NULL && k->workspace_bytes > 0);
    assert_int_equal(k->late_plans, 0);
    kern_destroy(k);
  }
}

static void test_a_larger_shape_plans_late_once_and_is_right(void **state) {
  pool p = {0};
  enum { N = 200000 };
  float *x = pool_take(&p, N * sizeof *x);
  for (int i = 0; i < N; i++) x[i] = 1;
  kern *k = NULL;
  assert_ok(cpu_create(2, cpu_level_detect(), &k));
  double sum = 0;
  kern_sumsq_args a = {.n = 9, .x = x, .sum = &sum};
  assert_ok(kern_sumsq(k, &a));
  assert_ok(kern_commit(k));
  a.n = N;
  for (int i = 0; i < 2; i++) {
    assert_ok(kern_sumsq(k, &a));
    assert_true(sum == N);
    assert_int_equal(k->late_plans, 1);
  }
  kern_destroy(k);
  pool_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_planning_follows_no_address),
      cmocka_unit_test(test_a_larger_shape_plans_late_once_and_is_right),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
