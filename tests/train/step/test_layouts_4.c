// labels: full mpi; ranks: 4
// Layouts of 4 ranks against one rank.
#include "tests/train/layouts.h"

#define RANKS .tp = 1, .cp = 1
/* fp32, sums in other orders: measured 2e-8 of the loss, 1e-6 of a gradient's largest element */
#define EXACT .steps = 20, .loss_within = 1e-5, .grad_within = 1e-4

static void test_tp4_over_two_key_heads_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 4, .cp = 1, .dp = 1, EXACT});
}

static void test_tp2_cp2_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 2, .dp = 1, EXACT});
}

static void test_tp2_dp2_with_shared_out_states_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 2, .zero = 1, EXACT});
}

// Gradients shared out: segments leave as they become final, micro-batch by micro-batch.
static void test_shared_out_gradients_equal_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 4, .zero = 2, .batch = 8, EXACT});
  compare_layout(*state,
                 &(layout){.tp = 2, .cp = 1, .dp = 2, .zero = 2, .batch = 8, .micro = 2, EXACT});
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 2, .zero = 2, .micro = 1, EXACT});
  compare_layout(*state,
                 &(layout){.dp = 4, .zero = 2, .batch = 8, .tokenizer = true, RANKS, EXACT});
}

// Weights, too: there for a block ahead, forward, backward and forward again.
static void test_shared_out_weights_equal_one_rank(void **state) {
  compare_layout(*state, &(layout){.dp = 4, .zero = 3, .batch = 8, .micro = 1, RANKS, EXACT});
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 2, .zero = 3, .recompute = true, EXACT});
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 2, .zero = 3, .own = true, EXACT});
  compare_layout(*state,
                 &(layout){.dp = 4, .zero = 3, .batch = 8, .tokenizer = true, RANKS, EXACT});
}

// Four ranks over two key heads and six clips of five frames of six patches, which tp does not
// divide; frames over cp.
static void test_the_tokenizer_equals_one_rank(void **state) {
#define TOKENIZER .tokenizer = true, .steps = 6, .loss_within = 1e-5, .grad_within = 1e-4
  compare_layout(*state, &(layout){.tp = 4, .cp = 1, .dp = 1, .micro = 3, TOKENIZER});
  compare_layout(*state,
                 &(layout){.tp = 2, .cp = 1, .dp = 2, .zero = 3, .patchwise = true, TOKENIZER});
  compare_layout(*state, &(layout){.tp = 2, .cp = 2, .dp = 1, .zero = 2, .micro = 2, TOKENIZER});
}

// Two groups that share out, each with a copy of all.
static void test_groups_equal_one_rank(void **state) {
  for (int zero = 1; zero <= 3; zero++)
    compare_layout(
        *state,
        &(layout){
            .tp = 1, .cp = 2, .dp = 2, .zero = zero, .shard = 2, .micro = 1, .batch = 4, EXACT});
}

static void test_bf16_shared_out_stays_near_one_rank(void **state) {
  for (int zero = 2; zero <= 3; zero++)
    compare_layout(*state, &(layout){.tp = 2,
                                     .cp = 1,
                                     .dp = 2,
                                     .zero = zero,
                                     .bf16 = true,
                                     .steps = 6,
                                     .loss_within = 1e-2});
}

// The same buckets in the same order, whenever they start.
static void test_overlapping_changes_no_bit(void **state) {
  static const layout layouts[] = {{.tp = 2, .cp = 1, .dp = 2, .zero = 1, .bf16 = true},
                                   {.tp = 2, .cp = 1, .dp = 2, .zero = 2, .bf16 = true},
                                   {.tp = 1, .cp = 2, .dp = 2, .zero = 3, .shard = 2},
                                   {.tp = 1, .cp = 2, .dp = 2, .zero = 1},
                                   {.tp = 1, .cp = 4, .dp = 1}};
  dist_world *w = *state;
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
    const layout *l = &layouts[i];
    trainee t[2];
    layout_split(w, l);
    for (int overlap = 0; overlap < 2; overlap++) {
      trainee_open(&t[overlap], l, &w->grid, w);
      train_step_overlap(&t[overlap].work, overlap);
    }
    for (int64_t step = 0; step < 4; step++) {
      for (int overlap = 0; overlap < 2; overlap++) {
        trainee_gradients(&t[overlap], step);
        trainee_update(&t[overlap], step);
      }
      assert_true(t[0].loss == t[1].loss && t[0].norm == t[1].norm);
    }
    const train_state *a = &t[0].work.state, *b = &t[1].work.state;
    const size_t n = (size_t)a->params.total;
    if (a->weights.master) assert_memory_equal(a->weights.master, b->weights.master, 4 * n);
    if (a->weights.work) assert_memory_equal(a->weights.work, b->weights.work, 2 * n);
    assert_memory_equal(a->own_master, b->own_master,
                        4 * (size_t)train_partition_elements(&a->shard));
    for (int overlap = 0; overlap < 2; overlap++) trainee_close(&t[overlap]);
  }
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_tp4_over_two_key_heads_equals_one_rank, w),
      cmocka_unit_test_prestate(test_tp2_cp2_equals_one_rank, w),
      cmocka_unit_test_prestate(test_tp2_dp2_with_shared_out_states_equals_one_rank, w),
      cmocka_unit_test_prestate(test_shared_out_gradients_equal_one_rank, w),
      cmocka_unit_test_prestate(test_shared_out_weights_equal_one_rank, w),
      cmocka_unit_test_prestate(test_the_tokenizer_equals_one_rank, w),
      cmocka_unit_test_prestate(test_groups_equal_one_rank, w),
      cmocka_unit_test_prestate(test_bf16_shared_out_stays_near_one_rank, w),
      cmocka_unit_test_prestate(test_overlapping_changes_no_bit, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(4, all_tests);
}
