// labels: full mpi; ranks: 2; wrap: train_axes_init; needs: played_nccl
// Layouts whose tensors travel through dist/comm_nccl.c, on an NCCL that the host plays, against
// one rank. This program stands in front of train_axes_init (linked with --wrap).
#include "tests/dist/device.h"
#include "tests/dist/played/nccl_host.h"
#include "tests/dist/played/streams.h"
#include "tests/train/exact.h"

void __real_train_axes_init(train_axes *ax, const dist_grid *grid, const dist_world *world);
void __wrap_train_axes_init(train_axes *ax, const dist_grid *grid, const dist_world *world);

// As train_axes_use_device does it for a kern with a stream; kernels here run in their calls.
void __wrap_train_axes_init(train_axes *ax, const dist_grid *grid, const dist_world *world) {
  __real_train_axes_init(ax, grid, world);
  if (!world) return;
  streams_set_schedule(STREAMS_AT_ONCE);
  assert_ok(
      dist_world_split_device((dist_world *)world, &(dist_device){.stream = device_stream()}));
  memcpy(ax->comm, world->device, sizeof ax->comm);
  ax->on_device = true;
  ax->world = (dist_world *)world;
}

/* fp32, sums in other orders: measured 1e-8 of the loss, 2e-6 of a gradient's largest element */
#define EXACT .steps = 6, .loss_within = 1e-5, .grad_within = 1e-4
/* bf16 rounds partial sums: measured 1e-4 of the loss */
#define COARSE .bf16 = true, .steps = 6, .loss_within = 1e-2

static void test_tp2_over_nccl_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, EXACT});
  compare_layout(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, COARSE});
}

static void test_cp2_over_nccl_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, EXACT});
  compare_layout(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, COARSE});
}

static void test_the_tokenizer_over_nccl_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tokenizer = true, .tp = 2, .cp = 1, .dp = 1, EXACT});
  compare_layout(*state, &(layout){.tokenizer = true, .tp = 2, .cp = 1, .dp = 1, COARSE});
  compare_layout(*state, &(layout){.tokenizer = true, .tp = 1, .cp = 2, .dp = 1, EXACT});
}

static void test_dp2_over_nccl_equals_one_rank(void **state) {
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, EXACT});
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 1, EXACT});
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 1, COARSE});
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 2, .micro = 1, EXACT});
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 3, EXACT});
  compare_layout(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .zero = 3, .micro = 1, COARSE});
}

static void test_exact_layouts_over_nccl_have_the_hash_of_one_rank(void **state) {
  static const layout layouts[] = {{.tp = 2, .cp = 1, .dp = 1},
                                   {.tp = 1, .cp = 2, .dp = 1},
                                   {.tp = 1, .cp = 1, .dp = 2, .zero = 3}};
  exact_layouts(*state, layouts, sizeof layouts / sizeof *layouts, 2);
}

static void test_what_is_registered_is_given_back(void **state) {
  dist_world_leave_device(*state);
  assert_int_equal(nccl_host_buffers(), 0);
  assert_int_equal(nccl_host_comms(), 0);
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_tp2_over_nccl_equals_one_rank, w),
      cmocka_unit_test_prestate(test_cp2_over_nccl_equals_one_rank, w),
      cmocka_unit_test_prestate(test_the_tokenizer_over_nccl_equals_one_rank, w),
      cmocka_unit_test_prestate(test_dp2_over_nccl_equals_one_rank, w),
      cmocka_unit_test_prestate(test_exact_layouts_over_nccl_have_the_hash_of_one_rank, w),
      cmocka_unit_test_prestate(test_what_is_registered_is_given_back, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(2, all_tests);
}
