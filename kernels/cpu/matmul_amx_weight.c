// dw[N,K] (= or +=) dy[M,N]^T x[M,K] on AMX tiles.
//
// The wider of dy and x is the right operand; the narrower one, transposed, is the left operand:
// c[narrow, wide] = narrow^T wide, so that the costlier packing is that of fewer columns. c is cut
// into blocks, one task each. A task takes CHUNK rows at a time, packs its columns of both
// operands into the second-level cache and adds their product to its block, which stays there
// too. Every element is summed over the rows in one order, whatever the number of threads.
#include "kernels/cpu/matmul_amx.h"

#include "kernels/cpu/amx.h"

enum { CHUNK = 256, NARROW_MOST = 512, WIDE_MOST = 768 };
enum { SQUARE = 32 * 32 }; // floats of one square of c: 2 x 2 tiles

static int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// How c is cut: blocks of at most narrow_block x wide_block, multiples of 32.
typedef struct {
  const uint16_t *narrow, *wide;
  int64_t ld_narrow, ld_wide;
  int64_t M, V, W; // rows of both, columns of narrow, of wide
  int64_t narrow_block, wide_block, narrow_blocks, wide_blocks;
  bool wide_is_dy;
} cut;

static cut cut_of(const kern_matmul_bwd_w_args *a, int threads) {
  cut c = {.M = a->M, .wide_is_dy = a->N > a->K};
  c.narrow = c.wide_is_dy ? a->x : a->dy, c.wide = c.wide_is_dy ? a->dy : a->x;
  c.ld_narrow = c.wide_is_dy ? a->ldx : a->lddy, c.ld_wide = c.wide_is_dy ? a->lddy : a->ldx;
  c.V = c.wide_is_dy ? a->K : a->N, c.W = c.wide_is_dy ? a->N : a->K;
  c.narrow_blocks = divide_up(c.V, NARROW_MOST);
  c.narrow_block = amx_pad(divide_up(c.V, c.narrow_blocks), 32);
  c.narrow_blocks = divide_up(c.V, c.narrow_block);
  // As many wide blocks as keep all threads busy to the end.
  c.wide_blocks = divide_up(divide_up(c.W, WIDE_MOST), threads) * threads;
  c.wide_block = amx_pad(divide_up(c.W, c.wide_blocks), 32);
  c.wide_blocks = divide_up(c.W, c.wide_block);
  return c;
}

// The scratch of one thread.
typedef struct {
  uint16_t *left, *right; // packed chunks
  float *c;               // squares of the block
} memory;

static size_t memory_bytes(const cut *c) {
  return (size_t)((c->narrow_block + c->wide_block) * CHUNK * 2 +
                  c->narrow_block * c->wide_block * 4);
}

static memory memory_divide(const cut *c, void *scratch) {
  memory m;
  m.left = scratch;
  m.right = m.left + c->narrow_block * CHUNK;
  m.c = (float *)(m.right + c->wide_block * CHUNK);
  return m;
}

// Asks for `rows` rows of x, `cols` columns each, to be in the second-level cache soon.
AMX_INLINE void fetch_rows(const uint16_t *x, int64_t stride, int64_t rows, int64_t cols) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < cols; c += 32) _mm_prefetch(x + r * stride + c, _MM_HINT_T1);
}

// c[v, w] (= or +=) over `rows` rows from row m; v and w are the block's own columns. Meanwhile the
// next chunk's rows are fetched, a few for each square: otherwise half of the time is waiting.
static void add_chunk(const cut *c, int64_t v0, int64_t w0, int64_t m, int64_t rows,
                      const memory *mem) {
  const int64_t depth = amx_pad(rows, 32) / 32;
  const int64_t V = amx_pad(amx_least(c->narrow_block, c->V - v0), 32);
  const int64_t W = amx_pad(amx_least(c->wide_block, c->W - w0), 32);
  // pack: both are right operands as they lie; transposing a tile's words makes it a left one
  amx_pack_plain(c->narrow + m * c->ld_narrow + v0, c->ld_narrow, rows, amx_least(V, c->V - v0),
                 mem->left);
  for (int64_t t = 0; t < V / 16 * depth; t++)
    amx_transpose_tile(mem->left + t * AMX_TILE, mem->left + t * AMX_TILE);
  amx_pack_plain(c->wide + m * c->ld_wide + w0, c->ld_wide, rows, amx_least(W, c->W - w0),
                 mem->right);
  // multiply: every square of the block gets this chunk's part, and fetches `step` of the next rows
  const int64_t step = divide_up(CHUNK, V / 32 * (W / 32));
  int64_t next = m + rows;
  float *square = mem->c;
  for (int64_t v = 0; v < V; v += 32) {
    const uint16_t *top = mem->left + v / 16 * depth * AMX_TILE;
    const amx_left left = {top, top + depth * AMX_TILE, 64, AMX_TILE * 2};
    for (int64_t w = 0; w < W; w += 32, square += SQUARE) {
      const uint16_t *right = mem->right + w / 16 * depth * AMX_TILE;
      const int64_t ahead = amx_least(step, c->M - next);
      fetch_rows(c->wide + next * c->ld_wide + w0, c->ld_wide, ahead, W);
      fetch_rows(c->narrow + next * c->ld_narrow + v0, c->ld_narrow, ahead, V);
      next += ahead;
      amx_product(2, 2, depth, left, right, right + depth * AMX_TILE, square, 32, m > 0);
    }
  }
}

// A row of at most 16 values into dw.
AMX_INLINE void store_row(float *dw, __m512 x, int64_t count, bool overwrite) {
  const __mmask16 inside = count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1);
  if (!overwrite) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(inside, dw));
  _mm512_mask_storeu_ps(dw, inside, x);
}

// A quarter of a square, 16 x 16 at (v, w), into dw; transposed when w counts dw's rows.
static void store_quarter(const kern_matmul_bwd_w_args *a, const cut *c, int64_t v, int64_t w,
                          const float *square) {
  __m512i r[16];
  const int64_t rows = c->wide_is_dy ? c->W - w : c->V - v;
  const int64_t cols = c->wide_is_dy ? c->V - v : c->W - w;
  float *dw = c->wide_is_dy ? a->dw + w * a->K + v : a->dw + v * a->K + w;
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(square + i * 32);
  if (c->wide_is_dy) amx_transpose_words(r);
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++)
    if (i < rows && cols > 0) store_row(dw + i * a->K, (__m512)r[i], cols, a->overwrite);
}

static void run_task(const kern_matmul_bwd_w_args *a, const cut *c, int64_t task,
                     const memory *mem) {
  const int64_t v0 = task / c->wide_blocks * c->narrow_block;
  const int64_t w0 = task % c->wide_blocks * c->wide_block;
  const int64_t v_end = amx_least(v0 + c->narrow_block, c->V),
                w_end = amx_least(w0 + c->wide_block, c->W);
  // the block over all rows, then its squares into dw
  for (int64_t m = 0; m < a->M; m += CHUNK)
    add_chunk(c, v0, w0, m, amx_least(CHUNK, a->M - m), mem);
  const float *square = mem->c;
  for (int64_t v = v0; v < v_end; v += 32)
    for (int64_t w = w0; w < w_end; w += 32, square += SQUARE)
      for (int quarter = 0; quarter < 4; quarter++) {
        const int64_t down = quarter / 2 * 16, right = quarter % 2 * 16;
        store_quarter(a, c, v + down, w + right, square + down * 32 + right);
      }
}

typedef struct {
  const kern_matmul_bwd_w_args *a;
  const cut *cut;
  void *workspace;
  size_t bytes; // of a thread's scratch
} task_ctx;

static void run_tasks(const void *ctx, int64_t first, int64_t end, int thread) {
  const task_ctx *c = ctx;
  const memory mem = memory_divide(c->cut, cpu_scratch_of(c->workspace, c->bytes, thread));
  amx_begin();
  for (int64_t task = first; task < end; task++) run_task(c->a, c->cut, task, &mem);
  amx_end();
}

orr_code matmul_amx_weight(kern *k, const kern_matmul_bwd_w_args *a) {
  const cut c = cut_of(a, k->threads);
  const size_t bytes = memory_bytes(&c);
  void *workspace;
  ORR_TRY(cpu_workspace(k, cpu_scratch_bytes(k, bytes), &workspace));
  if (k->planning) return ORR_OK;
  cpu_run(k, c.narrow_blocks * c.wide_blocks, 1, run_tasks, &(task_ctx){a, &c, workspace, bytes});
  return ORR_OK;
}
