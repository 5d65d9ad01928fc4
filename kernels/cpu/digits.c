// AdamW's step on the digits of codes, which codes of kin share (kernels/ops.h).
//
// Tasks are strips of columns. What the sums hold is exact, so their bits depend on neither the
// strips nor the threads.
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/lane.h"
#include "kernels/digits.h"

enum { COLUMNS = 16 }; // in a task

// Added and taken off again they leave a multiple of 2^-40, or of 2^-50: their last places.
static const double round_m = 0x1.8p12, round_v = 0x1.8p2;

// The part of a range that lies in columns [first, end) of the row of `code`: from its element
// `at` on, that is column `column`.
typedef struct {
  int64_t at, column, n;
} strip;

CPU_INLINE strip strip_of(const kern_digits *a, int64_t code, int64_t first, int64_t end) {
  const int64_t row = code * a->D - a->first;
  int64_t from = row + first, to = row + end;
  if (from < 0) from = 0;
  if (to > a->n) to = a->n;
  return (strip){.at = from, .column = from - row, .n = to - from};
}

// Calls body(strip, row of digit j) for all codes of the range and their digits.
#define EACH_DIGIT(a, begin, end, body)                                                            \
  do {                                                                                             \
    const int64_t codes_ = kern_digits_codes(a), last_ = ((a)->first + (a)->n - 1) / (a)->D;       \
    for (int64_t code_ = (a)->first / (a)->D; code_ <= last_ && code_ < codes_; code_++) {         \
      const strip s = strip_of(a, code_, begin, end);                                              \
      int64_t rest_ = code_, row = 0;                                                              \
      for (int64_t j_ = 0; s.n > 0 && j_ < (a)->digits; j_++) {                                    \
        const int64_t digit_ = rest_ % (a)->level[j_];                                             \
        row += digit_;                                                                             \
        body;                                                                                      \
        row += (a)->level[j_] - digit_;                                                            \
        rest_ /= (a)->level[j_];                                                                   \
      }                                                                                            \
    }                                                                                              \
  } while (0)

CPU_INLINE void add_rounded(double *restrict sum, const float *restrict x, int64_t n,
                            double round) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) sum[i] += ((double)x[i] + round) - round;
}

static void sums_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_digit_sums_args *a = ctx;
  const kern_digits *of = &a->of;
  double *v = a->sums + kern_digits_rows(of) * of->D;
  EACH_DIGIT(of, first, end, {
    add_rounded(a->sums + row * of->D + s.column, a->m + s.at, s.n, round_m);
    add_rounded(v + row * of->D + s.column, a->v + s.at, s.n, round_v);
  });
}

orr_code CPU_FN(digit_sums)(kern *k, const kern_digit_sums_args *a) {
  if (k->planning || a->of.n == 0) return ORR_OK;
  cpu_run(k, a->of.D, COLUMNS, sums_part, a);
  return ORR_OK;
}

static void steps_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_digit_steps_args *a = ctx;
  const double *restrict m = a->sums, *restrict v = a->sums + a->n;
  float *restrict step = a->step;
  const float share = a->share, rate = a->rates->rate, root_bias = a->rates->root_bias;
  const float eps = a->eps;
#pragma omp simd
  for (int64_t i = first; i < end; i++)
    step[i] = -share * rate * (float)m[i] / (sqrtf((float)v[i]) * root_bias + eps);
}

orr_code CPU_FN(digit_steps)(kern *k, const kern_digit_steps_args *a) {
  if (k->planning) return ORR_OK;
  if (a->verdict->skip)
    memset(a->step, 0, (size_t)a->n * sizeof *a->step);
  else
    cpu_run(k, a->n, 1024, steps_part, a);
  return ORR_OK;
}

CPU_INLINE void add_row(float *restrict w, const float *restrict step, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) w[i] += step[i];
}

static void apply_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_digit_apply_args *a = ctx;
  const kern_digits *of = &a->of;
  EACH_DIGIT(of, first, end, add_row(a->w + s.at, a->step + row * of->D + s.column, s.n));
}

orr_code CPU_FN(digit_apply)(kern *k, const kern_digit_apply_args *a) {
  if (k->planning || a->of.n == 0) return ORR_OK;
  cpu_run(k, a->of.D, COLUMNS, apply_part, a);
  return ORR_OK;
}
