// Tiles one below the other that meet one panel of the right operand (kernels/cpu/gemm_tile.h).
#ifndef KERNELS_CPU_GEMM_RUN_H
#define KERNELS_CPU_GEMM_RUN_H

#include "kernels/cpu/gemm_tile.h"

// Where the rows of a tile begin, and how far apart they are in bytes.
typedef struct {
  const char *p;
  int64_t stride;
} gemm_rows_at;

typedef struct {
  int64_t count, depth;   // tiles; words
  gemm_rows_at x;         // of the first one
  const float *right;     // the panel
  const float *init;      // GEMM_TILE sums of each that are there already; NULL = none
  float *c;               // where the first one's sums go
  const float *add;       // laid out as c, NULL = nothing
  int64_t ldc, next_tile; // of c, in floats
  bool fetch;             // c and add are far away
} gemm_tiles;

// The lines in which a tile ends are fetched while it is computed: rows far apart are beyond the
// hardware's own guesses, and each tile would wait for memory.
CPU_INLINE void gemm_fetch_end(const gemm_tiles *r, int rows) {
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++) __builtin_prefetch(r->c + i * r->ldc, 1, 3);
  if (!r->add) return;
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++) __builtin_prefetch(r->add + i * r->ldc, 0, 3);
}

// All of them, each of `rows` rows, a constant.
CPU_INLINE void gemm_run(gemm_tiles r, int rows, gemm_kind kind) {
  for (; r.count > 0; r.count--) {
    if (r.fetch) gemm_fetch_end(&r, rows);
    gemm_tile(r.depth, r.x.p, r.x.stride, 4, r.right, r.init, GEMM_COLS, r.c, r.ldc, r.add, rows,
              kind);
    r.x.p += rows * r.x.stride;
    r.c += r.next_tile;
    if (r.init) r.init += GEMM_TILE;
    if (r.add) r.add += r.next_tile;
  }
}

#endif
