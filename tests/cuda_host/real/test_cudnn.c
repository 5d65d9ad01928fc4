// labels: full
// NVIDIA's libraries themselves, where they are installed: they open with every function that the
// backend calls, and cuDNN finds a reproducible engine for the attention of training on the devices
// that the build is for, compiling it to the end, without such a device (driver.c stands in for the
// driver, and tells the names of the kernels).
#define _GNU_SOURCE // strsep
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/cuda/sdpa_graph.h"

static cuda_dnn_node describe(cuda_dnn_graph *g, int sm, int sms, int shared_max) {
  char text[1024];
  snprintf(text, sizeof text,
           "{\"maxGridSize\": [2147483647, 65535, 65535], \"maxBlockSize\": [1024, 1024, 64], "
           "\"regsPerBlock\": 65536, \"multiProcessorCount\": %d, \"warpSize\": 32, "
           "\"maxSharedMemoryPerBlock\": 49152, \"maxSharedMemoryPerBlockOptin\": %d, "
           "\"reservedSharedMemoryPerBlock\": 1024, \"maxRegistersPerSM\": 65536, "
           "\"maxCtasPerSM\": 32, \"maxThreadsPerBlock\": 1024, \"maxThreadsPerSM\": 2048, "
           "\"pciDeviceId\": 0, \"isTccDriver\": 0, \"supportCoopLaunch\": 1, "
           "\"totalGlobalMem\": 85028765696, \"smClockRateKHz\": 1980000, "
           "\"memClockRateKHz\": 2619000, \"l2CacheSize\": 52428800, \"cudaDeviceId\": 0, "
           "\"deviceVer\": %d, \"driverVer\": 13000, \"deviceName\": \"a test\"}",
           sms, shared_max, 10 * sm);
  cuda_dnn_node node = cuda_dnn_make(g, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  cuda_dnn_set(g, node, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
               (int64_t)strlen(text), text);
  cuda_dnn_finish(g, node);
  return node;
}

// Sequences as training lays them out: q and k in one matrix, v in another; frames, or with
// `across` tokens a frame the time blocks' sequences across them.
typedef struct {
  const char *name;
  int64_t seqs, L, H, G, K, across;
  const char *b200; // its forward kernel there, where that is none of B200's own
} shape;

static cuda_sdpa_shape frames(const shape *f, bool backward) {
  const int64_t L = f->L, H = f->H, G = f->G, K = f->K;
  const int64_t seq = f->across ? 1 : L, pos = f->across ? f->across : 1;
  const int64_t ld[] = {(H + G) * K, (H + 2 * G) * K, H * K};
  const cuda_sdpa_strides qk = {seq * ld[0], pos * ld[0]}, qkv = {seq * ld[1], pos * ld[1]};
  const cuda_sdpa_strides o = {seq * ld[2], pos * ld[2]};
  cuda_sdpa_shape s = {.seqs = f->seqs,
                       .L = L,
                       .H = H,
                       .G = G,
                       .K = K,
                       .q = qk,
                       .k = qk,
                       .v = qkv,
                       .o = o,
                       .causal = f->across > 0,
                       .backward = backward,
                       .lse = true};
  if (backward) {
    s.dq = s.dk = qk;
    s.dv = qkv;
  }
  return s;
}

typedef struct {
  int sm, sms, shared_max;
  const char *kernel[2]; // what the names of its kernels contain, forward and backward
} device;

// What plans have asked the driver for, one kernel a line.
static char *kernels(void) {
  void *driver = dlopen("libcuda.so.1", RTLD_NOW);
  assert_non_null(driver);
  char *names = dlsym(driver, "driver_kernels");
  assert_non_null(names);
  return names;
}

static orr_code plan(const cuda_dnn_library *dnn, const device *d, const cuda_sdpa_shape *s,
                     int64_t *workspace) {
  cuda_dnn_node found = NULL;
  cuda_dnn_graph g = {.dnn = dnn};
  cuda_dnn_choice choice;
  const bool chosen =
      s->backward && cuda_sdpa_graph_bwd_choice(d->sm, dnn->cudnnGetVersion(), &choice);
  g.properties = describe(&g, d->sm, d->sms, d->shared_max);
  if (g.rc != ORR_OK) fail_msg("a described device: %s", orr_status_message());
  if (s->backward)
    cuda_sdpa_graph_bwd(&g, s);
  else
    cuda_sdpa_graph_fwd(&g, s);
  orr_code rc =
      g.rc == ORR_OK ? cuda_dnn_plan(&g, chosen ? &choice : NULL, &found, workspace) : g.rc;
  cuda_dnn_release(&g);
  if (found) dnn->cudnnBackendDestroyDescriptor(found);
  return rc;
}

static void open_or_skip(cuda_dnn_library *dnn) {
  *dnn = (cuda_dnn_library){0};
  if (cuda_dnn_library_open(dnn) == ORR_OK) return;
  print_message("skipped: %s\n", orr_status_message());
  skip();
}

// A library that falls back to a kernel of older devices is slow, and says nothing.
static void expect_kernels(const device *d, const shape *f, bool backward) {
  char names[4096];
  const char *wanted = d->sm == 100 && !backward && f->b200 ? f->b200 : d->kernel[backward];
  int n = 0;
  snprintf(names, sizeof names, "%s", kernels());
  for (char *rest = names, *name; (name = strsep(&rest, "\n")) && *name; n++)
    if (!strstr(name, wanted))
      fail_msg("%s on sm_%d: kernel %s, wanted one of %s", f->name, d->sm, name, wanted);
  // on B200 dk and dv are one kernel's result and dq another's: no block adds to what others do
  assert_int_equal(n, backward && d->sm == 100 ? 2 : 1);
}

static void expect_plans(const cuda_dnn_library *dnn, const device *d, const shape *f) {
  for (int backward = 0; backward < 2; backward++) {
    const cuda_sdpa_shape s = frames(f, backward);
    int64_t workspace = 0;
    *kernels() = '\0';
    if (plan(dnn, d, &s, &workspace) != ORR_OK)
      fail_msg("%s on sm_%d, %s: %s", f->name, d->sm, backward ? "backward" : "forward",
               orr_status_message());
    expect_kernels(d, f, backward);
    // where one kernel makes all three gradients, it keeps the scores for dq instead of adding to
    // dq from many blocks
    if (backward && d->sm < 100) assert_true(workspace >= s.seqs * s.H * s.L * s.L * 2);
  }
}

static const device a100 = {80, 108, 166912, {"sm80_flash_fprop", "sm80_flash_bprop"}};
static const device h100 = {90, 132, 232448, {"sm90_flash_fprop_wgmma", "sm90_flash_bprop_wgmma"}};
static const device b200 = {100, 148, 232448, {"sm100_flash_fprop", "sm100_flash_bprop"}};

static void test_every_presets_frames_get_the_kernels_of_their_device(void **state) {
  static const shape shapes[] = {
      // up to 128 positions cuDNN puts Ampere's kernel first on B200, its own fourth
      {"preset small", 128, 68, 4, 4, 64, .b200 = "sm80_flash_fprop"},
      {"preset 1b", 16, 288, 30, 3, 64, 0, NULL}, // of 64 frames, as the backward pass takes them
      {"1.6 B", 16, 290, 30, 30, 64, 0, NULL},
  };
  cuda_dnn_library dnn;
  open_or_skip(&dnn);
  assert_int_equal(dnn.cudnnGetCudartVersion() / 1000, CUBLAS_VER_MAJOR);
  assert_non_null(dnn.compiler);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    expect_plans(&dnn, &h100, &shapes[i]);
    expect_plans(&dnn, &b200, &shapes[i]);
  }
  expect_plans(&dnn, &a100, &shapes[1]);
  cuda_dnn_library_close(&dnn);
}

// run.attention: cudnn. The presets' time blocks are shorter (16 and 64 frames); these are what the
// same models have at 128 and 192 frames.
static void test_long_time_blocks_get_the_kernels_of_their_device(void **state) {
  static const shape shapes[] = {
      {"preset small, 128 frames", 68, 128, 4, 4, 64, 68, "sm80_flash_fprop"},
      {"preset 1b, 192 frames", 72, 192, 30, 3, 64, 288, NULL}};
  cuda_dnn_library dnn;
  open_or_skip(&dnn);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    expect_plans(&dnn, &h100, &shapes[i]);
    expect_plans(&dnn, &b200, &shapes[i]);
  }
  cuda_dnn_library_close(&dnn);
}

// tests/gpu/suite.sh and tests/kernels/cuda/test_attention.c, which a first hour on a card runs.
static void test_the_suites_frames_get_the_kernels_of_their_device(void **state) {
  static const shape shapes[] = {{"suite.sh", 8, 40, 2, 2, 64, 0, NULL},
                                 {"test_attention", 2, 64, 4, 1, 24, 0, NULL}};
  cuda_dnn_library dnn;
  open_or_skip(&dnn);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) expect_plans(&dnn, &h100, &shapes[i]);
  cuda_dnn_library_close(&dnn);
}

static void test_a_head_width_that_cudnn_does_not_take_is_refused_in_words(void **state) {
  cuda_dnn_library dnn;
  const cuda_sdpa_shape s = frames(&(shape){"odd", 4, 261, 8, 2, 36, 0, NULL}, false);
  int64_t workspace = 0;
  open_or_skip(&dnn);
  assert_int_equal(plan(&dnn, &h100, &s, &workspace), ORR_EUNSUPPORTED);
  assert_non_null(strstr(orr_status_message(), "cuDNN cannot"));
  cuda_dnn_library_close(&dnn);
}

static void test_cublaslt_opens_with_every_function(void **state) {
  cuda_blas_library lt = {0};
  if (cuda_blas_library_open(&lt) != ORR_OK) {
    print_message("skipped: %s\n", orr_status_message());
    skip();
  }
  assert_int_equal(lt.cublasLtGetVersion() / 10000, CUBLAS_VER_MAJOR);
  cuda_blas_library_close(&lt);
  cuda_blas_library_close(&lt);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_presets_frames_get_the_kernels_of_their_device),
      cmocka_unit_test(test_long_time_blocks_get_the_kernels_of_their_device),
      cmocka_unit_test(test_the_suites_frames_get_the_kernels_of_their_device),
      cmocka_unit_test(test_a_head_width_that_cudnn_does_not_take_is_refused_in_words),
      cmocka_unit_test(test_cublaslt_opens_with_every_function),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
