// run.exact on the CUDA backend, host side and kernels, on the device that the host plays: layouts
// of two ranks, whose products of columns, rows and slices have other shapes than one rank's, have
// its hash. What a library adds inside of a product is the played one's affair; tensors travel over
// MPI (tests/train/step/test_layouts_nccl_2.c has dist/comm_nccl.c).
#define LAYOUTS_DEVICE KERN_DEVICE_CUDA
#include "tests/train/exact.h"

static void test_layouts_of_two_ranks_have_the_hash_of_one(void **state) {
  static const layout layouts[] = {{.tp = 2, .cp = 1, .dp = 1, .batch = 2},
                                   {.tp = 1, .cp = 2, .dp = 1, .batch = 2},
                                   {.tp = 1, .cp = 1, .dp = 2, .zero = 3, .batch = 2}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 2);
}

static void test_the_tokenizer_has_the_hash_of_one(void **state) {
  static const layout layouts[] = {{.tp = 2, .cp = 1, .dp = 1, .batch = 2, .tokenizer = true},
                                   {.tp = 1, .cp = 2, .dp = 1, .batch = 2, .tokenizer = true}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 1);
}

static void test_an_adapter_has_the_hash_of_one(void **state) {
  static const layout layouts[] = {{.tp = 2, .cp = 1, .dp = 1, .batch = 2, .lora = true}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 1);
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_layouts_of_two_ranks_have_the_hash_of_one, w),
      cmocka_unit_test_prestate(test_the_tokenizer_has_the_hash_of_one, w),
      cmocka_unit_test_prestate(test_an_adapter_has_the_hash_of_one, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(2, all_tests);
}
