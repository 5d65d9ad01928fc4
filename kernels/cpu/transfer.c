// Copies and fills. On the CPU all memory is the host's, and a copy goes the same way in, out and
// within.
#include "kernels/cpu/cpu.h"

enum { PIECE = 1 << 18 }; // bytes of one task

orr_code CPU_FN(copy)(kern *k, const kern_copy_args *a) {
  if (k->planning) return ORR_OK;
#pragma omp parallel for num_threads(k->threads) schedule(static) if (a->bytes > PIECE)
  for (size_t at = 0; at < a->bytes; at += PIECE)
    memcpy((char *)a->dst + at, (const char *)a->src + at,
           a->bytes - at < PIECE ? a->bytes - at : PIECE);
  return ORR_OK;
}

orr_code CPU_FN(copy_rows)(kern *k, const kern_copy_rows_args *a) {
  if (k->planning) return ORR_OK;
#pragma omp parallel for num_threads(k->threads)                                                   \
    schedule(static) if (a->width * (size_t)a->rows > PIECE)
  for (int64_t r = 0; r < a->rows; r++)
    memcpy((char *)a->dst + (size_t)r * a->dst_pitch,
           (const char *)a->src + (size_t)r * a->src_pitch, a->width);
  return ORR_OK;
}

orr_code CPU_FN(fill)(kern *k, const kern_fill_args *a) {
  if (k->planning) return ORR_OK;
#pragma omp parallel for num_threads(k->threads) schedule(static) if (a->bytes > PIECE)
  for (size_t at = 0; at < a->bytes; at += PIECE)
    memset((char *)a->x + at, 0, a->bytes - at < PIECE ? a->bytes - at : PIECE);
  return ORR_OK;
}
