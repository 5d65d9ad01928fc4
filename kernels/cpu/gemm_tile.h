// The tile at the heart of a matrix product: GEMM_ROWS x GEMM_COLS sums in vector registers, to
// which a step adds one column of the left operand times one row of the right one.
//
// Operands are made of words of 4 bytes: a float32, or two bfloat16 values that lie one after the
// other in the depth. The left operand is either rows of words in memory, or a panel
// [depth][GEMM_ROWS]; the right one is a panel [depth][GEMM_COLS].
#ifndef KERNELS_CPU_GEMM_TILE_H
#define KERNELS_CPU_GEMM_TILE_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/lane.h"

// 16 vector registers hold 6 x 2 sums, 32 hold 12 x 2, beside a row and an element.
#if CPU_LANES == 16
enum { GEMM_ROWS = 12, GEMM_VECTORS = 2 };
#else
enum { GEMM_ROWS = 6, GEMM_VECTORS = 2 };
#endif
enum { GEMM_COLS = GEMM_VECTORS * CPU_LANES, GEMM_TILE = GEMM_ROWS * GEMM_COLS };

typedef enum {
  GEMM_FLOATS,  // float32 operands
  GEMM_WIDENED, // bfloat16 operands, made float32 when they are packed
  GEMM_PAIRS,   // bfloat16 operands, two in a word
} gemm_kind;

// Words in the depth of K values.
static inline int64_t gemm_words(int64_t K, gemm_kind kind) {
  return kind == GEMM_PAIRS ? (K + 1) / 2 : K;
}

CPU_INLINE cpu_vf gemm_broadcast(const char *word) {
  int32_t bits;
  memcpy(&bits, word, sizeof bits);
  return (cpu_vf)((cpu_vi){0} + bits);
}

// sum + left * right, of the two halves of each word with GEMM_PAIRS.
CPU_INLINE cpu_vf gemm_step(cpu_vf sum, cpu_vf left, cpu_vf right, gemm_kind kind) {
#if defined(__AVX512F__)
  if (kind == GEMM_PAIRS) { // this build's flags do not cover the instruction's intrinsic
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(left), "v"(right));
    return sum;
  }
#endif
  return sum + left * right;
}

// c[rows,GEMM_COLS] (=) init + left x right over `depth` words; init NULL means 0; `rows`, a
// constant of the caller's, is at most GEMM_ROWS. Element (i, d) of the left operand is the word at
// left + i * row + d * step, in bytes; row strides of init and c in floats. `add`, NULL or of c's
// stride, is added last.
CPU_INLINE void gemm_tile(int64_t depth, const char *left, int64_t row, int64_t step,
                          const float *right, const float *init, int64_t ld_init, float *c,
                          int64_t ldc, const float *add, int rows, gemm_kind kind) {
  cpu_vf sum[GEMM_ROWS][GEMM_VECTORS];
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < GEMM_VECTORS; j++)
      sum[i][j] = init ? cpu_vf_load(init + i * ld_init + j * CPU_LANES) : (cpu_vf){0};
#pragma GCC unroll 4
  for (int64_t d = 0; d < depth; d++) {
    cpu_vf r[GEMM_VECTORS];
#pragma GCC unroll 2
    for (int j = 0; j < GEMM_VECTORS; j++) r[j] = cpu_vf_load(right + j * CPU_LANES);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
      const cpu_vf l = gemm_broadcast(left + i * row);
#pragma GCC unroll 2
      for (int j = 0; j < GEMM_VECTORS; j++) sum[i][j] = gemm_step(sum[i][j], l, r[j], kind);
    }
    left += step;
    right += GEMM_COLS;
  }
  if (add) {
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
      for (int j = 0; j < GEMM_VECTORS; j++)
        sum[i][j] += cpu_vf_load(add + i * ldc + j * CPU_LANES);
  }
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
    for (int j = 0; j < GEMM_VECTORS; j++) cpu_vf_store(c + i * ldc + j * CPU_LANES, sum[i][j]);
}

#endif
