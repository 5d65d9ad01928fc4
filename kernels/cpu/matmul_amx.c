// y[M,N] (=) x[M,K] b[K,N] + bias + add on AMX tiles.
//
// The threads pack b into tiles once; then they take rows of x, 32 at a time, straight from
// memory as left operands. Columns of y are taken in strips whose part of b stays in the
// second-level cache, and the depth in chunks whose part of x stays in the first. Every element
// is summed in one order, whatever the number of threads.
#include "kernels/cpu/matmul_amx.h"

#include "kernels/cpu/amx_rows.h"

enum { SQUARE = 32 * 32, GROUP = 4, DEPTH_CHUNK = 512 / 32, STRIP_BYTES = 1 << 20 };

// The scratch of one thread.
typedef struct {
  float *c;        // GROUP squares of y
  uint16_t *spare; // [32,K]: the last rows of x, padded
} memory;

static memory memory_divide(int64_t K, amx_scratch *b) {
  memory m;
  m.c = amx_scratch_take(b, GROUP * SQUARE * 4);
  m.spare = amx_scratch_take(b, 32 * K * 2);
  return m;
}

// Packs columns n..n+31 of b (fewer at the end).
static void pack_columns(const matmul_amx_args *a, int64_t n, uint16_t *packed) {
  uint16_t *tiles = packed + n / 16 * (a->K / 32) * AMX_TILE;
  const int64_t count = amx_least(32, a->N - n);
  if (a->b_transposed)
    amx_pack_transposed(a->b + n * a->ldb, a->ldb, count, a->K, tiles);
  else
    amx_pack_plain(a->b + n, a->ldb, a->K, count, tiles);
}

// 16 values of a row plus bias and add, `inside` of them real.
AMX_INLINE __m512 finish(const matmul_amx_args *a, __m512 x, int64_t m, int64_t n,
                         __mmask16 inside) {
  if (a->bias) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(inside, a->bias + n));
  if (!a->add) return x;
  const int64_t at = m * a->ldy + n;
  if (a->y_type == KERN_F32)
    return _mm512_add_ps(x, _mm512_maskz_loadu_ps(inside, (const float *)a->add + at));
  const __m256i half = _mm256_maskz_loadu_epi16(inside, (const uint16_t *)a->add + at);
  return _mm512_add_ps(x, (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

// A square at (m, n), `rows` rows of it, into y.
static void store_square(const matmul_amx_args *a, const float *c, int64_t m, int64_t n,
                         int64_t rows) {
  const int64_t cols = amx_least(32, a->N - n);
  const __mmask32 inside = cols == 32 ? 0xffffffffu : (1u << cols) - 1;
  const __mmask16 low = (__mmask16)inside, high = (__mmask16)(inside >> 16);
  for (int64_t i = 0; i < rows; i++, m++, c += 32) {
    // one row: its left and its right 16 columns
    const __m512 x = finish(a, _mm512_loadu_ps(c), m, n, low);
    const __m512 y = finish(a, _mm512_loadu_ps(c + 16), m, n + 16, high);
    if (a->y_type == KERN_F32) {
      _mm512_mask_storeu_ps((float *)a->y + m * a->ldy + n, low, x);
      _mm512_mask_storeu_ps((float *)a->y + m * a->ldy + n + 16, high, y);
    } else {
      _mm512_mask_storeu_epi16((uint16_t *)a->y + m * a->ldy + n, inside, amx_narrow(x, y));
    }
  }
}

// Fetches row r of the next 32 rows from m: of x, and of y's columns n0..n1.
AMX_INLINE void fetch_row(const matmul_amx_args *a, int64_t m, int64_t n0, int64_t n1) {
  if (m >= a->M) return;
  const int64_t size = (int64_t)kern_dtype_size(a->y_type);
  for (int64_t k = 0; k < a->K; k += 32) _mm_prefetch(a->x + m * a->ldx + k, _MM_HINT_T1);
  for (int64_t n = n0; n < n1; n += 64 / size)
    __builtin_prefetch((const char *)a->y + (m * a->ldy + n) * size, 1, 2);
}

// Rows m..m+31 (fewer at the end), columns n0..n1.
static void run_rows(const matmul_amx_args *a, int64_t m, int64_t n0, int64_t n1,
                     const uint16_t *packed, const memory *mem) {
  const int64_t depth = a->K / 32, rows = amx_least(32, a->M - m);
  const int halves = rows > 16 ? 2 : 1;
  const amx_left x = amx_rows_left((amx_rows){a->x, a->ldx}, m, a->M, a->K, mem->spare);
  const int64_t group = depth > DEPTH_CHUNK ? GROUP : 1;
  // With one chunk of the depth a square is finished at once; with more, GROUP of them wait for the
  // next chunk, so that a chunk of x is used GROUP times while it is in the first-level cache.
  int64_t ahead = m + 32;
  const int64_t ahead_end = m + 64, step = (32 * 32 + n1 - n0 - 1) / (n1 - n0);
  for (int64_t n = n0; n < n1; n += 32 * group) {
    const int64_t end = amx_least(n + 32 * group, n1);
    // multiply: chunk by chunk of the depth, square by square
    for (int64_t d = 0; d < depth; d += DEPTH_CHUNK) {
      const amx_left left = {(const char *)x.top + d * x.step, (const char *)x.bottom + d * x.step,
                             x.stride, x.step};
      for (int64_t c = n; c < end; c += 32) {
        const uint16_t *right = packed + (c / 16 * depth + d) * AMX_TILE;
        amx_product(halves, a->N - c > 16 ? 2 : 1, amx_least(DEPTH_CHUNK, depth - d), left, right,
                    right + depth * AMX_TILE, mem->c + (c - n) * 32, 32, d > 0);
      }
    }
    // finish: bias, add, one rounding; meanwhile some of the next rows are fetched
    for (int64_t c = n; c < end; c += 32) {
      store_square(a, mem->c + (c - n) * 32, m, c, rows);
      for (int64_t i = 0; i < step && ahead < ahead_end; i++) fetch_row(a, ahead++, n0, n1);
    }
  }
}

enum { PIECE_ROWS = 4 * 32 };

typedef struct {
  const matmul_amx_args *a;
  uint16_t *packed;
  char *scratch; // of all threads
  size_t bytes;  // of one
  int64_t strip; // columns
} run_ctx;

static void pack_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const run_ctx *c = ctx;
  for (int64_t n = first; n < end; n += 32) pack_columns(c->a, n, c->packed);
}

// Items are the rows of the first strip of columns, then those of the second, ...; a piece lies in
// one of them.
static void run_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const run_ctx *c = ctx;
  const int64_t rows = amx_pad(c->a->M, PIECE_ROWS), n = first / rows * c->strip;
  amx_scratch part = {.base = cpu_scratch_of(c->scratch, c->bytes, thread)};
  const memory mem = memory_divide(c->a->K, &part);
  const int64_t m = first % rows, m_end = amx_least(m + end - first, c->a->M);
  amx_begin();
  for (int64_t i = m; i < m_end; i += 32)
    run_rows(c->a, i, n, amx_least(n + c->strip, c->a->N), c->packed, &mem);
  amx_end();
}

orr_code matmul_amx_run(kern *k, const matmul_amx_args *a) {
  const size_t packed_bytes = (size_t)(amx_pad(a->N, 32) * a->K * 2);
  const int64_t strip = amx_pad(amx_least(STRIP_BYTES / (a->K * 2) + 1, a->N), 32);
  amx_scratch count = {0};
  memory_divide(a->K, &count);
  void *workspace;
  ORR_TRY(cpu_workspace(k, packed_bytes + cpu_scratch_bytes(k, count.used), &workspace));
  if (k->planning) return ORR_OK;
  const run_ctx c = {.a = a,
                     .packed = workspace,
                     .scratch = (char *)workspace + packed_bytes,
                     .bytes = count.used,
                     .strip = strip};
  const int64_t strips = (a->N + strip - 1) / strip;
  cpu_run(k, a->N, 32, pack_part, &c);
  cpu_run(k, strips * amx_pad(a->M, PIECE_ROWS), PIECE_ROWS, run_part, &c);
  return ORR_OK;
}
