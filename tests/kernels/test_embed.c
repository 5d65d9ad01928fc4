// labels: quick
// The embeddings against double loops, the gradients of their tables against finite differences.
#include "tests/kernels/harness.h"

enum { BRANCHES = 3 };

typedef struct {
  int64_t B, T, S, R, D, V; // V + 1 rows in the whole table
  bool by_frame;            // frame t of all clips, then frame t+1, ...
  bool before;              // positions carry the codes of one frame earlier, too
  int64_t views;            // that the positions are of; 0 = none are told of
} shape;
static const shape shapes[] = {{1, 1, 1, 0, 24, 5, false, false, 0},
                               {2, 3, 4, 2, 40, 7, false, true, 0},
                               {3, 5, 6, 1, 100, 11, true, true, 2},
                               {2, 4, 17, 3, 7, 4, true, false, 3}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct {
  shape s;
  int32_t *tokens, *before, *branch_id, *view_of; // before, view_of: NULL without
  uint8_t *has;
  double *action, *table, *before_table, *none, *branch, *reg, *view, *dx;
  int64_t v_first, v_count;
  int64_t together; // frames of a clip that lie side by side: all, or one
} embed;

static embed draw_embed(pool *p, shape s, kern_dtype type) {
  const int64_t BT = s.B * s.T, N = 1 + s.S + s.R;
  embed e = {.s = s, .v_first = 0, .v_count = s.V + 1, .together = s.by_frame ? 1 : s.T};
  e.tokens = pool_take(p, (size_t)(BT * s.S) * sizeof *e.tokens);
  e.branch_id = pool_take(p, (size_t)s.B * sizeof *e.branch_id);
  e.has = pool_take(p, (size_t)BT);
  for (int64_t i = 0; i < BT * s.S; i++) // half of the positions are masked, as in training
    e.tokens[i] = i % 2 ? (int32_t)s.V
                        : (int32_t)orr_rng_below(2, ORR_STREAM_TEST, 0, (uint64_t)i, (uint64_t)s.V);
  if (s.before) e.before = pool_take(p, (size_t)(BT * s.S) * sizeof *e.before);
  for (int64_t i = 0; s.before && i < BT * s.S; i++)
    e.before[i] = (int32_t)orr_rng_below(2, ORR_STREAM_TEST, 1, (uint64_t)i, (uint64_t)s.V + 1);
  for (int64_t b = 0; b < s.B; b++) e.branch_id[b] = (int32_t)((b + 1) % BRANCHES);
  for (int64_t i = 0; i < BT; i++) e.has[i] = i % 3 != 0;
  e.action = pool_draw(p, BT * s.D, KERN_F32, 1.0);
  e.table = pool_draw(p, (s.V + 1) * s.D, KERN_F32, 1.0);
  e.before_table = pool_draw(p, (s.V + 1) * s.D, KERN_F32, 1.0);
  e.none = pool_draw(p, s.D, KERN_F32, 1.0);
  e.branch = pool_draw(p, BRANCHES * s.D, KERN_F32, 1.0);
  e.reg = pool_draw(p, s.R * s.D, KERN_F32, 1.0);
  e.view = pool_draw(p, (s.views + 1) * s.D, KERN_F32, 1.0);
  if (s.views) e.view_of = pool_take(p, (size_t)N * sizeof *e.view_of);
  for (int64_t n = 0; s.views && n < N; n++)
    e.view_of[n] = n == 0 || n > s.S ? -1 : (int32_t)(n * s.views / (s.S + 1));
  e.dx = pool_draw(p, BT * N * s.D, type, 1.0);
  return e;
}

// Column c of a code's row, zero where another rank has it.
static double entry(const embed *e, const double *table, int64_t code, int64_t c) {
  const bool here = code >= e->v_first && code < e->v_first + e->v_count;
  return here ? table[code * e->s.D + c] : 0.0;
}

// Element c of position n of frame bt.
static double embedded(const embed *e, int64_t bt, int64_t n, int64_t c) {
  const shape s = e->s;
  if (n == 0)
    return (e->has[bt] ? e->action[bt * s.D + c] : e->none[c]) +
           e->branch[e->branch_id[bt / e->together % s.B] * s.D + c];
  if (n > s.S) return e->reg[(n - 1 - s.S) * s.D + c];
  const int64_t at = bt * s.S + n - 1;
  const double view = e->view_of ? e->view[e->view_of[n] * s.D + c] : 0.0,
               now = view + entry(e, e->table, e->tokens[at], c);
  return e->before ? now + entry(e, e->before_table, e->before[at], c) : now;
}

static double embed_loss(const void *ctx) {
  const embed *e = ctx;
  const int64_t N = 1 + e->s.S + e->s.R, D = e->s.D;
  double loss = 0;
  for (int64_t bt = 0; bt < e->s.B * e->s.T; bt++)
    for (int64_t n = 0; n < N; n++)
      for (int64_t c = 0; c < D; c++) loss += e->dx[(bt * N + n) * D + c] * embedded(e, bt, n, c);
  return loss;
}

static void check_forward(shape s, kern_dtype type, int64_t v_first, int64_t v_count) {
  pool p = {0};
  embed e = draw_embed(&p, s, type);
  e.v_first = v_first;
  e.v_count = v_count;
  const int64_t BT = s.B * s.T, N = 1 + s.S + s.R;
  double *x = pool_take(&p, (size_t)(BT * N * s.D) * sizeof *x);
  for (int64_t i = 0; i < BT * N * s.D; i++)
    x[i] = embedded(&e, i / (N * s.D), i / s.D % N, i % s.D);
  FOR_SETUPS(run) {
    void *got = pool_typed(&p, e.dx, BT * N * s.D, type);
    kern_embed_fwd_args a = {
        .type = type,
        .BT = BT,
        .T = e.together,
        .clips = s.B,
        .S = s.S,
        .R = s.R,
        .D = s.D,
        .tokens = e.tokens,
        .has_action = e.has,
        .branch_id = e.branch_id,
        .action_emb = pool_typed(&p, e.action, BT * s.D, KERN_F32),
        .table = pool_typed(&p, e.table + v_first * s.D, v_count * s.D, KERN_F32),
        .before = e.before,
        .before_table = pool_typed(&p, e.before_table + v_first * s.D, v_count * s.D, KERN_F32),
        .no_action = pool_typed(&p, e.none, s.D, KERN_F32),
        .branch = pool_typed(&p, e.branch, BRANCHES * s.D, KERN_F32),
        .reg = pool_typed(&p, e.reg, s.R * s.D, KERN_F32),
        .view_of = e.view_of,
        .view = pool_typed(&p, e.view, (s.views + 1) * s.D, KERN_F32),
        .v_first = v_first,
        .v_count = v_count,
        .x = got};
    RUN(run, embed_fwd, &a);
    /* one float32 sum: measured 5.5e-8 */
    expect_close("x", got, type, x, BT * N * s.D, 1e-7);
  }
  pool_free(&p);
}

static void test_forward_equals_double_loops(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    check_forward(shapes[i], KERN_F32, 0, shapes[i].V + 1);
    check_forward(shapes[i], KERN_BF16, 0, shapes[i].V + 1);
  }
}

static void test_codes_of_another_shard_give_zeros(void **state) {
  check_forward(shapes[1], KERN_F32, 0, 3);
  check_forward(shapes[1], KERN_BF16, 3, 5); // the mask's row included
  check_forward(shapes[2], KERN_F32, 4, 4);
}

// The wanted gradients: what lay there before, and the slopes.
typedef struct {
  double *action, *table, *before_table, *none, *branch, *reg, *view;
} gradients;

static gradients want_gradients(pool *p, embed *e, const gradients *before) {
  const shape s = e->s;
  const int64_t BT = s.B * s.T;
  gradients g = {.action = pool_take(p, (size_t)(BT * s.D) * 8),
                 .table = pool_take(p, (size_t)((s.V + 1) * s.D) * 8),
                 .before_table = pool_take(p, (size_t)((s.V + 1) * s.D) * 8),
                 .none = pool_take(p, (size_t)s.D * 8),
                 .branch = pool_take(p, (size_t)(BRANCHES * s.D) * 8),
                 .reg = pool_take(p, (size_t)(s.R * s.D) * 8),
                 .view = pool_take(p, (size_t)((s.views + 1) * s.D) * 8)};
  slopes(embed_loss, e, e->action, BT * s.D, g.action);
  slopes(embed_loss, e, e->table, (s.V + 1) * s.D, g.table);
  slopes(embed_loss, e, e->before_table, (s.V + 1) * s.D, g.before_table);
  slopes(embed_loss, e, e->none, s.D, g.none);
  slopes(embed_loss, e, e->branch, BRANCHES * s.D, g.branch);
  slopes(embed_loss, e, e->reg, s.R * s.D, g.reg);
  slopes(embed_loss, e, e->view, (s.views + 1) * s.D, g.view);
  for (int64_t i = 0; i < (s.views + 1) * s.D; i++) g.view[i] += before->view[i];
  for (int64_t i = 0; i < (s.V + 1) * s.D; i++) g.table[i] += before->table[i];
  for (int64_t i = 0; i < (s.V + 1) * s.D; i++) g.before_table[i] += before->before_table[i];
  for (int64_t i = 0; i < s.D; i++) g.none[i] += before->none[i];
  for (int64_t i = 0; i < BRANCHES * s.D; i++) g.branch[i] += before->branch[i];
  for (int64_t i = 0; i < s.R * s.D; i++) g.reg[i] += before->reg[i];
  return g;
}

static void check_backward(shape s, kern_dtype type, int64_t v_first, int64_t v_count) {
  pool p = {0};
  embed e = draw_embed(&p, s, type);
  e.v_first = v_first;
  e.v_count = v_count;
  const int64_t BT = s.B * s.T, N = 1 + s.S + s.R;
  const gradients before = {.table = pool_draw(&p, (s.V + 1) * s.D, KERN_F32, 1.0),
                            .before_table = pool_draw(&p, (s.V + 1) * s.D, KERN_F32, 1.0),
                            .none = pool_draw(&p, s.D, KERN_F32, 1.0),
                            .branch = pool_draw(&p, BRANCHES * s.D, KERN_F32, 1.0),
                            .reg = pool_draw(&p, s.R * s.D, KERN_F32, 1.0),
                            .view = pool_draw(&p, (s.views + 1) * s.D, KERN_F32, 1.0)};
  const gradients want = want_gradients(&p, &e, &before);
  void *kept[7] = {0};
  FOR_SETUPS(run) {
    float *action = pool_typed(&p, e.action, BT * s.D, KERN_F32);
    float *table = pool_typed(&p, before.table + v_first * s.D, v_count * s.D, KERN_F32);
    float *before_table =
        pool_typed(&p, before.before_table + v_first * s.D, v_count * s.D, KERN_F32);
    float *none = pool_typed(&p, before.none, s.D, KERN_F32);
    float *branch = pool_typed(&p, before.branch, BRANCHES * s.D, KERN_F32);
    float *reg = pool_typed(&p, before.reg, s.R * s.D, KERN_F32);
    float *view = pool_typed(&p, before.view, (s.views + 1) * s.D, KERN_F32);
    kern_embed_bwd_args a = {.type = type,
                             .BT = BT,
                             .T = e.together,
                             .clips = s.B,
                             .S = s.S,
                             .R = s.R,
                             .D = s.D,
                             .tokens = e.tokens,
                             .before = e.before,
                             .has_action = e.has,
                             .branch_id = e.branch_id,
                             .v_first = v_first,
                             .v_count = v_count,
                             .branches = BRANCHES,
                             .dx = pool_typed(&p, e.dx, BT * N * s.D, type),
                             .daction_emb = action,
                             .dtable = table,
                             .dno_action = none,
                             .dbranch = branch,
                             .dreg = reg,
                             .dbefore_table = before_table,
                             .view_of = e.view_of,
                             .views = s.views,
                             .dview = view};
    RUN(run, embed_bwd, &a);
    /* float32 sums of up to 68 terms against differences: measured 1.7e-7 */
    expect_close("daction_emb", action, KERN_F32, want.action, BT * s.D, 1e-6);
    expect_close("dtable", table, KERN_F32, want.table + v_first * s.D, v_count * s.D, 1e-6);
    /* without such codes the table stays as it was */
    expect_close("dbefore_table", before_table, KERN_F32, want.before_table + v_first * s.D,
                 v_count * s.D, 1e-6);
    expect_close("dno_action", none, KERN_F32, want.none, s.D, 1e-6);
    expect_close("dbranch", branch, KERN_F32, want.branch, BRANCHES * s.D, 1e-6);
    expect_close("dreg", reg, KERN_F32, want.reg, s.R * s.D, 1e-6);
    expect_close("dview", view, KERN_F32, want.view, (s.views + 1) * s.D, 1e-6);
    expect_same_bits(&p, &kept[6], run, view, (size_t)(s.views * s.D) * 4);
    expect_same_bits(&p, &kept[0], run, action, (size_t)(BT * s.D) * 4);
    expect_same_bits(&p, &kept[1], run, table, (size_t)(v_count * s.D) * 4);
    expect_same_bits(&p, &kept[2], run, none, (size_t)s.D * 4);
    expect_same_bits(&p, &kept[3], run, branch, (size_t)(BRANCHES * s.D) * 4);
    expect_same_bits(&p, &kept[4], run, reg, (size_t)(s.R * s.D) * 4);
    expect_same_bits(&p, &kept[5], run, before_table, (size_t)(v_count * s.D) * 4);
  }
  pool_free(&p);
}

static void test_backward_equals_finite_differences(void **state) {
  for (int i = 0; i < SHAPES; i++) {
    check_backward(shapes[i], KERN_F32, 0, shapes[i].V + 1);
    check_backward(shapes[i], KERN_BF16, 0, shapes[i].V + 1);
  }
}

static void test_a_shard_takes_only_its_codes(void **state) {
  check_backward(shapes[1], KERN_F32, 0, 3);
  check_backward(shapes[1], KERN_BF16, 3, 5);
  check_backward(shapes[2], KERN_F32, 4, 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_equals_double_loops),
      cmocka_unit_test(test_codes_of_another_shard_give_zeros),
      cmocka_unit_test(test_backward_equals_finite_differences),
      cmocka_unit_test(test_a_shard_takes_only_its_codes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
