// Panels for the tiles of a matrix product (kernels/cpu/gemm_tile.h). A panel holds some columns
// of an operand: the words of depth 0 of all its columns, then those of depth 1, and so on.
// Columns that are not there are zeros.
#ifndef KERNELS_CPU_GEMM_PACK_H
#define KERNELS_CPU_GEMM_PACK_H

#include "kernels/cpu/gemm_tile.h"
#include "kernels/cpu/tile.h"

// A matrix of either type: `ld` elements from row to row.
typedef struct {
  const void *p;
  int64_t ld;
} gemm_matrix;

static inline const float *gemm_f32_row(gemm_matrix x, int64_t row) {
  return (const float *)x.p + row * x.ld;
}
static inline const uint16_t *gemm_bf16_row(gemm_matrix x, int64_t row) {
  return (const uint16_t *)x.p + row * x.ld;
}

CPU_INLINE uint32_t gemm_word_of_f32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

// Words of depth d0 .. d1 - 1 of columns c0 .. c0 + count - 1 of x[K, columns] (the depth goes down
// its rows) into a panel of `width` columns, whose first word of depth d0 is `to`.
CPU_INLINE void gemm_pack_down(gemm_matrix x, int64_t K, int64_t d0, int64_t d1, int64_t c0,
                               int64_t count, int width, uint32_t *restrict to, gemm_kind kind) {
  static const uint16_t zeros[GEMM_COLS];
  const int64_t n = count < width ? count : width;
  for (int64_t d = d0; d < d1; d++, to += width) {
    if (kind == GEMM_FLOATS) {
      const float *row = gemm_f32_row(x, d) + c0;
      if (n == width)
        memcpy(to, row, (size_t)width * 4);
      else
        memcpy(to, row, (size_t)n * 4);
    } else if (kind == GEMM_WIDENED) {
      const uint16_t *row = gemm_bf16_row(x, d) + c0;
      for (int64_t c = 0; c < n; c++) to[c] = (uint32_t)row[c] << 16;
    } else {
      const uint16_t *even = gemm_bf16_row(x, 2 * d) + c0;
      const uint16_t *odd = 2 * d + 1 < K ? even + x.ld : zeros;
      for (int64_t c = 0; c < n; c++) to[c] = (uint32_t)even[c] | (uint32_t)odd[c] << 16;
    }
    for (int64_t c = n; c < width; c++) to[c] = 0;
  }
}

// The word of depth d in a row of values.
CPU_INLINE uint32_t gemm_word(const void *row, int64_t K, int64_t d, gemm_kind kind) {
  if (kind == GEMM_FLOATS) return gemm_word_of_f32(((const float *)row)[d]);
  const uint16_t *half = row;
  if (kind == GEMM_WIDENED) return (uint32_t)half[d] << 16;
  return (uint32_t)half[2 * d] | (2 * d + 1 < K ? (uint32_t)half[2 * d + 1] << 16 : 0);
}

// CPU_LANES x CPU_LANES words from (row, d) on of x[rows, K], transposed to `to`, whose rows are
// GEMM_COLS words apart.
CPU_INLINE void gemm_pack_square(gemm_matrix x, int64_t row, int64_t d, float *to, gemm_kind kind) {
  float square[CPU_LANES * CPU_LANES];
  if (kind == GEMM_FLOATS) {
    cpu_tile_transpose_square(gemm_f32_row(x, row) + d, x.ld, to, GEMM_COLS);
    return;
  }
  for (int i = 0; i < CPU_LANES; i++) {
    if (kind == GEMM_WIDENED)
      cpu_vf_store(square + i * CPU_LANES, cpu_vf_load_bf16(gemm_bf16_row(x, row + i) + d));
    else
      memcpy(square + i * CPU_LANES, gemm_bf16_row(x, row + i) + 2 * d, CPU_LANES * 4);
  }
  cpu_tile_transpose_square(square, CPU_LANES, to, GEMM_COLS);
}

// Rows c0 .. c0 + count - 1 of x[rows, K] (the depth goes along them) into a panel of GEMM_COLS
// columns.
CPU_INLINE void gemm_pack_along(gemm_matrix x, int64_t K, int64_t c0, int64_t count,
                                uint32_t *restrict to, gemm_kind kind) {
  const int64_t depth = gemm_words(K, kind), n = count < GEMM_COLS ? count : GEMM_COLS;
  const int64_t whole = (kind == GEMM_PAIRS ? K / 2 : K) / CPU_LANES * CPU_LANES;
  const size_t size = kind == GEMM_FLOATS ? 4 : 2;
  for (int64_t v = 0; v < GEMM_COLS; v += CPU_LANES) {
    const int64_t squares = v + CPU_LANES <= n ? whole : 0;
    for (int64_t d = 0; d < squares; d += CPU_LANES)
      gemm_pack_square(x, c0 + v, d, (float *)(void *)(to + d * GEMM_COLS + v), kind);
    for (int64_t c = v; c < v + CPU_LANES; c++) {
      const int64_t at = c < n ? c0 + c : 0;
      const void *row = (const char *)x.p + (size_t)(at * x.ld) * size;
      for (int64_t d = squares; d < depth; d++)
        to[d * GEMM_COLS + c] = c < n ? gemm_word(row, K, d, kind) : 0;
    }
  }
}

// A row of K values as words, for left operands that cannot be read where they lie.
CPU_INLINE void gemm_pack_row(const void *row, int64_t K, uint32_t *restrict to, gemm_kind kind) {
  const int64_t depth = gemm_words(K, kind);
  for (int64_t d = 0; d < depth; d++) to[d] = gemm_word(row, K, d, kind);
}

#endif
