// Copies and fills. On the CPU all memory is the host's, and a copy goes the same way in, out and
// within.
#include "kernels/cpu/cpu.h"

enum { PIECE = 1 << 18 }; // bytes of one task

static void copy_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_copy_args *a = ctx;
  memcpy((char *)a->dst + first, (const char *)a->src + first, (size_t)(end - first));
}

orr_code CPU_FN(copy)(kern *k, const kern_copy_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, (int64_t)a->bytes, PIECE, copy_part, a);
  return ORR_OK;
}

static void copy_rows_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_copy_rows_args *a = ctx;
  for (int64_t r = first; r < end; r++)
    memcpy((char *)a->dst + (size_t)r * a->dst_pitch,
           (const char *)a->src + (size_t)r * a->src_pitch, a->width);
}

orr_code CPU_FN(copy_rows)(kern *k, const kern_copy_rows_args *a) {
  if (k->planning) return ORR_OK;
  const int64_t grain = a->width < PIECE ? PIECE / ((int64_t)a->width + 1) + 1 : 1;
  cpu_run(k, a->rows, grain, copy_rows_part, a);
  return ORR_OK;
}

static void fill_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_fill_args *a = ctx;
  memset((char *)a->x + first, 0, (size_t)(end - first));
}

orr_code CPU_FN(fill)(kern *k, const kern_fill_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, (int64_t)a->bytes, PIECE, fill_part, a);
  return ORR_OK;
}
