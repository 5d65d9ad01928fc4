// Every op of the CUDA backend against the CPU's: a case draws its tensors and runs one op on a
// side; parity_check runs it on the CPU, then in several ways on the device (device.h), and
// compares what the case marked as results. All ways must give the same bits.
//
// The same program runs on the host that plays a device (quick, full) and on a real one (gpu).
#ifndef TESTS_KERNELS_CUDA_PARITY_H
#define TESTS_KERNELS_CUDA_PARITY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/kern.h"

typedef enum { VALUE_F32, VALUE_BF16, VALUE_F64, VALUE_I32, VALUE_U8, VALUE_RAW } value_type;

static inline value_type value_of(kern_dtype type) {
  return type == KERN_BF16 ? VALUE_BF16 : VALUE_F32;
}

typedef struct {
  const char *name; // of a result; NULL: only read
  value_type type;
  int64_t n;
  double tolerance;
  void *host, *at; // what is copied in, and later out; the tensor
  void *block;     // the memory that begins `skew` elements before it
} parity_tensor;

// One run of one case.
typedef struct {
  kern *k;
  int skew; // elements by which tensors miss the alignment of their memory
  int count;
  parity_tensor tensor[32];
} side;

// Tensors of a side, the same values on every side. Only read:
void *side_draw(side *s, kern_dtype type, int64_t n, double scale); // normal values
void *side_ints(side *s, int64_t n, int32_t low, int32_t high);     // in [low, high)
void *side_given(side *s, value_type type, const void *values, int64_t n);
// Results: every element within tolerance of the largest on the CPU, bfloat16 or one unit of its
// last place off; tolerance 0: the same; negative: its magnitude counts, and NaN equals NaN.
// side_out begins as NaN or -1, so no element may stay unwritten; side_both is drawn, and
// accumulated into or overwritten in part.
void *side_out(side *s, const char *name, value_type type, int64_t n, double tolerance);
void *side_both(side *s, const char *name, kern_dtype type, int64_t n, double scale,
                double tolerance);
// A result that begins with these values.
void *side_both_given(side *s, const char *name, value_type type, const void *values, int64_t n,
                      double tolerance);

// Plans, commits, copies in, runs once, copies the results out.
#define SIDE_RUN(s, op, ...)                                                                       \
  do {                                                                                             \
    const kern_##op##_args a_ = {__VA_ARGS__};                                                     \
    side_ok(s, kern_##op((s)->k, &a_));                                                            \
    side_begin(s);                                                                                 \
    side_ok(s, kern_##op((s)->k, &a_));                                                            \
    side_end(s);                                                                                   \
  } while (0)
void side_ok(const side *s, orr_code rc);
void side_begin(side *s);
void side_end(side *s);

typedef void (*parity_case)(side *s, const void *shape, kern_dtype type);

// `skew` 1 also runs with tensors that are aligned to their elements only.
void parity_check(parity_case run, const void *shape, kern_dtype type, int skew);

// Every shape of an array in both types.
#define PARITY_SHAPES(run, shapes, skew)                                                           \
  for (size_t i_ = 0; i_ < sizeof(shapes) / sizeof *(shapes); i_++) {                              \
    parity_check(run, &(shapes)[i_], KERN_F32, skew);                                              \
    parity_check(run, &(shapes)[i_], KERN_BF16, skew);                                             \
  }

#endif
