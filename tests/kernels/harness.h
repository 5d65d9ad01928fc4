// What the op tests share: memory that is freed at once, random tensors of either type, runs at
// every instruction set of this machine with 1, 2 and 3 threads, comparisons, and derivatives by
// finite differences.
//
// Input values are doubles that the tensor's type holds exactly, so that a double loop and the op
// see the same numbers and only the op's own rounding remains.
#ifndef TESTS_KERNELS_HARNESS_H
#define TESTS_KERNELS_HARNESS_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cpu/cpu.h"
#include "tests/base/assert.h"
#include "tests/kernels/tensor.h"

// -- memory and tensors ---------------------------------------------------------------------

typedef struct {
  void *block[256];
  int count;
  uint64_t draws; // every tensor is another sample of the test stream
} pool;

static inline void *pool_take(pool *p, size_t bytes) { // zeroed
  assert_true(p->count < 256);
  void *block = calloc(1, bytes ? bytes : 1);
  assert_non_null(block);
  p->block[p->count++] = block;
  return block;
}

static inline void pool_free(pool *p) {
  for (int i = 0; i < p->count; i++) free(p->block[i]);
  p->count = 0;
}

static inline double rounded(double v, kern_dtype type) {
  float f = (float)v;
  return type == KERN_BF16 ? kern_bf16_to_f32(kern_f32_to_bf16(f)) : f;
}

// n normal values times `scale`, exact in `type`.
static inline double *pool_draw(pool *p, int64_t n, kern_dtype type, double scale) {
  double *v = pool_take(p, (size_t)n * sizeof *v);
  p->draws++;
  for (int64_t i = 0; i < n; i++)
    v[i] = rounded(scale * orr_rng_normal(1, ORR_STREAM_TEST, p->draws, (uint64_t)i), type);
  return v;
}

static inline void *pool_typed(pool *p, const double *v, int64_t n, kern_dtype type) {
  void *t = pool_take(p, (size_t)n * kern_dtype_size(type));
  for (int64_t i = 0; i < n; i++) tensor_set(type, t, i, v[i]);
  return t;
}

// -- runs -----------------------------------------------------------------------------------

typedef struct {
  cpu_level level;
  int threads;
} setup;

enum { MOST_SETUPS = 12 };

// The three builds, as far as this machine has them, and what it has beyond them (native bfloat16,
// AMX), each with 1, 2 and 3 threads.
static inline int all_setups(setup out[MOST_SETUPS]) {
  const cpu_level best = cpu_level_detect();
  int n = 0;
  for (cpu_level level = CPU_LEVEL_V2; level <= best; level++) {
    if (level > CPU_LEVEL_V4 && level < best) continue;
    for (int threads = 1; threads <= 3; threads++) out[n++] = (setup){level, threads};
  }
  return n;
}

#define FOR_SETUPS(s)                                                                              \
  setup s##_all[MOST_SETUPS];                                                                      \
  const int s##_count = all_setups(s##_all);                                                       \
  for (setup *s = s##_all; s < s##_all + s##_count; s++)

// Plans the op, commits, runs it; it must not plan again.
#define RUN(s, op, args)                                                                           \
  do {                                                                                             \
    kern *k_ = NULL;                                                                               \
    assert_ok(cpu_create((s)->threads, (s)->level, &k_));                                          \
    assert_ok(kern_##op(k_, (args)));                                                              \
    assert_ok(kern_commit(k_));                                                                    \
    assert_ok(kern_##op(k_, (args)));                                                              \
    assert_int_equal(k_->late_plans, 0);                                                           \
    kern_destroy(k_);                                                                              \
  } while (0)

// -- comparisons ----------------------------------------------------------------------------

// Every element within `tol` of the largest wanted magnitude, and for bfloat16 within half a unit
// of its last place besides (one rounding of the result).
static inline void expect_close(const char *what, const void *got, kern_dtype type,
                                const double *want, int64_t n, double tol) {
  double largest = 0, worst = 0;
  for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(want[i]));
  if (largest == 0) largest = 1;
  for (int64_t i = 0; i < n; i++) {
    double slack = type == KERN_BF16 ? fabs(want[i]) * (1.0 / 256) : 0;
    double off = fabs(tensor_get(type, got, i) - want[i]) - slack;
    if (!(off <= tol * largest))
      fail_msg("%s[%" PRId64 "]: got %.9g, wanted %.9g (largest %.3g, tolerance %.1e)", what, i,
               tensor_get(type, got, i), want[i], largest, tol);
    worst = fmax(worst, off / largest);
  }
  if (getenv("ORR_TEST_MEASURE")) fprintf(stderr, "%s: measured %.2e < %.1e\n", what, worst, tol);
}

// Results of one build are the same bits for every number of threads: the first run (1 thread)
// is kept in *kept, the others are compared with it.
static inline void expect_same_bits(pool *p, void **kept, const setup *s, const void *got,
                                    size_t bytes) {
  if (s->threads == 1) {
    *kept = pool_take(p, bytes);
    memcpy(*kept, got, bytes);
  } else {
    assert_memory_equal(got, *kept, bytes);
  }
}

// -- finite differences ---------------------------------------------------------------------

typedef double (*scalar_fn)(const void *ctx);

// out[i] = d f / d x[i] by central differences in float64, where f reads x through ctx.
static inline void slopes(scalar_fn f, const void *ctx, double *x, int64_t n, double *out) {
  const double h = 1e-4;
  for (int64_t i = 0; i < n; i++) {
    const double keep = x[i];
    x[i] = keep + h;
    const double above = f(ctx);
    x[i] = keep - h;
    out[i] = (above - f(ctx)) / (2 * h);
    x[i] = keep;
  }
}

#endif
