// labels: quick
// Who computes an attention: which sequences cuDNN is given, by which engine, in how many runs, and
// what serves where it does not.
#include "tests/kernels/cuda/played.h"

enum { B = 2, T = 3, N = 32, H = 2, K = 16, ROWS = B * T * N, LD = 3 * H * K };

typedef struct {
  void *qkv, *o, *d, *lse;
} tensors;

static tensors take(kern *k) {
  tensors t;
  assert_int_equal(kern_alloc(k, KERN_DEVICE, (ROWS + 1) * LD * 4, "q, k, v", &t.qkv), ORR_OK);
  assert_int_equal(kern_alloc(k, KERN_DEVICE, (ROWS + 1) * LD * 4, "o", &t.o), ORR_OK);
  assert_int_equal(kern_alloc(k, KERN_DEVICE, (ROWS + 1) * LD * 4, "their gradients", &t.d),
                   ORR_OK);
  assert_int_equal(kern_alloc(k, KERN_DEVICE, ROWS * H * 4, "lse", &t.lse), ORR_OK);
  return t;
}

static void give_back(kern *k, const tensors *t) {
  kern_free(k, KERN_DEVICE, t->qkv);
  kern_free(k, KERN_DEVICE, t->o);
  kern_free(k, KERN_DEVICE, t->d);
  kern_free(k, KERN_DEVICE, t->lse);
}

static kern_attention_fwd_args frames(const tensors *t, kern_dtype type) {
  const size_t e = kern_dtype_size(type);
  return (kern_attention_fwd_args){
      .type = type,
      .seq = {.seqs = B * T, .L = N, .inner = 1, .outer_stride = N, .pos_stride = 1},
      .H = H,
      .G = H,
      .K = K,
      .q = t->qkv,
      .k = (char *)t->qkv + H * K * e,
      .v = (char *)t->qkv + 2 * H * K * e,
      .ldq = LD,
      .ldk = LD,
      .ldv = LD,
      .ldo = H * K,
      .o = t->o};
}

// Plans and runs it; how often cuDNN ran.
static int64_t runs_with(kern_attention attention,
                         kern_attention_fwd_args (*change)(kern_attention_fwd_args),
                         kern_dtype type) {
  const kern_setup setup = {.device = KERN_DEVICE_CUDA, .node_ranks = 1, .attention = attention};
  kern *k = NULL;
  assert_int_equal(kern_open(&setup, &k), ORR_OK);
  const tensors t = take(k);
  kern_attention_fwd_args a = frames(&t, type);
  if (change) a = change(a);
  library_dnn_calls();
  assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
  assert_int_equal(kern_commit(k), ORR_OK);
  const int64_t proposals = library_dnn_calls().proposals;
  assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
  assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
  const library_calls calls = library_dnn_calls();
  assert_int_equal(calls.proposals, 0);
  assert_int_equal(k->late_plans, 0);
  assert_int_equal(proposals, calls.runs > 0);
  give_back(k, &t);
  kern_destroy(k);
  assert_int_equal(library_dnn_descriptors(), 0);
  return calls.runs / 2;
}

static int64_t runs_of(kern_attention_fwd_args (*change)(kern_attention_fwd_args),
                       kern_dtype type) {
  return runs_with(KERN_ATTENTION_AUTO, change, type);
}

static kern_attention_fwd_args causal(kern_attention_fwd_args a) {
  a.seq.causal = true;
  return a;
}
static kern_attention_fwd_args unaligned(kern_attention_fwd_args a) {
  a.q = (const char *)a.q + 2;
  return a;
}
static kern_attention_fwd_args short_ones(kern_attention_fwd_args a) {
  a.seq.L = N - 1;
  return a;
}
static kern_attention_fwd_args odd_width(kern_attention_fwd_args a) {
  a.K = K - 4;
  return a;
}
// The same frames, counted in two levels with one stride; then in two levels with two.
static kern_attention_fwd_args two_levels(kern_attention_fwd_args a) {
  a.seq.inner = T;
  a.seq.outer_stride = T * N;
  a.seq.inner_stride = N;
  return a;
}
static kern_attention_fwd_args every_other(kern_attention_fwd_args a) {
  a = two_levels(a);
  a.seq.inner = T - 1; // the last frame of each clip is left out
  a.seq.seqs = B * (T - 1);
  return a;
}

static void test_cudnn_takes_unmasked_bf16_sequences_and_nothing_else(void **state) {
  assert_int_equal(runs_of(NULL, KERN_BF16), 1);
  assert_int_equal(runs_of(NULL, KERN_F32), 0);
  assert_int_equal(runs_of(causal, KERN_BF16), 0);
  assert_int_equal(runs_of(unaligned, KERN_BF16), 0);
  assert_int_equal(runs_of(short_ones, KERN_BF16), 0);
  assert_int_equal(runs_of(odd_width, KERN_BF16), 0);
}

// All rows as one causal sequence, which is long enough; then with a window that hides some of it.
static kern_attention_fwd_args long_causal(kern_attention_fwd_args a) {
  a.seq = (kern_sequences){
      .seqs = 1, .L = ROWS, .inner = 1, .outer_stride = ROWS, .pos_stride = 1, .causal = true};
  return a;
}
static kern_attention_fwd_args windowed(kern_attention_fwd_args a) {
  a = long_causal(a);
  a.seq.window = ROWS - 1;
  return a;
}
static kern_attention_fwd_args wide_window(kern_attention_fwd_args a) {
  a = long_causal(a);
  a.seq.window = ROWS;
  return a;
}

static void test_long_causal_sequences_go_to_cudnn_where_the_setup_asks(void **state) {
  assert_true(ROWS >= 128);
  assert_int_equal(runs_of(long_causal, KERN_BF16), 0);
  assert_int_equal(runs_with(KERN_ATTENTION_LIBRARY, long_causal, KERN_BF16), 1);
  assert_int_equal(runs_with(KERN_ATTENTION_LIBRARY, wide_window, KERN_BF16), 1);
  assert_int_equal(runs_with(KERN_ATTENTION_LIBRARY, windowed, KERN_BF16), 0);
  assert_int_equal(runs_with(KERN_ATTENTION_LIBRARY, long_causal, KERN_F32), 0);
  assert_int_equal(runs_with(KERN_ATTENTION_LIBRARY, causal, KERN_BF16), 0); // short
  assert_int_equal(runs_with(KERN_ATTENTION_OWN, long_causal, KERN_BF16), 0);
}

static void test_sequences_in_two_levels_run_once_for_each_of_the_outer(void **state) {
  assert_int_equal(runs_of(two_levels, KERN_BF16), 1);
  assert_int_equal(runs_of(every_other, KERN_BF16), B);
}

static void test_without_cudnn_own_kernels_compute(void **state) {
  static const library_fault faults[] = {LIBRARY_ABSENT, LIBRARY_NO_START, LIBRARY_NO_PROPOSAL,
                                         LIBRARY_NOT_SUPPORTED};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    library_dnn_fail(faults[i]);
    kern *k = device();
    const tensors t = take(k);
    const kern_attention_fwd_args a = frames(&t, KERN_BF16);
    assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
    assert_int_equal(kern_commit(k), ORR_OK);
    library_dnn_calls();
    assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
    assert_int_equal(library_dnn_calls().runs, 0);
    assert_int_equal(k->late_plans, 0);
    assert_string_equal(orr_status_message(), "");
    const bool opened = faults[i] != LIBRARY_ABSENT && faults[i] != LIBRARY_NO_START;
    assert_non_null(strstr(kern_bf16_reason(k), opened ? "cuDNN 9." : "own kernels alone"));
    give_back(k, &t);
    kern_destroy(k);
    assert_int_equal(library_dnn_descriptors(), 0);
  }
}

// What a cuDNN of another version, another CUDA or without its compiler says, and that nothing of
// it runs.
static void test_a_cudnn_that_does_not_serve_is_named_and_left_alone(void **state) {
  const library_dnn_install sound = library_dnn_here;
  static const struct {
    library_dnn_install here;
    bool taken; // up to its plans
    const char *words;
  } cases[] = {
      {{91500, 13000, true}, false, "cuDNN 9.15.0 is older than 9.15.1"},
      {{91900, 12090, true}, false, "is the build for CUDA 12, wanted 13"},
      {{91900, 13000, false}, true, "libnvrtc, which cuDNN compiles with, does not open"},
      {{91501, 13000, true}, true, "cuDNN 9.15.1"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    library_dnn_here = cases[i].here;
    kern *k = device();
    const tensors t = take(k);
    const kern_attention_fwd_args a = frames(&t, KERN_BF16);
    assert_string_equal(kern_attention_by(k, false, false),
                        cases[i].taken ? "" : kern_attention_by(k, false, true));
    assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
    assert_int_equal(kern_commit(k), ORR_OK);
    library_dnn_calls();
    assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
    const bool serves = i == 3;
    assert_int_equal(library_dnn_calls().runs, serves);
    assert_non_null(strstr(kern_attention_by(k, false, false), cases[i].words));
    assert_int_equal(strstr(kern_attention_by(k, false, false), "own kernels") == NULL, serves);
    if (!cases[i].taken) assert_non_null(strstr(kern_bf16_reason(k), cases[i].words));
    give_back(k, &t);
    kern_destroy(k);
  }
  library_dnn_here = sound;
}

static kern_attention_bwd_args back(const tensors *t, const kern_attention_fwd_args *f) {
  return (kern_attention_bwd_args){.type = f->type,
                                   .seq = f->seq,
                                   .H = f->H,
                                   .G = f->G,
                                   .K = f->K,
                                   .q = f->q,
                                   .k = f->k,
                                   .v = f->v,
                                   .o = f->o,
                                   .do_ = f->o,
                                   .ldq = LD,
                                   .ldk = LD,
                                   .ldv = LD,
                                   .ldo = H * K,
                                   .dq = t->d,
                                   .dk = (char *)t->d + H * K * 2,
                                   .dv = (char *)t->d + 2 * H * K * 2,
                                   .lddq = LD,
                                   .lddk = LD,
                                   .lddv = LD,
                                   .lse = f->lse};
}

// Its own first proposal there is a kernel of older devices.
static void test_blackwell_gets_the_engine_of_its_own_for_the_backward_pass(void **state) {
  const library_dnn_install installed = library_dnn_here;
  const cuda_host_machine sound = cuda_host_here;
  static const struct {
    int major, minor;
    size_t version;
    int64_t engine;
  } cases[] = {{9, 0, 91900, 0},  {10, 0, 91900, 5}, {10, 3, 91900, 5},
               {10, 0, 92300, 5}, {10, 0, 91700, 0}, {12, 0, 91900, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cuda_host_here.major = cases[i].major;
    cuda_host_here.minor = cases[i].minor;
    library_dnn_here.version = cases[i].version;
    kern *k = device();
    const tensors t = take(k);
    kern_attention_fwd_args f = frames(&t, KERN_BF16);
    f.lse = t.lse;
    const kern_attention_bwd_args b = back(&t, &f);
    assert_int_equal(kern_attention_bwd(k, &b), ORR_OK);
    assert_int_equal(kern_commit(k), ORR_OK);
    library_dnn_calls();
    assert_int_equal(kern_attention_bwd(k, &b), ORR_OK);
    assert_true(library_dnn_calls().runs > 0);
    assert_int_equal(library_dnn_engine(), cases[i].engine);
    give_back(k, &t);
    kern_destroy(k);
    assert_int_equal(library_dnn_descriptors(), 0);
  }
  library_dnn_here = installed;
  cuda_host_here = sound;
}

static void test_cudnn_can_be_left_out(void **state) {
  const kern_setup setup = {
      .device = KERN_DEVICE_CUDA, .node_ranks = 1, .attention = KERN_ATTENTION_OWN};
  kern *k = NULL;
  assert_int_equal(kern_open(&setup, &k), ORR_OK);
  const tensors t = take(k);
  const kern_attention_fwd_args a = frames(&t, KERN_BF16);
  library_dnn_calls();
  assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
  assert_int_equal(kern_commit(k), ORR_OK);
  assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
  const library_calls calls = library_dnn_calls();
  assert_int_equal(calls.proposals + calls.runs, 0);
  assert_non_null(strstr(kern_bf16_reason(k), "own kernels alone"));
  give_back(k, &t);
  kern_destroy(k);
}

static void test_errors_of_cudnn_are_passed_on(void **state) {
  kern *k = device();
  const tensors t = take(k);
  const kern_attention_fwd_args a = frames(&t, KERN_BF16);
  library_dnn_fail(LIBRARY_NO_MEMORY);
  assert_int_equal(kern_attention_fwd(k, &a), ORR_ENOMEM);
  SAYS("cuDNN cannot propose engines");
  assert_int_equal(kern_attention_fwd(k, &a), ORR_OK);
  assert_int_equal(kern_commit(k), ORR_OK);
  library_dnn_fail(LIBRARY_NO_RUN);
  assert_int_equal(kern_attention_fwd(k, &a), ORR_EIO);
  SAYS("cuDNN cannot run an attention of 6 sequences of 32 positions");
  give_back(k, &t);
  kern_destroy(k);
  assert_int_equal(library_dnn_descriptors(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cudnn_takes_unmasked_bf16_sequences_and_nothing_else),
      cmocka_unit_test(test_long_causal_sequences_go_to_cudnn_where_the_setup_asks),
      cmocka_unit_test(test_sequences_in_two_levels_run_once_for_each_of_the_outer),
      cmocka_unit_test(test_without_cudnn_own_kernels_compute),
      cmocka_unit_test(test_a_cudnn_that_does_not_serve_is_named_and_left_alone),
      cmocka_unit_test(test_blackwell_gets_the_engine_of_its_own_for_the_backward_pass),
      cmocka_unit_test(test_cudnn_can_be_left_out),
      cmocka_unit_test(test_errors_of_cudnn_are_passed_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
