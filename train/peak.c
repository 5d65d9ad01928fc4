#include "train/peak.h"

#include "base/clock.h"
#include "base/mem.h"

enum { PEAK_M = 2048, PEAK_N = 1024, PEAK_K = 1024, PEAK_REPEATS = 4 };

static kern_matmul_fwd_args probe(kern_dtype type, const void *x, const void *w, void *y) {
  return (kern_matmul_fwd_args){
      .type = type, .y_type = type, .M = PEAK_M, .N = PEAK_N, .K = PEAK_K, .x = x, .w = w, .y = y};
}

orr_code train_peak_plan(kern *k, kern_dtype type) {
  static const float nothing[16];
  kern_matmul_fwd_args a = probe(type, nothing, nothing, (void *)(uintptr_t)nothing);
  return kern_matmul_fwd(k, &a);
}

orr_code train_peak_measure(kern *k, kern_dtype type, double *flops_per_s) {
  const size_t e = kern_dtype_size(type), x = (size_t)PEAK_M * PEAK_K, w = (size_t)PEAK_N * PEAK_K;
  unsigned char *block = orr_malloc_aligned((x + w + (size_t)PEAK_M * PEAK_N) * e, 64);
  ORR_CHECK(block, ORR_ENOMEM, "matmul probe: out of memory");
  for (size_t i = 0; i < (x + w) * e; i++) block[i] = 0;
  kern_matmul_fwd_args a = probe(type, block, block + x * e, block + (x + w) * e);
  double best = 0.0;
  orr_code rc = ORR_OK;
  for (int i = 0; i < PEAK_REPEATS && rc == ORR_OK; i++) {
    double begin = orr_clock_ms();
    rc = kern_matmul_fwd(k, &a);
    double rate = 2.0 * PEAK_M * PEAK_N * PEAK_K / (1e-3 * (orr_clock_ms() - begin));
    if (rate > best) best = rate;
  }
  orr_free(block);
  *flops_per_s = best;
  return rc;
}
