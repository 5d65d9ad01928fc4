// labels: quick
// Embeddings, the gradients of their tables, and copies of rows on the device against the CPU.
#include "tests/kernels/cuda/parity.h"

typedef struct {
  int64_t BT, T, S, R, D;
  int64_t V; // codes are drawn below it
  int64_t v_first, v_count;
  bool before;   // positions carry the codes of one frame earlier, too
  int64_t views; // 0 = none are told of
} shape;
// Few codes make long runs that cross chunks; 300 and 70000 need two and three passes of the sort;
// 2300 positions are more than a tile of it.
static const shape shapes[] = {
    {1, 1, 1, 0, 8, 5, 0, 5, false, 0},       {6, 3, 40, 2, 24, 3, 0, 3, true, 2},
    {6, 3, 40, 2, 24, 9, 3, 4, true, 0},      {10, 5, 230, 1, 8, 300, 0, 300, false, 3},
    {4, 2, 33, 3, 7, 4, 0, 4, true, 2},       {2, 1, 150, 1, 16, 70000, 0, 70000, false, 0},
    {10, 5, 230, 1, 8, 300, 0, 300, true, 0},
};
enum { BRANCHES = 3 };

typedef struct {
  const int32_t *tokens, *before, *branch_id, *view_of;
  const uint8_t *has;
} inputs;

static inputs inputs_of(side *s, const shape *h) {
  uint8_t has[64];
  int32_t view_of[256];
  const int64_t N = 1 + h->S + h->R;
  for (int64_t n = 0; n < N; n++)
    view_of[n] = n == 0 || n > h->S ? -1 : (int32_t)(n * h->views / (h->S + 1));
  for (int64_t i = 0; i < h->BT; i++) has[i] = i % 3 != 0;
  return (inputs){.tokens = side_ints(s, h->BT * h->S, 0, (int32_t)h->V),
                  .before = h->before ? side_ints(s, h->BT * h->S, 0, (int32_t)h->V) : NULL,
                  .branch_id = side_ints(s, h->BT / h->T, 0, BRANCHES),
                  .view_of = h->views ? side_given(s, VALUE_I32, view_of, N) : NULL,
                  .has = side_given(s, VALUE_U8, has, h->BT)};
}

static void forward(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const inputs in = inputs_of(s, h);
  SIDE_RUN(s, embed_fwd, .type = type, .BT = h->BT, .T = h->T, .clips = h->BT / h->T, .S = h->S,
           .R = h->R, .D = h->D, .tokens = in.tokens, .has_action = in.has,
           .branch_id = in.branch_id, .action_emb = side_draw(s, KERN_F32, h->BT * h->D, 1.0),
           .table = side_draw(s, KERN_F32, h->v_count * h->D, 1.0), .before = in.before,
           .before_table = side_draw(s, KERN_F32, h->v_count * h->D, 1.0),
           .no_action = side_draw(s, KERN_F32, h->D, 1.0),
           .branch = side_draw(s, KERN_F32, BRANCHES * h->D, 1.0),
           .reg = side_draw(s, KERN_F32, h->R * h->D, 1.0), .view_of = in.view_of,
           .view = side_draw(s, KERN_F32, (h->views + 1) * h->D, 1.0), .v_first = h->v_first,
           .v_count = h->v_count,
           .x = side_out(s, "x", value_of(type), h->BT * (1 + h->S + h->R) * h->D, 0));
}

static void backward(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const inputs in = inputs_of(s, h);
  // sums of up to 800 terms in another order: measured 3e-7
  SIDE_RUN(s, embed_bwd, .type = type, .BT = h->BT, .T = h->T, .clips = h->BT / h->T, .S = h->S,
           .R = h->R, .D = h->D, .tokens = in.tokens, .before = in.before, .has_action = in.has,
           .branch_id = in.branch_id, .v_first = h->v_first, .v_count = h->v_count,
           .branches = BRANCHES, .dx = side_draw(s, type, h->BT * (1 + h->S + h->R) * h->D, 1.0),
           .daction_emb = side_out(s, "daction_emb", VALUE_F32, h->BT * h->D, 0),
           .dtable = side_both(s, "dtable", KERN_F32, h->v_count * h->D, 1.0, 2e-6),
           .dno_action = side_both(s, "dno_action", KERN_F32, h->D, 1.0, 1e-6),
           .dbranch = side_both(s, "dbranch", KERN_F32, BRANCHES * h->D, 1.0, 1e-6),
           .dreg = side_both(s, "dreg", KERN_F32, h->R * h->D, 1.0, 1e-6),
           .dbefore_table = side_both(s, "dbefore_table", KERN_F32, h->v_count * h->D, 1.0, 2e-6),
           .view_of = in.view_of, .views = h->views,
           .dview = side_both(s, "dview", KERN_F32, (h->views + 1) * h->D, 1.0, 2e-6));
}

static void test_embeddings_equal_the_cpu(void **state) {
  PARITY_SHAPES(forward, shapes, 1);
}
static void test_gradients_of_the_tables_equal_the_cpu(void **state) {
  PARITY_SHAPES(backward, shapes, 1);
}

static const int32_t from[] = {4, -1, 0, 4, 2}, to[] = {3, -1, 9, 5, 1};
enum { M = 5, ROWS = 6 };
static const int64_t widths[] = {1, 8, 24, 300, 7};

static void gather(side *s, const void *of, kern_dtype type) {
  const int64_t D = *(const int64_t *)of;
  SIDE_RUN(s, gather_rows, .type = type, .M = M, .D = D,
           .x = side_draw(s, type, ROWS * (D + 8), 1.0), .index = side_given(s, VALUE_I32, from, M),
           .y = side_out(s, "y", value_of(type), M * D, 0), .ldx = D + 8);
}

static void scatter(side *s, const void *of, kern_dtype type) {
  const int64_t D = *(const int64_t *)of;
  SIDE_RUN(s, scatter_rows, .type = type, .M = M, .D = D, .x = side_draw(s, type, M * D, 1.0),
           .index = side_given(s, VALUE_I32, to, M), .first = 2, .rows = ROWS,
           .y = side_both(s, "y", type, ROWS * D, 1.0, 0));
}

static void test_rows_go_where_the_cpu_puts_them(void **state) {
  PARITY_SHAPES(gather, widths, 1);
  PARITY_SHAPES(scatter, widths, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_embeddings_equal_the_cpu),
      cmocka_unit_test(test_gradients_of_the_tables_equal_the_cpu),
      cmocka_unit_test(test_rows_go_where_the_cpu_puts_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
