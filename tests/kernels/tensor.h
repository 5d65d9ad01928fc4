// Host tensors of either type for tests: filled with reproducible values, read back as double.
#ifndef TESTS_KERNELS_TENSOR_H
#define TESTS_KERNELS_TENSOR_H

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/bf16.h"
#include "kernels/kern.h"

static inline double tensor_get(kern_dtype type, const void *p, int64_t i) {
  return type == KERN_BF16 ? (double)kern_bf16_to_f32(((const uint16_t *)p)[i])
                           : (double)((const float *)p)[i];
}

static inline void tensor_set(kern_dtype type, void *p, int64_t i, double x) {
  if (type == KERN_BF16)
    ((uint16_t *)p)[i] = kern_f32_to_bf16((float)x);
  else
    ((float *)p)[i] = (float)x;
}

// n elements drawn from Normal(0, std), another draw for each seed. Free with orr_free.
static inline void *tensor_random(kern_dtype type, int64_t n, uint64_t seed, double std) {
  void *p = orr_malloc((size_t)n * kern_dtype_size(type) + 1);
  for (int64_t i = 0; i < n; i++)
    tensor_set(type, p, i, std * orr_rng_normal(seed, ORR_STREAM_TEST, 0, (uint64_t)i));
  return p;
}

static inline void *tensor_copy(kern_dtype type, int64_t n, const void *x) {
  void *p = orr_malloc((size_t)n * kern_dtype_size(type) + 1);
  memcpy(p, x, (size_t)n * kern_dtype_size(type));
  return p;
}

// Runs an op as a user does: once while planning, then for real. Nothing may be planned late, and
// the workspace must be what was announced.
#define TENSOR_RUN(k, op, ...)                                                                     \
  do {                                                                                             \
    assert_int_equal(kern_##op((k), (__VA_ARGS__)), ORR_OK);                                       \
    const size_t announced_ = (k)->workspace_bytes;                                                \
    assert_int_equal(kern_commit(k), ORR_OK);                                                      \
    assert_int_equal(kern_##op((k), (__VA_ARGS__)), ORR_OK);                                       \
    assert_int_equal((k)->late_plans, 0);                                                          \
    assert_true((k)->workspace_bytes == announced_);                                               \
  } while (0)

#endif
