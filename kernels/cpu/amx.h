// AMX tiles of bfloat16 (Intel SDM, chapter "Intel AMX"): a tile has 16 rows of 64 bytes.
//   left operand   A[16,32]: row-major, straight from any matrix with contiguous columns
//   right operand  B[32,16]: as 16 rows of 16 pairs, element (2r, n) beside (2r + 1, n)
//   result         C[16,16] float32
// A packed right operand is a row of such B tiles of 1 KiB: first all depth blocks of columns
// 0..15, then those of columns 16..31, and so on.
//
// A product (amx_product) is a square of 2 x 2 result tiles. It fills the eight tile registers, and
// each operand that is loaded meets two of the other side:
//
//                                       b0: columns 0..15   b1: columns 16..31
//                                      +------------------+-------------------+
//                depth block d [32]    |       tmm6       |       tmm7        |   + AMX_TILE a
//                block
//                                      +------------------+-------------------+
//                 depth block d [32]
//                +------------------+  +------------------+-------------------+
//     rows 0..15 |  tmm4: left.top  |  |    tmm0: c       |   tmm1: c + 16    |
//                +------------------+  +------------------+-------------------+
//    rows 16..31 |  tmm5: .bottom   |  |    tmm2: lower   |  tmm3: lower + 16 |
//                +------------------+  +------------------+-------------------+
//                   + left.step bytes a block      float32, rows ldc apart
//
// The registers of a right operand, as a row of 64 bytes holds it (values of 2 bytes, of column n):
//
//      row 0   | (0, 0) (1, 0) | (0, 1) (1, 1) | ... | (0, 15) (1, 15)  |
//      row 1   | (2, 0) (3, 0) | (2, 1) (3, 1) | ... | (2, 15) (3, 15)  |
//      ...
//      row 15  | (30, 0) (31, 0) | ...                                  |
//
// so that one instruction adds two neighbouring terms of the depth to each of the 16 x 16 sums. A
// matrix whose rows are the columns of B has those pairs side by side already: its 16 x 16 words of
// 32 bits only change places (amx_pack_transposed). One whose rows are the depth has two rows
// interleaved (amx_pack_plain).
//
// Only for files compiled with AVX-512 and avx512_bf16, and only on machines with AMX.
#ifndef KERNELS_CPU_AMX_H
#define KERNELS_CPU_AMX_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#define AMX_INLINE static inline __attribute__((always_inline))

enum { AMX_ROWS = 16, AMX_DEPTH = 32, AMX_TILE = 512 }; // AMX_TILE: bfloat16 values in a tile

static inline int64_t amx_pad(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}
static inline int64_t amx_least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

// The compiler's own intrinsics for loads do not say that they read memory.
#define AMX_LOAD(tile, p, stride)                                                                  \
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(p), "r"((int64_t)(stride)) : "memory")
#define AMX_STORE(tile, p, stride)                                                                 \
  __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(p), "r"((int64_t)(stride))         \
                   : "memory")
#define AMX_ZERO(tile)        __asm__ volatile("tilezero %%tmm" #tile ::)
#define AMX_MULTIPLY(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)

// Every thread configures its tiles before the first one is used, and releases them at the end.
AMX_INLINE void amx_begin(void) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes_per_row[16];
    uint8_t rows[16];
  } config = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    config.bytes_per_row[i] = 64;
    config.rows[i] = AMX_ROWS;
  }
  __asm__ volatile("ldtilecfg %0" ::"m"(config));
}
AMX_INLINE void amx_end(void) {
  __asm__ volatile("tilerelease" ::);
}

// Up to 32 rows of a left operand: two tiles a depth block. Row r of the lower half is
// top + r * stride bytes; depth blocks are `step` bytes apart.
typedef struct {
  const void *top, *bottom; // rows 0..15, 16..31 (unused when the product has one half)
  int64_t stride, step;
} amx_left;

// c[16 * row_halves, 16 * column_halves] (= or +=) left x the packed tiles at b0 (columns 0..15)
// and b1 (columns 16..31), over `depth` blocks. ldc in floats. Not
// inlined: there the compiler runs out of registers for its addresses.
static __attribute__((noinline, unused)) void amx_product(int row_halves, int column_halves,
                                                          int64_t depth, amx_left left,
                                                          const uint16_t *b0, const uint16_t *b1,
                                                          float *c, int64_t ldc, bool accumulate) {
  const bool two_rows = row_halves > 1, two_columns = column_halves > 1;
  const int64_t c_stride = ldc * 4;
  float *lower = c + AMX_ROWS * ldc;
  // the sums so far, or zeros
  if (accumulate) {
    AMX_LOAD(0, c, c_stride);
    if (two_columns) AMX_LOAD(1, c + 16, c_stride);
    if (two_rows) AMX_LOAD(2, lower, c_stride);
    if (two_rows && two_columns) AMX_LOAD(3, lower + 16, c_stride);
  } else {
    AMX_ZERO(0);
    AMX_ZERO(1);
    AMX_ZERO(2);
    AMX_ZERO(3);
  }
  // multiply: every depth block's two left tiles with its two right ones
  const char *top = left.top, *bottom = left.bottom;
  for (int64_t d = 0; d < depth; d++) {
    AMX_LOAD(4, top, left.stride);
    AMX_LOAD(6, b0, 64);
    AMX_MULTIPLY(0, 4, 6);
    if (two_columns) {
      AMX_LOAD(7, b1, 64);
      AMX_MULTIPLY(1, 4, 7);
    }
    if (two_rows) {
      AMX_LOAD(5, bottom, left.stride);
      AMX_MULTIPLY(2, 5, 6);
      if (two_columns) AMX_MULTIPLY(3, 5, 7);
    }
    top += left.step, bottom += left.step;
    b0 += AMX_TILE, b1 += AMX_TILE;
  }
  // store the square
  AMX_STORE(0, c, c_stride);
  if (two_columns) AMX_STORE(1, c + 16, c_stride);
  if (two_rows) AMX_STORE(2, lower, c_stride);
  if (two_rows && two_columns) AMX_STORE(3, lower + 16, c_stride);
}

// Transposes 16 x 16 words of 32 bits, held in registers.
AMX_INLINE void amx_transpose_words(__m512i r[16]) {
  __m512i t[16];
  // within each 128 bits: words of two rows side by side, then of four
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // the four 128-bit parts change places: between rows 4 apart, then between rows 8 apart
#pragma GCC unroll 2
  for (int i = 0; i < 16; i += 8)
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      t[i + j] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0x88);
      t[i + j + 4] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0xdd);
    }
#pragma GCC unroll 8
  for (int j = 0; j < 8; j++) {
    r[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
    r[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xdd);
  }
}

// y = the 16 x 16 words at x (rows 64 bytes apart) transposed.
AMX_INLINE void amx_transpose_tile(const uint16_t *x, uint16_t *y) {
  __m512i r[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(x + i * 32);
  amx_transpose_words(r);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) _mm512_storeu_si512(y + i * 32, r[i]);
}

// One tile of x^T: `rows` rows of x (16, or fewer with zeros after them) become columns.
AMX_INLINE void amx_pack_square(const uint16_t *x, int64_t stride, int64_t rows, uint16_t *y) {
  __m512i r[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++)
    r[i] = i < rows ? _mm512_loadu_si512(x + i * stride) : _mm512_setzero_si512();
  amx_transpose_words(r);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) _mm512_storeu_si512(y + i * 32, r[i]);
}

// Packs x^T as a right operand, for products over the columns of x: rows of x [rows, cols] become
// columns. `stride` in elements; cols a multiple of 32; rows are padded with zeros to a multiple of
// 16.
static inline void amx_pack_transposed(const uint16_t *x, int64_t stride, int64_t rows,
                                       int64_t cols, uint16_t *y) {
  for (int64_t n = 0; n < rows; n += 16)
    for (int64_t c = 0; c < cols; c += 32, y += AMX_TILE) {
      if (n + 16 <= rows)
        amx_pack_square(x + n * stride + c, stride, 16, y);
      else
        amx_pack_square(x + n * stride + c, stride, rows - n, y);
    }
}

// Two right tiles from 32 rows and 32 columns of x, or fewer with zeros after them.
AMX_INLINE void amx_pack_block(const uint16_t *x, int64_t stride, int64_t rows, __mmask32 columns,
                               uint16_t *low, uint16_t *high) {
  const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
#pragma GCC unroll 4
  for (int64_t r = 0; r < 32; r += 2, x += 2 * stride) {
    __m512i a = _mm512_maskz_loadu_epi16(r < rows ? columns : 0, x);
    __m512i b = _mm512_maskz_loadu_epi16(r + 1 < rows ? columns : 0, x + stride);
    a = _mm512_permutexvar_epi64(order, a);
    b = _mm512_permutexvar_epi64(order, b);
    _mm512_storeu_si512(low + r * 16, _mm512_unpacklo_epi16(a, b));
    _mm512_storeu_si512(high + r * 16, _mm512_unpackhi_epi16(a, b));
  }
}

// Packs x as a right operand, for products over the rows of x [rows, cols]. Rows and columns are
// padded with zeros to multiples of 32. Tiles of 32 rows are written at a time: one row of every
// tile at a time would meet in one set of the cache.
static inline void amx_pack_plain(const uint16_t *x, int64_t stride, int64_t rows, int64_t cols,
                                  uint16_t *y) {
  const int64_t depth = (rows + 31) / 32;
  for (int64_t m = 0; m < rows; m += 32)
    for (int64_t c = 0; c < cols; c += 32) {
      uint16_t *low = y + (c / 16 * depth + m / 32) * AMX_TILE, *high = low + depth * AMX_TILE;
      if (m + 32 <= rows && c + 32 <= cols)
        amx_pack_block(x + m * stride + c, stride, 32, 0xffffffffu, low, high);
      else
        amx_pack_block(x + m * stride + c, stride, rows - m,
                       cols - c >= 32 ? 0xffffffffu : (1u << (cols - c)) - 1, low, high);
    }
}

// 32 bfloat16 values from two float32 vectors, low first.
AMX_INLINE __m512i amx_narrow(__m512 low, __m512 high) {
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

// 2^x for x <= 0 (and a little above); -inf and large negative numbers give 0. Relative error
// below 2.6e-6, far below a bfloat16's half unit: a minimax polynomial of degree 4 on [0, 1).
AMX_INLINE __m512 amx_exp2(__m512 x) {
  const __m512 r = _mm512_reduce_ps(x, 0x09); // x - floor(x)
  __m512 p = _mm512_set1_ps(1.353416791e-02f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.201146062e-02f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.414427569e-01f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.930038345e-01f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.000002593e+00f));
  return _mm512_scalef_ps(p, x);
}

#endif
