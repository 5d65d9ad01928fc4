// labels: full
// NVIDIA's libraries themselves, where they are installed: they open with every function that the
// backend calls, and cuDNN finds a reproducible engine for the attention of training on the devices
// that the build is for, compiling it to the end, without such a device (driver.c stands in for the
// driver).
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

static cuda_sdpa_shape frames(int64_t K, bool backward) { // 256 codes, an action, 4 registers
  const int64_t seqs = 4, L = 261, H = 8, G = 2;
  const cuda_sdpa_strides qk = {L * (H + G) * K, (H + G) * K};
  const cuda_sdpa_strides qkv = {L * (H + 2 * G) * K, (H + 2 * G) * K}, o = {L * H * K, H * K};
  cuda_sdpa_shape s = {.seqs = seqs,
                       .L = L,
                       .H = H,
                       .G = G,
                       .K = K,
                       .q = qk,
                       .k = qk,
                       .v = qkv,
                       .o = o,
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
} device;

static orr_code plan(const cuda_dnn_library *dnn, const device *d, const cuda_sdpa_shape *s,
                     int64_t *workspace) {
  cuda_dnn_node found = NULL;
  cuda_dnn_graph g = {.dnn = dnn};
  g.properties = describe(&g, d->sm, d->sms, d->shared_max);
  if (g.rc != ORR_OK) fail_msg("a described device: %s", orr_status_message());
  if (s->backward)
    cuda_sdpa_graph_bwd(&g, s);
  else
    cuda_sdpa_graph_fwd(&g, s);
  orr_code rc = g.rc == ORR_OK ? cuda_dnn_plan(&g, &found, workspace) : g.rc;
  cuda_dnn_release(&g);
  if (found) dnn->cudnnBackendDestroyDescriptor(found);
  return rc;
}

static void test_cudnn_has_reproducible_engines_for_a100_h100_and_b200(void **state) {
  static const device devices[] = {{80, 108, 166912}, {90, 132, 232448}, {100, 148, 232448}};
  cuda_dnn_library dnn = {0};
  if (cuda_dnn_library_open(&dnn) != ORR_OK) {
    print_message("skipped: %s\n", orr_status_message());
    skip();
  }
  assert_int_equal(dnn.cudnnGetCudartVersion() / 1000, CUBLAS_VER_MAJOR);
  assert_non_null(dnn.compiler);
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
    for (int backward = 0; backward < 2; backward++) {
      const cuda_sdpa_shape s = frames(64, backward);
      int64_t workspace = 0;
      if (plan(&dnn, &devices[i], &s, &workspace) != ORR_OK)
        fail_msg("sm_%d %s: %s", devices[i].sm, backward ? "backward" : "forward",
                 orr_status_message());
      // the variant that adds to dq from many blocks would not keep the scores
      if (backward) assert_true(workspace >= s.seqs * s.H * s.L * s.L * 2);
    }
  cuda_dnn_library_close(&dnn);
}

static void test_a_head_width_that_cudnn_does_not_take_is_refused_in_words(void **state) {
  cuda_dnn_library dnn = {0};
  const cuda_sdpa_shape s = frames(36, false);
  int64_t workspace = 0;
  if (cuda_dnn_library_open(&dnn) != ORR_OK) skip();
  assert_int_equal(plan(&dnn, &(device){90, 132, 232448}, &s, &workspace), ORR_EUNSUPPORTED);
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
      cmocka_unit_test(test_cudnn_has_reproducible_engines_for_a100_h100_and_b200),
      cmocka_unit_test(test_a_head_width_that_cudnn_does_not_take_is_refused_in_words),
      cmocka_unit_test(test_cublaslt_opens_with_every_function),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
