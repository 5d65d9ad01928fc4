#include "train/step/peak.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/rng.h"
#include "kernels/bf16.h"
#include "train/timing/marks.h"
#include "train/step/upload.h"

// At least two tries, the first of which finds cold memory; all four only where they are over at
// once. A short run would otherwise spend more time on this product than on its steps.
enum { TRIES_LEAST = 2, TRIES_MOST = 4, ENOUGH_MS = 20, ROWS_A_THREAD = 1024, ROWS_MOST = 2048 };

typedef struct {
  int64_t M, N, K;
} peak_shape;

// Large enough to fill the machine, small enough to be over in milliseconds. A device that is not
// in our table may be a slow one (the host plays one in tests): a small product then.
static peak_shape shape_of(const kern *k) {
  if (!k->device_memory) {
    const int64_t rows = (int64_t)ROWS_A_THREAD * k->threads;
    return (peak_shape){rows < ROWS_MOST ? rows : ROWS_MOST, 1024, 1024};
  }
  return train_peak_data_sheet(k, KERN_BF16) > 0.0 ? (peak_shape){8192, 4096, 4096}
                                                   : (peak_shape){256, 128, 128};
}

static orr_code run_probe(kern *k, kern_dtype type, const void *x, const void *w, void *y) {
  const peak_shape s = shape_of(k);
  return kern_matmul_fwd(
      k, &(kern_matmul_fwd_args){
             .type = type, .y_type = type, .M = s.M, .N = s.N, .K = s.K, .x = x, .w = w, .y = y});
}

orr_code train_peak_plan(kern *k, kern_dtype type) {
  static const float nothing[16];
  return run_probe(k, type, nothing, nothing, (void *)(uintptr_t)nothing);
}

// A device multiplies zeros faster than numbers: it draws less power. Both halves of a float32 are
// a bfloat16 of the same kind.
static orr_code give_numbers(void *ctx, int64_t first, int64_t count, float *to) {
  for (int64_t i = 0; i < count; i++) {
    const uint32_t high = 0x3c00u + (uint32_t)((first + i) * 2654435761u >> 21) % 0x0380u,
                   sign = (uint32_t)(first + i) * 40503u >> 8 & 1u, half = high | sign << 15,
                   bits = half << 16 | half;
    memcpy(&to[i], &bits, sizeof bits);
  }
  return ORR_OK;
}

static orr_code measure(kern *k, kern_dtype type, unsigned char *block, double *best) {
  const peak_shape s = shape_of(k);
  const size_t e = kern_dtype_size(type), x = (size_t)(s.M * s.K) * e, w = (size_t)(s.N * s.K) * e;
  ORR_TRY(train_upload(k, (float *)block, (int64_t)((x + w) / sizeof(float)), give_numbers, NULL));
  const double begin_ms = orr_clock_ms();
  for (int i = 0; i < TRIES_MOST; i++) {
    double ms;
    if (i >= TRIES_LEAST && orr_clock_ms() - begin_ms >= ENOUGH_MS) break;
    ORR_TRY(kern_mark(k, TRAIN_MARK_UPLOAD)); // the upload is over
    ORR_TRY(run_probe(k, type, block, block + x, block + x + w));
    ORR_TRY(kern_mark(k, TRAIN_MARK_UPLOAD + 1));
    ORR_TRY(kern_await(k, TRAIN_MARK_UPLOAD + 1));
    ORR_TRY(kern_elapsed(k, TRAIN_MARK_UPLOAD, TRAIN_MARK_UPLOAD + 1, &ms));
    const double rate = 2.0 * (double)(s.M * s.N * s.K) / (1e-3 * ms);
    if (rate > *best) *best = rate;
  }
  return ORR_OK;
}

orr_code train_peak_measure(kern *k, kern_dtype type, double *flops_per_s) {
  const peak_shape s = shape_of(k);
  const size_t e = kern_dtype_size(type);
  void *block;
  *flops_per_s = 0.0;
  ORR_TRY(kern_alloc(k, KERN_DEVICE, (size_t)(s.M * s.K + s.N * s.K + s.M * s.N) * e,
                     "matmul probe", &block));
  orr_code rc = measure(k, type, block, flops_per_s);
  kern_free(k, KERN_DEVICE, block);
  return rc;
}

orr_code train_peak_try(const kern_setup *setup, kern_dtype type, double *flops_per_s) {
  kern *k = NULL;
  ORR_TRY(kern_open(setup, &k));
  orr_code rc = train_peak_plan(k, type);
  if (rc == ORR_OK) rc = kern_commit(k);
  if (rc == ORR_OK) rc = train_peak_measure(k, type, flops_per_s);
  kern_destroy(k);
  return rc;
}

orr_code train_peak_raise(kern *k, kern_dtype type, double seen, double *flops_per_s) {
  double again;
  if (seen <= *flops_per_s) return ORR_OK;
  ORR_TRY(train_peak_measure(k, type, &again));
  *flops_per_s = again > seen ? again : seen;
  return ORR_OK;
}

double train_peak_data_sheet(const kern *k, kern_dtype type) {
  // bfloat16 with dense operands. The first name that is part of the device's counts.
  static const struct {
    const char *name;
    double tflops;
  } devices[] = {{"H100 PCIe", 756}, {"H100 NVL", 835}, {"H100", 989},
                 {"H200", 989},      {"B200", 2250},    {"A100", 312}};
  if (type != KERN_BF16) return 0.0;
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
    if (strstr(k->isa, devices[i].name)) return 1e12 * devices[i].tflops;
  return 0.0;
}
