// Small float32 matrix arithmetic for operands that lie in the cache: the products and transposes
// inside attention. Register-blocked; the accumulators of one block fill the vector registers.
#ifndef KERNELS_CPU_TILE_H
#define KERNELS_CPU_TILE_H

#include "kernels/cpu/isa.h"
#include "kernels/cpu/lane.h"

#if CPU_LANES == 16
enum { CPU_TILE_ROWS = 6, CPU_TILE_VECTORS = 4 };
#else
enum { CPU_TILE_ROWS = 6, CPU_TILE_VECTORS = 2 };
#endif

static inline int64_t cpu_tile_pad(int64_t n) {
  return (n + CPU_LANES - 1) / CPU_LANES * CPU_LANES;
}

// A matrix in the cache: element (i, j) at p[i * row + j * col]. A transpose swaps row and col.
typedef struct {
  const float *p;
  int64_t row, col;
} cpu_tile_view;

// c[rows, vectors * CPU_LANES] (= or +=) a[rows, depth] b[depth, ...]; rows and vectors constant.
CPU_INLINE void cpu_tile_block(int rows, int vectors, int64_t depth, cpu_tile_view a,
                               const float *b, int64_t ldb, float *c, int64_t ldc,
                               bool accumulate) {
  cpu_vf sum[CPU_TILE_ROWS][CPU_TILE_VECTORS];
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++)
      sum[i][j] = accumulate ? cpu_vf_load(c + i * ldc + j * CPU_LANES) : (cpu_vf){0};
  for (int64_t d = 0; d < depth; d++) {
    cpu_vf right[CPU_TILE_VECTORS];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++) right[j] = cpu_vf_load(b + d * ldb + j * CPU_LANES);
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
      const cpu_vf left = cpu_vf_set(a.p[i * a.row + d * a.col]);
#pragma GCC unroll 4
      for (int j = 0; j < vectors; j++) sum[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; j++) cpu_vf_store(c + i * ldc + j * CPU_LANES, sum[i][j]);
}

// All rows of one strip of `vectors` vectors.
CPU_INLINE void cpu_tile_strip(int vectors, int64_t rows, int64_t depth, cpu_tile_view a,
                               const float *b, int64_t ldb, float *c, int64_t ldc,
                               bool accumulate) {
  while (rows >= CPU_TILE_ROWS) {
    cpu_tile_block(CPU_TILE_ROWS, vectors, depth, a, b, ldb, c, ldc, accumulate);
    a.p += CPU_TILE_ROWS * a.row;
    c += CPU_TILE_ROWS * ldc;
    rows -= CPU_TILE_ROWS;
  }
  switch (rows) {
  case 5:
    cpu_tile_block(5, vectors, depth, a, b, ldb, c, ldc, accumulate);
    break;
  case 4:
    cpu_tile_block(4, vectors, depth, a, b, ldb, c, ldc, accumulate);
    break;
  case 3:
    cpu_tile_block(3, vectors, depth, a, b, ldb, c, ldc, accumulate);
    break;
  case 2:
    cpu_tile_block(2, vectors, depth, a, b, ldb, c, ldc, accumulate);
    break;
  case 1:
    cpu_tile_block(1, vectors, depth, a, b, ldb, c, ldc, accumulate);
    break;
  default:
    break;
  }
}

// c[rows, cols] (= or +=) a[rows, depth] b[depth, cols]; cols a multiple of CPU_LANES.
static inline void cpu_tile_product(int64_t rows, int64_t cols, int64_t depth, cpu_tile_view a,
                                    const float *b, int64_t ldb, float *c, int64_t ldc,
                                    bool accumulate) {
  int64_t left = cols / CPU_LANES;
  while (left > 0) {
    const int64_t strip = left < CPU_TILE_VECTORS ? left : CPU_TILE_VECTORS;
    switch (strip) {
#if CPU_LANES == 16
    case 4:
      cpu_tile_strip(4, rows, depth, a, b, ldb, c, ldc, accumulate);
      break;
    case 3:
      cpu_tile_strip(3, rows, depth, a, b, ldb, c, ldc, accumulate);
      break;
#endif
    case 2:
      cpu_tile_strip(2, rows, depth, a, b, ldb, c, ldc, accumulate);
      break;
    default:
      cpu_tile_strip(1, rows, depth, a, b, ldb, c, ldc, accumulate);
      break;
    }
    b += strip * CPU_LANES;
    c += strip * CPU_LANES;
    left -= strip;
  }
}

#if defined(__GNUC__) && !defined(__clang__)
// One square of CPU_LANES x CPU_LANES, by exchanging halves, quarters, ... between rows.
static inline void cpu_tile_transpose_square(const float *x, int64_t ldx, float *y, int64_t ldy) {
  cpu_vf r[CPU_LANES];
  cpu_vi lane;
  for (int i = 0; i < CPU_LANES; i++) lane[i] = i;
#pragma GCC unroll 16
  for (int i = 0; i < CPU_LANES; i++) r[i] = cpu_vf_load(x + i * ldx);
#pragma GCC unroll 4
  for (int step = 1; step < CPU_LANES; step *= 2) {
    const cpu_vi upper = (lane & step) != 0;                         // -1 where the bit is set
    const cpu_vi even = lane + (upper & (CPU_LANES - step));         // a's own, else b shifted up
    const cpu_vi odd = lane + (~upper & step) + (upper & CPU_LANES); // a shifted down, else b's own
#pragma GCC unroll 16
    for (int i = 0; i < CPU_LANES; i++)
      if (!(i & step)) {
        const cpu_vf a = r[i], b = r[i + step];
        r[i] = __builtin_shuffle(a, b, even);
        r[i + step] = __builtin_shuffle(a, b, odd);
      }
  }
#pragma GCC unroll 16
  for (int i = 0; i < CPU_LANES; i++) cpu_vf_store(y + i * ldy, r[i]);
}
#else
static inline void cpu_tile_transpose_square(const float *x, int64_t ldx, float *y, int64_t ldy) {
  for (int i = 0; i < CPU_LANES; i++)
    for (int j = 0; j < CPU_LANES; j++) y[j * ldy + i] = x[i * ldx + j];
}
#endif

// y[cols, rows] (=) x[rows, cols] transposed; y's rows are padded to whole vectors with zeros.
static inline void cpu_tile_transpose(int64_t rows, int64_t cols, const float *x, int64_t ldx,
                                      float *y, int64_t ldy) {
  const int64_t whole_rows = rows / CPU_LANES * CPU_LANES,
                whole_cols = cols / CPU_LANES * CPU_LANES;
  for (int64_t i = 0; i < whole_rows; i += CPU_LANES)
    for (int64_t j = 0; j < whole_cols; j += CPU_LANES)
      cpu_tile_transpose_square(x + i * ldx + j, ldx, y + j * ldy + i, ldy);
  for (int64_t j = 0; j < cols; j++) {
    for (int64_t i = j < whole_cols ? whole_rows : 0; i < rows; i++)
      y[j * ldy + i] = x[i * ldx + j];
    for (int64_t i = rows; i < cpu_tile_pad(rows); i++) y[j * ldy + i] = 0.0f;
  }
}

#endif
