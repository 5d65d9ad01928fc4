// labels: full mpi; ranks: 4
// run.exact: the weights and moments of one rank, to the bit, in layouts of 1 and 4 ranks.
#include "tests/train/exact.h"

static void test_layouts_of_four_ranks_have_the_hash_of_one(void **state) {
  static const layout layouts[] = {{.tp = 1, .cp = 1, .dp = 1, .micro = 4, .recompute = true},
                                   {.tp = 1, .cp = 1, .dp = 1, .threads = 2},
                                   {.tp = 1, .cp = 1, .dp = 4, .zero = 1, .shard = 2, .micro = 2},
                                   {.tp = 1, .cp = 1, .dp = 4, .zero = 2, .micro = 1},
                                   {.tp = 4, .cp = 1, .dp = 1},
                                   {.tp = 2, .cp = 1, .dp = 2, .zero = 3},
                                   {.tp = 1, .cp = 2, .dp = 2, .zero = 3, .shard = 2},
                                   {.tp = 2, .cp = 2, .dp = 1, .recompute = true}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 2);
}

// Norms of matrices and their products, too.
static void test_muon_has_the_hash_of_one_rank(void **state) {
  static const layout layouts[] = {{.tp = 2, .cp = 1, .dp = 2, .zero = 1, .muon = true},
                                   {.tp = 1, .cp = 1, .dp = 4, .zero = 2, .shard = 2, .muon = true},
                                   {.tp = 1, .cp = 2, .dp = 2, .muon = true}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 2);
}

// Steps of digits are sums over tables that ranks of tp and of a shard have parts of.
static void test_digits_have_the_hash_of_one_rank(void **state) {
#define DIGITS .digits = true, .muon = true
  static const layout layouts[] = {{.tp = 4, .cp = 1, .dp = 1, DIGITS},
                                   {.tp = 2, .cp = 1, .dp = 2, .zero = 3, DIGITS},
                                   {.tp = 1, .cp = 2, .dp = 2, .zero = 1, DIGITS},
                                   {.tp = 1, .cp = 1, .dp = 4, .zero = 2, .shard = 2, DIGITS}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 3);
}

// Of its own grain: few clips, of eight frames.
static void test_the_tokenizer_has_the_hash_of_one_rank(void **state) {
#define TOKENIZER .tokenizer = true, .patchwise = true, .batch = 8, .muon = true
  static const layout layouts[] = {{.tp = 4, .cp = 1, .dp = 1, TOKENIZER},
                                   {.tp = 2, .cp = 2, .dp = 1, .recompute = true, TOKENIZER},
                                   {.tp = 2, .cp = 1, .dp = 2, .zero = 2, TOKENIZER}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 2);
}

static void test_an_adapter_has_the_hash_of_one_rank(void **state) {
#define ADAPTER .lora = true, .batch = 8
  static const layout layouts[] = {{.tp = 4, .cp = 1, .dp = 1, ADAPTER},
                                   {.tp = 2, .cp = 2, .dp = 1, ADAPTER},
                                   {.tp = 1, .cp = 2, .dp = 2, .zero = 1, .shard = 2, ADAPTER}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 2);
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_layouts_of_four_ranks_have_the_hash_of_one, w),
      cmocka_unit_test_prestate(test_muon_has_the_hash_of_one_rank, w),
      cmocka_unit_test_prestate(test_digits_have_the_hash_of_one_rank, w),
      cmocka_unit_test_prestate(test_the_tokenizer_has_the_hash_of_one_rank, w),
      cmocka_unit_test_prestate(test_an_adapter_has_the_hash_of_one_rank, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(4, all_tests);
}
