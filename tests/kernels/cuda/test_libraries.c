// labels: quick
// The host side of the CUDA backend on a machine and libraries that the test plays: what is planned
// once, and the one message of each thing that goes wrong.
#include "tests/kernels/cuda/played.h"

// --- products -------------------------------------------------------------------------------

static void test_a_product_is_planned_once_and_serves_both_ways_of_writing(void **state) {
  kern *k = device();
  void *x;
  assert_int_equal(kern_alloc(k, KERN_DEVICE, 3 * 64 * 64 * 4, "a test", &x), ORR_OK);
  float *at = x;
  kern_matmul_bwd_w_args a = {.type = KERN_F32,
                              .M = 64,
                              .N = 64,
                              .K = 64,
                              .dy = at,
                              .x = at + 64 * 64,
                              .dw = at + 2 * 64 * 64,
                              .overwrite = true};
  library_blas_calls();
  assert_int_equal(kern_matmul_bwd_w(k, &a), ORR_OK);
  assert_int_equal(kern_matmul_bwd_w(k, &a), ORR_OK);
  assert_int_equal(kern_commit(k), ORR_OK);
  assert_int_equal(kern_matmul_bwd_w(k, &a), ORR_OK);
  a.overwrite = false;
  assert_int_equal(kern_matmul_bwd_w(k, &a), ORR_OK);
  library_calls calls = library_blas_calls();
  assert_int_equal(calls.proposals, 1);
  assert_int_equal(calls.runs, 2);
  assert_int_equal(k->late_plans, 0);
  a.M = 32; // a new shape is planned when it comes, and counted
  assert_int_equal(kern_matmul_bwd_w(k, &a), ORR_OK);
  assert_int_equal(library_blas_calls().proposals, 1);
  assert_int_equal(k->late_plans, 1);
  kern_free(k, KERN_DEVICE, x);
  kern_destroy(k);
}

enum { NODE_PRIORITY = 8 }; // cudaGraphInstantiateFlagUseNodePriority

// What a step does: a product with a bias, a copy, a mark; its inputs change from run to run.
static orr_code step(kern *k, float *x, const float *in) {
  ORR_TRY(kern_copy(k, &(kern_copy_args){x, in, 64 * 64 * sizeof *x, KERN_COPY_IN}));
  ORR_TRY(kern_matmul_fwd(
      k, &(kern_matmul_fwd_args){
             .M = 64, .N = 64, .K = 64, .x = x, .w = x, .bias = x + 64, .y = x + 64 * 64}));
  return kern_mark(k, 1);
}

static void read_result(kern *k, const float *x, float out[64 * 64]) {
  const size_t bytes = 64 * 64 * sizeof *x;
  assert_int_equal(
      kern_copy(k, &(kern_copy_args){out, (void *)(uintptr_t)(x + 64 * 64), bytes, KERN_COPY_OUT}),
      ORR_OK);
  assert_int_equal(kern_sync(k), ORR_OK);
}

static void test_a_replay_gives_the_bits_of_the_ops_and_keeps_the_streams_priorities(void **state) {
  static float in[64 * 64], issued[64 * 64], replayed[64 * 64];
  kern *k = device();
  void *x, *graph = NULL;
  double ms;
  assert_int_equal(kern_alloc(k, KERN_DEVICE, 2 * sizeof in, "a test", &x), ORR_OK);
  assert_int_equal(step(k, x, in), ORR_OK); // plans
  assert_int_equal(kern_commit(k), ORR_OK);
  assert_true(k->can_capture);
  assert_int_equal(kern_mark(k, 0), ORR_OK);
  assert_int_equal(kern_capture_begin(k), ORR_OK);
  assert_int_equal(step(k, x, in), ORR_OK);
  assert_int_equal(kern_capture_end(k, &graph), ORR_OK);
  assert_int_equal(cuda_host_graph_flags(), NODE_PRIORITY);
  for (int round = 1; round < 3; round++) {
    for (int i = 0; i < 64 * 64; i++) in[i] = 1.0f / (float)(i % 97 + 3 * round);
    assert_int_equal(step(k, x, in), ORR_OK);
    read_result(k, x, issued);
    assert_int_equal(kern_fill(k, &(kern_fill_args){x, 2 * sizeof in}), ORR_OK);
    assert_int_equal(kern_replay(k, graph), ORR_OK);
    read_result(k, x, replayed);
    assert_memory_equal(issued, replayed, sizeof issued);
  }
  assert_int_equal(kern_elapsed(k, 0, 1, &ms), ORR_OK); // a mark of a graph is one of the outside
  assert_true(ms > 0.0);
  kern_graph_free(k, graph);
  kern_free(k, KERN_DEVICE, x);
  kern_destroy(k);
}

static void test_what_cuda_forbids_while_it_captures_ends_the_capture(void **state) {
  static float in[64 * 64];
  kern *k = device();
  void *x, *more, *graph;
  assert_int_equal(kern_alloc(k, KERN_DEVICE, 2 * sizeof in, "a test", &x), ORR_OK);
  assert_int_equal(kern_commit(k), ORR_OK);
  for (int what = 0; what < 3; what++) {
    assert_int_equal(kern_capture_begin(k), ORR_OK);
    if (what == 0) assert_int_equal(kern_alloc(k, KERN_DEVICE, 64, "a test", &more), ORR_EIO);
    if (what == 1) assert_int_equal(kern_sync(k), ORR_EIO);
    if (what == 2) { // a shape that was not planned wants more workspace than there is
      assert_int_equal(step(k, x, in), ORR_EUNSUPPORTED);
      SAYS("a shape met while a step is captured");
      assert_int_equal(kern_sync(k), ORR_EIO);
    }
    assert_int_equal(kern_capture_end(k, &graph), ORR_EIO);
    assert_null(graph);
  }
  kern_free(k, KERN_DEVICE, x);
  kern_destroy(k);
}

static void test_a_graph_that_finds_no_memory_says_so_and_ops_run_on(void **state) {
  const cuda_host_machine sound = cuda_host_here;
  static float in[64 * 64];
  kern *k = device();
  void *x, *graph;
  assert_int_equal(kern_alloc(k, KERN_DEVICE, 2 * sizeof in, "a test", &x), ORR_OK);
  assert_int_equal(step(k, x, in), ORR_OK);
  assert_int_equal(kern_commit(k), ORR_OK);
  assert_int_equal(kern_capture_begin(k), ORR_OK);
  assert_int_equal(step(k, x, in), ORR_OK);
  cuda_host_here.memory = 1024;
  assert_int_equal(kern_capture_end(k, &graph), ORR_ENOMEM);
  assert_null(graph);
  cuda_host_here = sound;
  assert_int_equal(step(k, x, in), ORR_OK);
  kern_free(k, KERN_DEVICE, x);
  kern_destroy(k);
}

// Which algorithm a 64 x 64 x 64 product gets, and its bits in `out` [64*64]. memory: of the
// device.
static library_algorithm algorithm_of(bool tune, size_t memory, float *out) {
  const cuda_host_machine sound = cuda_host_here;
  const kern_setup setup = {.device = KERN_DEVICE_CUDA, .node_ranks = 1, .tune = tune};
  float in[64 * 64];
  kern *k = NULL;
  void *x;
  orr_status_clear();
  assert_int_equal(kern_open(&setup, &k), ORR_OK);
  assert_int_equal(kern_alloc(k, KERN_DEVICE, 2 * sizeof in, "a test", &x), ORR_OK);
  const kern_matmul_fwd_args a = {
      .M = 64, .N = 64, .K = 64, .x = x, .w = x, .y = (float *)x + 64 * 64};
  cuda_host_here.memory = memory;
  assert_int_equal(kern_matmul_fwd(k, &a), ORR_OK);
  assert_string_equal(orr_status_message(), "");
  cuda_host_here = sound;
  assert_int_equal(kern_commit(k), ORR_OK);
  for (int i = 0; i < 64 * 64; i++) in[i] = 1.0f / (float)(i % 97 + 3);
  assert_int_equal(kern_copy(k, &(kern_copy_args){x, in, sizeof in, KERN_COPY_IN}), ORR_OK);
  assert_int_equal(kern_matmul_fwd(k, &a), ORR_OK);
  assert_int_equal(kern_copy(k, &(kern_copy_args){out, a.y, sizeof in, KERN_COPY_OUT}), ORR_OK);
  assert_int_equal(k->late_plans, 0);
  kern_free(k, KERN_DEVICE, x);
  kern_destroy(k);
  return (library_algorithm)library_blas_ran();
}

static void
test_a_trial_takes_the_fastest_of_the_algorithms_with_the_first_ones_bits(void **state) {
  static float first[64 * 64], tuned[64 * 64], short_of_memory[64 * 64];
  assert_int_equal(algorithm_of(false, 1 << 30, first), LIBRARY_FIRST);
  assert_int_equal(algorithm_of(true, 1 << 30, tuned), LIBRARY_FASTER);
  assert_memory_equal(first, tuned, sizeof first);
  // no room for the operands of a trial
  assert_int_equal(algorithm_of(true, 1 << 15, short_of_memory), LIBRARY_FIRST);
  assert_memory_equal(first, short_of_memory, sizeof first);
}

static void test_errors_of_cublaslt_name_the_product(void **state) {
  static const struct {
    library_fault fault;
    orr_code code;
    const char *words;
  } cases[] = {{LIBRARY_NO_PROPOSAL, ORR_EUNSUPPORTED, "find an algorithm"},
               {LIBRARY_NOT_SUPPORTED, ORR_EUNSUPPORTED, "find an algorithm"},
               {LIBRARY_NO_MEMORY, ORR_ENOMEM, "find an algorithm"}};
  float at[16] __attribute__((aligned(16))) = {0};
  const kern_matmul_fwd_args a = {
      .type = KERN_F32, .M = 1, .N = 4, .K = 4, .x = at, .w = at, .y = at};
  kern *k = device();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    library_blas_fail(cases[i].fault);
    assert_int_equal(kern_matmul_fwd(k, &a), cases[i].code);
    SAYS("cuBLASLt cannot", cases[i].words, "fp32 product of 1 x 4 x 4");
  }
  assert_int_equal(kern_matmul_fwd(k, &a), ORR_OK);
  assert_int_equal(kern_commit(k), ORR_OK);
  library_blas_fail(LIBRARY_NO_RUN);
  assert_int_equal(kern_matmul_fwd(k, &a), ORR_EUNSUPPORTED);
  SAYS("cuBLASLt cannot start", "1 x 4 x 4");
  kern_destroy(k);
}

// --- the machine ----------------------------------------------------------------------------

static void expect_no_device(const kern_setup *s, orr_code code, const char *const *parts) {
  kern *k = NULL;
  assert_int_equal(kern_open(s, &k), code);
  assert_null(k);
  expect_message(parts);
}
#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_a_machine_that_cannot_says_why_and_auto_takes_the_cpu(void **state) {
  const cuda_host_machine sound = cuda_host_here;
  static const struct {
    cuda_host_machine here;
    library_fault blas;
    const char *words[3];
  } cases[] = {
      {{0, 1, 9, 0, 1 << 30}, LIBRARY_SOUND, {"no NVIDIA driver", "run.device cpu"}},
      {{12040, 1, 9, 0, 1 << 30}, LIBRARY_SOUND, {"supports CUDA 12.4", "wants 13.0", "update"}},
      {{13000, 0, 9, 0, 1 << 30}, LIBRARY_SOUND, {"shows no GPU", "CUDA_VISIBLE_DEVICES"}},
      {{13000, 1, 7, 5, 1 << 30}, LIBRARY_SOUND, {"compute capability 7.5", "bfloat16"}},
      {{13000, 1, 9, 0, 1 << 30}, LIBRARY_ABSENT, {"libcublasLt.so does not open"}},
      {{13000, 1, 9, 0, 1 << 30}, LIBRARY_NO_START, {"cuBLASLt does not start"}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kern *k = NULL;
    const char *parts[] = {cases[i].words[0], cases[i].words[1],
                           cases[i].words[1] ? cases[i].words[2] : NULL, NULL};
    cuda_host_here = cases[i].here;
    library_blas_fail(cases[i].blas);
    expect_no_device(&(kern_setup){.device = KERN_DEVICE_CUDA, .node_ranks = 1}, ORR_EUNSUPPORTED,
                     parts);
    library_blas_fail(cases[i].blas);
    assert_int_equal(kern_create(KERN_DEVICE_AUTO, 1, &k), ORR_OK);
    assert_string_equal(k->table->name, "cpu");
    assert_non_null(strstr(k->why_cpu, cases[i].words[0]));
    kern_destroy(k);
  }
  cuda_host_here = sound;
}

static void test_each_rank_takes_a_device_of_its_own(void **state) {
  const cuda_host_machine sound = cuda_host_here;
  cuda_host_here.devices = 2;
  kern_setup s = {.device = KERN_DEVICE_CUDA, .node_rank = 1, .node_ranks = 2};
  kern *k = NULL;
  assert_int_equal(kern_open(&s, &k), ORR_OK);
  kern_destroy(k);
  s.node_ranks = 3;
  expect_no_device(
      &s, ORR_EINVAL,
      PARTS("3 ranks run on this machine", "shows 2 GPUs", "one rank a GPU", "dist.share_devices"));
  s.device = KERN_DEVICE_AUTO; // no choice either: a rank less on the GPU is no fall-back
  expect_no_device(&s, ORR_EINVAL, PARTS("3 ranks run on this machine"));
  s.share_devices = true;
  s.node_rank = 2;
  assert_int_equal(kern_open(&s, &k), ORR_OK);
  kern_destroy(k);
  cuda_host_here = sound;
}

static void test_lack_of_memory_says_for_what_how_much_and_what_helps(void **state) {
  const cuda_host_machine sound = cuda_host_here;
  kern *k = device();
  orr_arena arena;
  cuda_host_here.memory = 3 << 20;
  kern_arena_init(k, &arena, "activations");
  orr_arena_take(&arena, 5 << 20);
  assert_int_equal(orr_arena_commit(&arena), ORR_ENOMEM);
  SAYS("activations", "5.0 MiB", "3.0 of 3.0 MiB are free", "train.batch", "train.recompute");
  void *p;
  assert_int_equal(kern_alloc(k, KERN_PINNED, 5 << 20, "staging", &p), ORR_ENOMEM);
  SAYS("staging", "5.0 MiB", "page-locked", "ulimit -l");
  cuda_host_here = sound;
  kern_destroy(k);
}

static void test_memory_begins_as_zeros_and_copies_go_all_ways(void **state) {
  kern *k = device();
  void *a, *b;
  unsigned char in[64], out[64];
  for (int i = 0; i < 64; i++) in[i] = (unsigned char)(i + 1);
  assert_int_equal(kern_alloc(k, KERN_DEVICE, 64, "a", &a), ORR_OK);
  assert_int_equal(kern_alloc(k, KERN_DEVICE, 64, "b", &b), ORR_OK);
  assert_int_equal(kern_commit(k), ORR_OK);
  const kern_copy_rows_args rows = {.dst = b,
                                    .src = a,
                                    .dst_pitch = 16,
                                    .src_pitch = 8,
                                    .width = 8,
                                    .rows = 4,
                                    .way = KERN_COPY_WITHIN};
  assert_int_equal(kern_copy(k, &(kern_copy_args){a, in, 64, KERN_COPY_IN}), ORR_OK);
  assert_int_equal(kern_copy_rows(k, &rows), ORR_OK);
  assert_int_equal(kern_copy(k, &(kern_copy_args){out, b, 64, KERN_COPY_OUT}), ORR_OK);
  assert_int_equal(kern_mark(k, 3), ORR_OK);
  assert_int_equal(kern_await(k, 3), ORR_OK);
  for (int i = 0; i < 64; i++) assert_int_equal(out[i], i % 16 < 8 ? in[i / 16 * 8 + i % 16] : 0);
  assert_int_equal(kern_fill(k, &(kern_fill_args){b, 64}), ORR_OK);
  assert_int_equal(kern_copy(k, &(kern_copy_args){out, b, 64, KERN_COPY_OUT}), ORR_OK);
  assert_int_equal(kern_sync(k), ORR_OK);
  for (int i = 0; i < 64; i++) assert_int_equal(out[i], 0);
  assert_int_equal(kern_mark(k, KERN_MARKS), ORR_EINVAL);
  assert_non_null(kern_stream(k));
  kern_free(k, KERN_DEVICE, a);
  kern_free(k, KERN_DEVICE, b);
  kern_destroy(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_product_is_planned_once_and_serves_both_ways_of_writing),
      cmocka_unit_test(test_a_trial_takes_the_fastest_of_the_algorithms_with_the_first_ones_bits),
      cmocka_unit_test(test_a_replay_gives_the_bits_of_the_ops_and_keeps_the_streams_priorities),
      cmocka_unit_test(test_a_graph_that_finds_no_memory_says_so_and_ops_run_on),
      cmocka_unit_test(test_what_cuda_forbids_while_it_captures_ends_the_capture),
      cmocka_unit_test(test_errors_of_cublaslt_name_the_product),
      cmocka_unit_test(test_a_machine_that_cannot_says_why_and_auto_takes_the_cpu),
      cmocka_unit_test(test_each_rank_takes_a_device_of_its_own),
      cmocka_unit_test(test_lack_of_memory_says_for_what_how_much_and_what_helps),
      cmocka_unit_test(test_memory_begins_as_zeros_and_copies_go_all_ways),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
