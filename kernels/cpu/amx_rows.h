// The rows of one attention head as operands of AMX products, and the scratch of one thread.
#ifndef KERNELS_CPU_AMX_ROWS_H
#define KERNELS_CPU_AMX_ROWS_H

#include <string.h>

#include "kernels/cpu/amx.h"

#define AMX_LOG2_E 1.44269504f
#define AMX_LN_2   0.693147181f

// Hands out the parts of a thread's scratch; with base NULL it only counts.
typedef struct {
  char *base;
  size_t used;
} amx_scratch;

static inline void *amx_scratch_take(amx_scratch *b, int64_t bytes) {
  void *p = b->base ? b->base + b->used : NULL;
  b->used += (size_t)amx_pad(bytes, 64);
  return p;
}

// Rows of one head in a strided matrix.
typedef struct {
  const uint16_t *p;
  int64_t stride; // elements
} amx_rows;

static inline amx_rows amx_rows_at(const void *x, int64_t row, int64_t ld, int64_t head, int64_t K,
                                   int64_t pos_stride) {
  return (amx_rows){(const uint16_t *)x + row * ld + head * K, pos_stride * ld};
}

// 32 rows from `first` as a left operand. Rows past the end (count of them) may not be read, so a
// last, partial half is copied to `spare` [2][16][K] and padded with zeros.
static inline amx_left amx_rows_left(amx_rows x, int64_t first, int64_t count, int64_t K,
                                     uint16_t *spare) {
  amx_left left = {.stride = x.stride * 2, .step = 64};
  const int64_t rows = amx_least(count - first, 32);
  if (rows == 32 || rows == 16) {
    left.top = x.p + first * x.stride;
    left.bottom = rows == 32 ? x.p + (first + 16) * x.stride : left.top;
    return left;
  }
  for (int64_t i = 0; i < amx_pad(rows, 16); i++) {
    if (i < rows)
      memcpy(spare + i * K, x.p + (first + i) * x.stride, (size_t)K * 2);
    else
      memset(spare + i * K, 0, (size_t)K * 2);
  }
  left.top = spare, left.bottom = spare + 16 * K, left.stride = K * 2;
  return left;
}

// Rows [rows, K] of float32 times `scale` and, unless it is NULL, factor[i] into a strided bfloat16
// matrix.
static inline void amx_rows_store(const float *x, int64_t rows, int64_t K, float scale,
                                  const float *factor, uint16_t *y, int64_t stride) {
  for (int64_t i = 0; i < rows; i++) {
    const __m512 f = _mm512_set1_ps(factor ? factor[i] * scale : scale);
    for (int64_t c = 0; c < K; c += 32)
      _mm512_storeu_si512(y + i * stride + c,
                          amx_narrow(_mm512_mul_ps(_mm512_loadu_ps(x + i * K + c), f),
                                     _mm512_mul_ps(_mm512_loadu_ps(x + i * K + c + 16), f)));
  }
}

#endif
