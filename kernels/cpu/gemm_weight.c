// dw[N,K] (= or +=) dy[M,N]^T x[M,K] (kernels/cpu/gemm.h).
//
// dw is cut into blocks, and the rows of dy and x into slices. A piece of work is one block over
// one slice: it packs a few hundred rows of its columns at a time and adds their product to its
// sums, which stay in the second-level cache. Where there are several slices their sums are added
// up in order at the end.
#include "kernels/cpu/gemm.h"

#include "kernels/cpu/gemm_pack.h"

enum {
  BLOCK_ROWS = 192,   // of dw
  BLOCK_COLS = 256,   //
  DEPTH = 192,        // words packed at a time
  SLICE_DEPTH = 1024, // words, at least
  PIECES = 32,        // wanted
  CHUNK = 8           // words of depth that go from rows to panels at a time
};

typedef struct {
  const kern_matmul_bwd_w_args *a;
  gemm_kind kind;
  int64_t depth, slice;                  // words; of one slice
  int64_t rows, cols;                    // of a block of dw, whole tiles
  int64_t down, across, slices;          // blocks, slices
  float *sums;                           // of all pieces where there are several slices
  char *scratch;                         // of all threads
  size_t sums_bytes, block_bytes, bytes; // of a piece's sums; of one thread's scratch
} plan;

// The scratch of one thread.
typedef struct {
  uint32_t *left, *right; // panels of dy, of x
  float *sums;            // tiles of a block, where there is one slice
} memory;

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}
static int64_t parts(int64_t n, int64_t of) {
  return (n + of - 1) / of;
}
static int64_t even_part(int64_t n, int64_t most, int64_t unit) {
  return parts(parts(n, parts(n, most)), unit) * unit;
}

static plan plan_of(const kern *k, const kern_matmul_bwd_w_args *a) {
  plan p = {.a = a, .kind = GEMM_FLOATS};
  if (a->type == KERN_BF16) p.kind = CPU_LANES == 16 && k->bf16_native ? GEMM_PAIRS : GEMM_WIDENED;
  p.depth = gemm_words(a->M, p.kind);
  p.rows = even_part(a->N, BLOCK_ROWS, GEMM_ROWS);
  p.cols = even_part(a->K, BLOCK_COLS, GEMM_COLS);
  p.down = parts(a->N, p.rows);
  p.across = parts(a->K, p.cols);
  // Of the shape alone, or of the rows alone: the slices decide the order of sums.
  const int64_t most = p.depth / SLICE_DEPTH,
                wanted = k->exact ? most : parts(PIECES, p.down * p.across);
  p.slices = wanted < most ? wanted : most > 1 ? most : 1;
  p.slice = even_part(p.depth, parts(p.depth, p.slices), DEPTH);
  p.slices = parts(p.depth, p.slice);
  p.block_bytes = cpu_round_up((size_t)(p.rows * p.cols) * 4);
  if (p.slices > 1) p.sums_bytes = p.block_bytes * (size_t)(p.down * p.across * p.slices);
  p.bytes = cpu_round_up((size_t)((p.rows + p.cols) * DEPTH) * 4);
  if (p.slices == 1) p.bytes += p.block_bytes;
  return p;
}

static memory memory_of(const plan *p, int thread) {
  uint32_t *base = cpu_scratch_of(p->scratch, p->bytes, thread);
  uint32_t *right = base + p->rows * DEPTH;
  return (memory){
      .left = base,
      .right = right,
      .sums =
          (float *)(void *)(base + cpu_round_up((size_t)((p->rows + p->cols) * DEPTH) * 4) / 4)};
}

// Words d0 .. d1 - 1 of columns c0 .. c0 + count - 1 of x into panels of `width` columns, each of
// DEPTH words. A few rows at a time, so that they and the panels' ends lie in the cache.
CPU_INLINE void pack_block(const plan *p, gemm_matrix x, int64_t d0, int64_t d1, int64_t c0,
                           int64_t count, int width, uint32_t *to, gemm_kind kind) {
  for (int64_t d = d0; d < d1; d += CHUNK)
    for (int64_t c = 0; c < count; c += width)
      gemm_pack_down(x, p->a->M, d, least(d + CHUNK, d1), c0 + c, count - c, width,
                     to + c * DEPTH + (d - d0) * width, kind);
}

// Rows of an operand that are fetched into the second-level cache while others are multiplied:
// packing them would wait for memory.
typedef struct {
  const char *p;
  int64_t stride, bytes; // of a row
  int64_t rows;          // left
} fetch;

static fetch fetch_of(gemm_matrix x, kern_dtype type, int64_t row, int64_t end, int64_t column,
                      int64_t count) {
  const int64_t size = (int64_t)kern_dtype_size(type);
  return (fetch){.p = (const char *)x.p + (row * x.ld + column) * size,
                 .stride = x.ld * size,
                 .bytes = count * size,
                 .rows = end > row ? end - row : 0};
}

CPU_INLINE void fetch_rows(fetch *f, int64_t rows) {
  for (; rows > 0 && f->rows > 0; rows--, f->rows--, f->p += f->stride)
    for (int64_t i = 0; i < f->bytes; i += 64) __builtin_prefetch(f->p + i, 0, 2);
}

// One block of the panels' depth added to the sums of all tiles.
CPU_INLINE void add_block(const plan *p, int64_t depth, bool begin, int64_t rows, int64_t cols,
                          const memory *mem, float *sums, fetch *next, gemm_kind kind) {
  const int64_t tiles = parts(rows, GEMM_ROWS) * parts(cols, GEMM_COLS);
  const int64_t step = parts(next[0].rows, tiles);
  for (int64_t c = 0; c < cols; c += GEMM_COLS) {
    const float *right = (const float *)(const void *)(mem->right + c * DEPTH);
    for (int64_t r = 0; r < rows; r += GEMM_ROWS, sums += GEMM_TILE) {
      fetch_rows(&next[0], step);
      fetch_rows(&next[1], step);
      gemm_tile(depth, (const char *)(mem->left + r * DEPTH), 4, 4 * GEMM_ROWS, right,
                begin ? NULL : sums, GEMM_COLS, sums, GEMM_COLS, NULL, GEMM_ROWS, kind);
    }
  }
}

CPU_INLINE void sum_slice(const plan *p, int64_t n, int64_t c, int64_t d0, int64_t d1,
                          const memory *mem, float *sums, gemm_kind kind) {
  const gemm_matrix dy = {p->a->dy, p->a->lddy}, x = {p->a->x, p->a->ldx};
  const int64_t rows = least(p->rows, p->a->N - n), cols = least(p->cols, p->a->K - c);
  for (int64_t d = d0; d < d1; d += DEPTH) {
    const int64_t end = least(d + DEPTH, d1);
    pack_block(p, dy, d, end, n, rows, GEMM_ROWS, mem->left, kind);
    pack_block(p, x, d, end, c, cols, GEMM_COLS, mem->right, kind);
    const int64_t of = kind == GEMM_PAIRS ? 2 : 1; // rows in a word
    const int64_t m = least(of * end, p->a->M), m_end = least(of * least(end + DEPTH, d1), p->a->M);
    fetch next[] = {fetch_of(dy, p->a->type, m, m_end, n, rows),
                    fetch_of(x, p->a->type, m, m_end, c, cols)};
    add_block(p, end - d, d == d0, rows, cols, mem, sums, next, kind);
  }
}

// The sums of one block, over `slices` slices that lie `apart` floats apart, to dw.
static void store_block(const plan *p, int64_t n, int64_t c0, const float *sums, int64_t slices,
                        int64_t apart) {
  const kern_matmul_bwd_w_args *a = p->a;
  const int64_t rows = least(p->rows, a->N - n), cols = least(p->cols, a->K - c0);
  for (int64_t c = 0; c < cols; c += GEMM_COLS)
    for (int64_t r = 0; r < rows; r++, sums += GEMM_COLS) {
      float *dw = a->dw + (n + r) * a->K + c0 + c;
      const int64_t count = least(GEMM_COLS, cols - c);
      float total[GEMM_COLS];
      memcpy(total, sums, sizeof total);
      for (int64_t s = 1; s < slices; s++)
        for (int64_t i = 0; i < GEMM_COLS; i++) total[i] += sums[s * apart + i];
      for (int64_t i = 0; i < count; i++) dw[i] = a->overwrite ? total[i] : dw[i] + total[i];
      if (r + 1 == rows) sums += (parts(rows, GEMM_ROWS) * GEMM_ROWS - rows) * GEMM_COLS;
    }
}

static void run_pieces(const void *ctx, int64_t first, int64_t end, int thread) {
  const plan *p = ctx;
  const memory mem = memory_of(p, thread);
  for (int64_t i = first; i < end; i++) {
    const int64_t block = i % (p->down * p->across), slice = i / (p->down * p->across);
    const int64_t n = block % p->down * p->rows, c = block / p->down * p->cols;
    const int64_t d0 = slice * p->slice, d1 = least(d0 + p->slice, p->depth);
    float *sums = p->slices > 1 ? p->sums + (size_t)i * (p->block_bytes / 4) : mem.sums;
    if (p->kind == GEMM_FLOATS)
      sum_slice(p, n, c, d0, d1, &mem, sums, GEMM_FLOATS);
    else if (p->kind == GEMM_WIDENED)
      sum_slice(p, n, c, d0, d1, &mem, sums, GEMM_WIDENED);
    else
      sum_slice(p, n, c, d0, d1, &mem, sums, GEMM_PAIRS);
    if (p->slices == 1) store_block(p, n, c, sums, 1, 0);
  }
}

static void add_slices(const void *ctx, int64_t first, int64_t end, int thread) {
  const plan *p = ctx;
  const int64_t blocks = p->down * p->across, block_floats = (int64_t)p->block_bytes / 4;
  for (int64_t i = first; i < end; i++)
    store_block(p, i % p->down * p->rows, i / p->down * p->cols, p->sums + i * block_floats,
                p->slices, blocks * block_floats);
}

orr_code CPU_FN(cpu_gemm_weight)(kern *k, const kern_matmul_bwd_w_args *a) {
  plan p = plan_of(k, a);
  void *workspace;
  ORR_TRY(cpu_workspace(k, p.sums_bytes + cpu_scratch_bytes(k, p.bytes), &workspace));
  if (k->planning) return ORR_OK;
  p.sums = workspace;
  p.scratch = (char *)workspace + p.sums_bytes;
  cpu_run(k, p.down * p.across * p.slices, 1, run_pieces, &p);
  if (p.slices > 1) cpu_run(k, p.down * p.across, 1, add_slices, &p);
  return ORR_OK;
}
