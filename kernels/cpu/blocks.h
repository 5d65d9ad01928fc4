// Rows cut into blocks that depend on their number alone. A sum over rows is taken inside each
// block, then over the blocks in order, so its bits do not depend on the number of threads.
#ifndef KERNELS_CPU_BLOCKS_H
#define KERNELS_CPU_BLOCKS_H

#include <stdint.h>

typedef struct {
  int64_t total; // rows
  int64_t rows;  // rows in a block; the last one may be shorter
  int64_t count; // blocks
} cpu_blocks;

// At most 128 blocks, none of less than 32 rows but the last: the partial sums stay small beside
// the rows.
static inline cpu_blocks cpu_blocks_of(int64_t total) {
  int64_t rows = (total + 127) / 128;
  if (rows < 32) rows = 32;
  return (cpu_blocks){.total = total, .rows = rows, .count = (total + rows - 1) / rows};
}

static inline int64_t cpu_blocks_first(const cpu_blocks *b, int64_t i) {
  return i * b->rows;
}
static inline int64_t cpu_blocks_end(const cpu_blocks *b, int64_t i) {
  int64_t end = (i + 1) * b->rows;
  return end < b->total ? end : b->total;
}

// out[c] (+=) the sum over the blocks, in order, of partial[block][c], for c in [first, end).
// Rows of partial are `width` floats apart.
static inline void cpu_blocks_sum(const cpu_blocks *b, const float *partial, int64_t width,
                                  int64_t first, int64_t end, float *out) {
  for (int64_t c0 = first; c0 < end; c0 += 64) {
    float sum[64] = {0};
    int64_t n = end - c0 < 64 ? end - c0 : 64;
    for (int64_t i = 0; i < b->count; i++) {
      const float *row = partial + i * width + c0;
#pragma omp simd
      for (int64_t c = 0; c < n; c++) sum[c] += row[c];
    }
    for (int64_t c = 0; c < n; c++) out[c0 + c] += sum[c];
  }
}

#endif
