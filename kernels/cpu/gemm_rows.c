// y[M,N] (=) x[M,K] b[K,N] + bias + add (kernels/cpu/gemm.h).
//
// b is packed as a whole, unless it is there in panels. Then y is cut into blocks, one piece of
// work each: the block's rows of x stay in the second-level cache, and a panel of b in the first
// while it meets all of them. Where x is float32, or pairs, its rows are read where they lie.
// Rows that do not fill the last tile are taken from as many of the tiles before it, one from each:
// 68 rows are 8 tiles of 6 and 4 of 5, and no sum is in vain.
#include "kernels/cpu/gemm.h"

#include "kernels/cpu/gemm_pack.h"
#include "kernels/cpu/gemm_run.h"
#include "kernels/cpu/vec.h"

enum {
  DEPTH_MOST = 384,        // words of a panel's block: 24 KiB of 32-bit words and 16 columns
  LEFT_WORDS = 64 * 1024,  // of a block's rows
  ROWS_MOST = 192,         // of a block
  RIGHT_WORDS = 768 * 1024 // of a block's columns
};

typedef struct {
  const cpu_gemm_rows_args *a;
  gemm_kind kind;
  cpu_vec_kind out;           // of y
  int64_t depth, block;       // words; of one block of the depth
  int64_t rows, cols;         // of a block of y, whole tiles
  int64_t across, down;       // blocks of y
  int64_t levels;             // sums of a tile that wait for others: 1, more with slices
  bool copied;                // rows of x are made words first
  const uint32_t *packed;     // panels of b
  char *scratch;              // of all threads
  size_t packed_bytes, bytes; // of one thread's scratch
} plan;

// The scratch of one thread.
typedef struct {
  int64_t *block; // whose rows are in `left`, as its first row; -1 = nobody's
  uint32_t *left; // rows of x as words: all of a block's, or those of its last, partial tile
  float *sums;    // tiles of one panel of a block, while they are not finished
} memory;

// The tiles of a block's rows.
typedef struct {
  int64_t count, whole; // tiles; those of GEMM_ROWS rows, which come first
  bool padded;          // the last one's missing rows are zeros, as the others cannot spare any
} tiling;

static int64_t at_least_1(int64_t n) {
  return n > 1 ? n : 1;
}
static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}
static int64_t parts(int64_t n, int64_t of) {
  return (n + of - 1) / of;
}
// n in equal parts of whole units, none above `most`.
static int64_t even_part(int64_t n, int64_t most, int64_t unit) {
  return parts(parts(n, parts(n, most)), unit) * unit;
}

static gemm_kind kind_of(const kern *k, kern_dtype type) {
  if (type == KERN_F32) return GEMM_FLOATS;
  return CPU_LANES == 16 && k->bf16_native ? GEMM_PAIRS : GEMM_WIDENED;
}

// Whether a slice ends within a pair.
static bool is_odd(const kern_slices *s) {
  for (int g = 0; s && g < s->segments; g++)
    for (int i = 0; i <= s->count; i++)
      if (s->at[g][i] % 2 != 0) return true;
  return false;
}

static plan plan_of(const kern *k, const cpu_gemm_rows_args *a) {
  plan p = {.a = a, .kind = kind_of(k, a->type), .out = cpu_vec_kind_of(k, a->y_type)};
  if (p.kind == GEMM_PAIRS && is_odd(a->slices)) p.kind = GEMM_WIDENED;
  for (p.levels = 1; a->slices && a->slices->count >> p.levels; p.levels++) {
  }
  p.depth = gemm_words(a->K, p.kind);
  p.block = even_part(p.depth, DEPTH_MOST, 1);
  p.copied = p.kind == GEMM_WIDENED || (p.kind == GEMM_PAIRS && a->K % 2 != 0);
  const int64_t rows = least(ROWS_MOST, at_least_1(LEFT_WORDS / p.depth));
  p.rows = even_part(a->M, rows > GEMM_ROWS ? rows : GEMM_ROWS, GEMM_ROWS);
  p.down = parts(a->M, p.rows);
  // Columns: as many as stay in the last-level cache, fewer where threads would have no work.
  const int64_t cols = at_least_1(RIGHT_WORDS / p.depth), wanted = parts(8 * k->threads, p.down);
  const int64_t narrow = at_least_1(a->N / wanted);
  p.cols = even_part(a->N, least(cols, narrow), GEMM_COLS);
  p.across = parts(a->N, p.cols);
  if (!a->packed)
    p.packed_bytes = cpu_round_up((size_t)(parts(a->N, GEMM_COLS) * GEMM_COLS * p.depth) * 4);
  const int64_t left = (p.copied ? p.rows : GEMM_ROWS) * p.depth;
  p.bytes =
      64 + (size_t)(parts(left, 16) * 16 + p.levels * parts(p.rows, GEMM_ROWS) * GEMM_TILE) * 4;
  return p;
}

static memory memory_of(const plan *p, int thread) {
  const int64_t left = (p->copied ? p->rows : GEMM_ROWS) * p->depth;
  char *base = cpu_scratch_of(p->scratch, p->bytes, thread);
  uint32_t *words = (uint32_t *)(void *)(base + 64);
  return (memory){.block = (int64_t *)(void *)base,
                  .left = words,
                  .sums = (float *)(void *)(words + parts(left, 16) * 16)};
}

static tiling tiling_of(int64_t rows) {
  const int64_t count = parts(rows, GEMM_ROWS), missing = count * GEMM_ROWS - rows;
  const bool padded = missing > count;
  return (tiling){.count = count, .whole = padded ? count : count - missing, .padded = padded};
}

static int64_t first_row(const tiling *s, int64_t t) {
  return t * GEMM_ROWS - (t > s->whole ? t - s->whole : 0);
}

// A right operand that becomes panels.
typedef struct {
  gemm_matrix b;
  gemm_kind kind;
  bool transposed;
  int64_t N, K, depth;
  uint32_t *to;
} packing;

static void pack_panels(const void *ctx, int64_t first, int64_t end, int thread) {
  const packing *p = ctx;
  for (int64_t panel = first; panel < end; panel++) {
    uint32_t *to = p->to + panel * GEMM_COLS * p->depth;
    const int64_t n = panel * GEMM_COLS, count = p->N - n;
#define PACK(kind)                                                                                 \
  p->transposed ? gemm_pack_along(p->b, p->K, n, count, to, kind)                                  \
                : gemm_pack_down(p->b, p->K, 0, p->depth, n, count, GEMM_COLS, to, kind)
    if (p->kind == GEMM_FLOATS)
      PACK(GEMM_FLOATS);
    else if (p->kind == GEMM_WIDENED)
      PACK(GEMM_WIDENED);
    else
      PACK(GEMM_PAIRS);
#undef PACK
  }
}

size_t CPU_FN(cpu_packed_bytes)(const kern *k, kern_dtype type, int64_t N, int64_t K) {
  return (size_t)(parts(N, GEMM_COLS) * GEMM_COLS * gemm_words(K, kind_of(k, type))) * 4;
}

orr_code CPU_FN(pack_weight)(kern *k, const kern_pack_weight_args *a) {
  const gemm_kind kind = kind_of(k, a->type);
  if (k->planning) return ORR_OK;
  cpu_run(k, parts(a->N, GEMM_COLS), 1, pack_panels,
          &(packing){.b = {a->w, a->K},
                     .kind = kind,
                     .transposed = true,
                     .N = a->N,
                     .K = a->K,
                     .depth = gemm_words(a->K, kind),
                     .to = a->packed});
  return ORR_OK;
}

static const char *row_of(const plan *p, int64_t m) {
  return (const char *)p->a->x + (size_t)(m * p->a->ldx) * kern_dtype_size(p->a->type);
}

// Rows m .. m + count - 1 as words; those of a tile that are missing are zeros.
static void copy_rows(const plan *p, int64_t m, int64_t count, uint32_t *to) {
  for (int64_t i = 0; i < count; i++, to += p->depth) {
    if (p->kind == GEMM_FLOATS)
      gemm_pack_row(row_of(p, m + i), p->a->K, to, GEMM_FLOATS);
    else if (p->kind == GEMM_WIDENED)
      gemm_pack_row(row_of(p, m + i), p->a->K, to, GEMM_WIDENED);
    else
      gemm_pack_row(row_of(p, m + i), p->a->K, to, GEMM_PAIRS);
  }
  const int64_t missing = parts(count, GEMM_ROWS) * GEMM_ROWS - count;
  memset(to, 0, (size_t)(missing * p->depth) * 4);
}

// The rows of tile t of a block that begins at row m0.
static gemm_rows_at rows_of(const plan *p, const memory *mem, int64_t m0, const tiling *s,
                            int64_t t) {
  const int64_t word_row = p->depth * 4, first = first_row(s, t);
  if (p->copied) return (gemm_rows_at){(const char *)(mem->left + first * p->depth), word_row};
  if (s->padded && t + 1 == s->count) return (gemm_rows_at){(const char *)mem->left, word_row};
  return (gemm_rows_at){row_of(p, m0 + first), p->a->ldx * (int64_t)kern_dtype_size(p->a->type)};
}

#define TILES(name, rows, kind)                                                                    \
  static __attribute__((noinline)) void name(const gemm_tiles *r) {                                \
    gemm_run(*r, rows, kind);                                                                      \
  }
TILES(floats_whole, GEMM_ROWS, GEMM_FLOATS)
TILES(floats_lesser, GEMM_ROWS - 1, GEMM_FLOATS)
TILES(pairs_whole, GEMM_ROWS, GEMM_PAIRS)
TILES(pairs_lesser, GEMM_ROWS - 1, GEMM_PAIRS)
#undef TILES

// Tiles of `rows` rows: GEMM_ROWS, or one less.
static void multiply(const plan *p, const gemm_tiles *r, int64_t rows) {
  if (p->kind == GEMM_PAIRS)
    (rows == GEMM_ROWS ? pairs_whole : pairs_lesser)(r);
  else
    (rows == GEMM_ROWS ? floats_whole : floats_lesser)(r);
}

// Tiles t .. end - 1 of a block that begins at row m0, all of one kind: words d .. d + depth - 1 of
// panel `right` to their sums, from which `init` has them begin.
static gemm_tiles tiles_of(const plan *p, const memory *mem, int64_t m0, const tiling *s, int64_t t,
                           int64_t end, const float *right, int64_t d, int64_t depth, float *sums,
                           bool init) {
  gemm_tiles r = {.count = end - t,
                  .depth = depth,
                  .x = rows_of(p, mem, m0, s, t),
                  .right = right + d * GEMM_COLS,
                  .init = init ? sums + t * GEMM_TILE : NULL,
                  .c = sums + t * GEMM_TILE,
                  .ldc = GEMM_COLS,
                  .next_tile = GEMM_TILE};
  r.x.p += d * 4;
  return r;
}

// Sums of a tile, plus bias and add, to rows m and columns n of y.
CPU_INLINE void finish(const plan *p, int64_t m, int64_t rows, int64_t n, const float *sums,
                       cpu_vec_kind out) {
  const cpu_gemm_rows_args *a = p->a;
  const kern_dtype type = cpu_vec_type(out);
  const int64_t cols = least(GEMM_COLS, a->N - n);
  for (int64_t i = 0; i < rows; i++, sums += GEMM_COLS) {
    void *y = cpu_lane_row_mut(a->y, (m + i) * a->ldy + n, 1, type);
    const void *add = a->add ? cpu_lane_row(a->add, (m + i) * a->ldy + n, 1, type) : NULL;
    for (int64_t c = 0; c < cols; c += CPU_LANES) {
      cpu_vf v = cpu_vf_load(sums + c);
      if (a->bias) v += cpu_vec_f32(a->bias + n, c, cols - c);
      if (add) v += cpu_vec_get(add, c, cols - c, out);
      cpu_vec_set(y, c, cols - c, v, out);
    }
  }
}

// Tiles t .. end - 1 of panel n / GEMM_COLS, all of `rows` rows, over the whole depth. Where they
// can, sums go from the registers to y.
static void run_tiles(const plan *p, const memory *mem, int64_t m0, int64_t count, int64_t n,
                      const tiling *s, int64_t t, int64_t end) {
  const cpu_gemm_rows_args *a = p->a;
  const float *panel = (const float *)(const void *)(p->packed + n * p->depth);
  const int64_t m = m0 + first_row(s, t), at = m * a->ldy + n;
  const int64_t rows = t < s->whole ? GEMM_ROWS : GEMM_ROWS - 1;
  const bool direct = a->y_type == KERN_F32 && !a->bias && n + GEMM_COLS <= a->N &&
                      m + (end - t) * rows <= m0 + count;
  for (int64_t d = 0; d < p->depth; d += p->block) {
    const int64_t depth = least(p->block, p->depth - d);
    gemm_tiles r = tiles_of(p, mem, m0, s, t, end, panel, d, depth, mem->sums, d > 0);
    if (direct && d + depth == p->depth) {
      r.c = (float *)a->y + at;
      r.add = a->add ? (const float *)a->add + at : NULL;
      r.ldc = a->ldy;
      r.next_tile = rows * a->ldy;
      r.fetch = true;
    }
    if (direct || d + depth < p->depth) {
      multiply(p, &r, rows);
      continue;
    }
    for (; t < end; t++) { // one by one, as their sums lie in the nearest cache
      const int64_t first = m0 + first_row(s, t);
      r = tiles_of(p, mem, m0, s, t, t + 1, panel, d, depth, mem->sums, d > 0);
      multiply(p, &r, rows);
      CPU_VEC_CALL(p->out, finish, p, first, least(rows, m0 + count - first), n,
                   mem->sums + t * GEMM_TILE);
    }
  }
}

// All tiles of panel n / GEMM_COLS, over the rows of a block.
static void run_panel(const plan *p, const memory *mem, int64_t m0, int64_t count, int64_t n) {
  const tiling s = tiling_of(count);
  const int64_t alike = s.whole - (s.padded ? 1 : 0);
  if (alike > 0) run_tiles(p, mem, m0, count, n, &s, 0, alike);
  if (s.padded) run_tiles(p, mem, m0, count, n, &s, alike, s.whole);
  if (s.whole < s.count) run_tiles(p, mem, m0, count, n, &s, s.whole, s.count);
}

// Words [from, to) of the depth, added to the sums of all tiles at `level`; `begin`: from 0.
static void add_words(const plan *p, const memory *mem, const tiling *s, int64_t m0,
                      const float *panel, int64_t from, int64_t to, int level, bool begin) {
  float *sums = mem->sums + level * s->count * GEMM_TILE;
  const int64_t alike = s->whole - (s->padded ? 1 : 0);
  for (int64_t d = from; d < to; d += DEPTH_MOST) {
    const int64_t depth = least(DEPTH_MOST, to - d);
    const bool init = !begin || d > from;
    const gemm_tiles whole = tiles_of(p, mem, m0, s, 0, alike, panel, d, depth, sums, init);
    multiply(p, &whole, GEMM_ROWS);
    const gemm_tiles rest = tiles_of(p, mem, m0, s, alike, s->count, panel, d, depth, sums, init);
    multiply(p, &rest, s->padded ? GEMM_ROWS : GEMM_ROWS - 1);
  }
}

// The sums at `level` become part of those before them.
static void merge(const memory *mem, const tiling *s, int level) {
  const int64_t n = s->count * GEMM_TILE;
  float *restrict low = mem->sums + (level - 1) * n;
  const float *restrict high = mem->sums + level * n;
  for (int64_t i = 0; i < n; i += CPU_LANES)
    cpu_vf_store(low + i, cpu_vf_load(low + i) + cpu_vf_load(high + i));
}

// As run_panel, slice by slice: a sum of each, added as a binary counter carries.
static void run_slices(const plan *p, const memory *mem, int64_t m0, int64_t count, int64_t n) {
  const kern_slices *slices = p->a->slices;
  const float *panel = (const float *)(const void *)(p->packed + n * p->depth);
  const tiling s = tiling_of(count);
  const int64_t of = p->kind == GEMM_PAIRS ? 2 : 1;
  int level = 0;
  for (int i = 0; i < slices->count; i++, level++) {
    bool begin = true; // a slice may have nothing of its first segments
    for (int g = 0; g < slices->segments; g++) {
      const int64_t from = slices->at[g][i] / of, to = slices->at[g][i + 1] / of;
      add_words(p, mem, &s, m0, panel, from, to, level, begin);
      if (to > from) begin = false;
    }
    for (int carry = i; carry & 1; carry >>= 1) merge(mem, &s, level--);
  }
  for (int64_t t = 0; t < s.count; t++) {
    const int64_t m = m0 + first_row(&s, t), rows = m0 + count - m;
    const int64_t its = least(rows, t < s.whole ? GEMM_ROWS : GEMM_ROWS - 1);
    CPU_VEC_CALL(p->out, finish, p, m, its, n, mem->sums + t * GEMM_TILE);
  }
}

// Blocks go down the rows first, so that one block of columns stays in the cache; where rows have
// to be copied, along the columns, so that they are copied once.
static void run_blocks(const void *ctx, int64_t first, int64_t end, int thread) {
  const plan *p = ctx;
  const memory mem = memory_of(p, thread);
  for (int64_t i = first; i < end; i++) {
    const int64_t row = p->copied ? i / p->across : i % p->down;
    const int64_t col = p->copied ? i % p->across : i / p->down;
    const int64_t m = row * p->rows, count = least(p->rows, p->a->M - m);
    const int64_t n = col * p->cols, whole = count / GEMM_ROWS * GEMM_ROWS;
    const tiling s = tiling_of(count);
    if (*mem.block != m) {
      if (p->copied)
        copy_rows(p, m, count, mem.left);
      else if (s.padded)
        copy_rows(p, m + whole, count - whole, mem.left);
      *mem.block = m;
    }
    for (int64_t c = n; c < least(n + p->cols, p->a->N); c += GEMM_COLS)
      (p->a->slices ? run_slices : run_panel)(p, &mem, m, count, c);
  }
}

orr_code CPU_FN(cpu_gemm_rows)(kern *k, const cpu_gemm_rows_args *a) {
  plan p = plan_of(k, a);
  void *workspace;
  ORR_TRY(cpu_workspace(k, p.packed_bytes + cpu_scratch_bytes(k, p.bytes), &workspace));
  if (k->planning) return ORR_OK;
  p.packed = a->packed ? a->packed : workspace;
  p.scratch = (char *)workspace + p.packed_bytes;
  if (!a->packed)
    cpu_run(k, parts(a->N, GEMM_COLS), 1, pack_panels,
            &(packing){.b = {a->b, a->ldb},
                       .kind = p.kind,
                       .transposed = a->b_transposed,
                       .N = a->N,
                       .K = a->K,
                       .depth = p.depth,
                       .to = workspace});
  for (int t = 0; t < k->threads; t++) *memory_of(&p, t).block = -1;
  cpu_run(k, p.down * p.across, 1, run_blocks, &p);
  return ORR_OK;
}
