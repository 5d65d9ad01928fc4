// labels: full mpi; ranks: 4
// Muon over ranks: replicas that share its matrices out have the same bits as those that do not, at
// 2 and at 4; and every layout follows one rank.
#include "tests/train/layouts.h"

#define MUON .muon = true, .steps = 6
/* fp32, sums in other orders: measured 1e-8 of the loss, 2e-6 of a gradient's largest element */
#define WITHIN .loss_within = 1e-5, .grad_within = 1e-4
/* bf16 rounds partial sums: measured 8e-5 */
#define COARSE .bf16 = true, .loss_within = 1e-2

static void test_every_layout_follows_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 2, MUON, WITHIN});
  compare_layout(*state, &(layout){.tp = 4, .cp = 1, .dp = 1, MUON, WITHIN});
  compare_layout(*state, &(layout){.tp = 2, .cp = 2, .dp = 1, .zero = 1, MUON, WITHIN});
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 4, .zero = 1, .batch = 8, MUON, WITHIN});
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 2, .zero = 2, .micro = 1, MUON, WITHIN});
  compare_layout(
      *state,
      &(layout){
          .tp = 1, .cp = 1, .dp = 4, .zero = 3, .shard = 2, .batch = 8, .micro = 1, MUON, WITHIN});
}

static void test_bf16_stays_near_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 4, .cp = 1, .dp = 1, MUON, COARSE});
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 2, .zero = 1, MUON, COARSE});
}

// Two runs of one layout but for `zero`, side by side on all ranks.
static void same_bits(dist_world *w, const layout *plain) {
  layout shared = *plain;
  trainee a, b;
  shared.zero = 1;
  assert_ok(dist_world_split(w, plain->tp, plain->cp, plain->dp));
  trainee_open(&a, plain, &w->grid, w);
  trainee_open(&b, &shared, &w->grid, w);
  const train_state *x = &a.work.state, *y = &b.work.state;
  const int64_t n = x->params.total < y->params.total ? x->params.total : y->params.total;
  for (int64_t step = 0; step < plain->steps; step++) {
    trainee_gradients(&a, step);
    trainee_update(&a, step);
    trainee_gradients(&b, step);
    trainee_update(&b, step);
    assert_true(a.loss == b.loss && a.norm == b.norm);
    if (plain->bf16)
      assert_memory_equal(x->weights.work, y->weights.work, (size_t)n * 2);
    else
      assert_memory_equal(x->weights.master, y->weights.master, (size_t)n * 4);
  }
  // this rank's share of what b keeps, and nothing like all of it
  assert_true(train_partition_elements(&y->shard) < n);
  for (int64_t i = 0; i < train_partition_buckets(&y->shard); i++) {
    train_partition_piece p = train_partition_piece_of(&y->shard, i);
    if (p.at + p.count > n) p.count = n - p.at; // the padding that only y has
    if (p.count <= 0) continue;
    assert_memory_equal(x->m + p.at, y->m + p.place, (size_t)p.count * 4);
    assert_memory_equal(x->ema + p.at, y->ema + p.place, (size_t)p.count * 4);
    assert_memory_equal(x->weights.master + p.at, train_state_master_of(y, &p),
                        (size_t)p.count * 4);
  }
  trainee_close(&b);
  trainee_close(&a);
}

static void test_sharing_the_matrices_out_changes_no_bit(void **state) {
  for (int bf16 = 0; bf16 < 2; bf16++) {
    same_bits(*state, &(layout){.tp = 1, .cp = 1, .dp = 4, .batch = 8, .bf16 = bf16, MUON});
    same_bits(*state, &(layout){.tp = 2, .cp = 1, .dp = 2, .bf16 = bf16, MUON});
    same_bits(*state, &(layout){.tp = 1, .cp = 2, .dp = 2, .bf16 = bf16, MUON});
  }
  same_bits(*state, &(layout){.tp = 1, .cp = 1, .dp = 4, .batch = 8, .tokenizer = true, MUON});
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_every_layout_follows_one_rank, w),
      cmocka_unit_test_prestate(test_bf16_stays_near_one_rank, w),
      cmocka_unit_test_prestate(test_sharing_the_matrices_out_changes_no_bit, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(4, all_tests);
}
