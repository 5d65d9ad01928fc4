// Copies of whole rows to and from a list of places: the masked positions before the head, and
// their gradients after it.
#include "kernels/cpu/cpu.h"

static void gather_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_gather_rows_args *a = ctx;
  const size_t e = kern_dtype_size(a->type), bytes = (size_t)a->D * e;
  const size_t from = a->ldx ? (size_t)a->ldx * e : bytes, to = a->ldy ? (size_t)a->ldy * e : bytes;
  for (int64_t m = first; m < end; m++) {
    char *y = (char *)a->y + (size_t)m * to;
    if (a->index[m] < 0)
      memset(y, 0, bytes);
    else
      memcpy(y, (const char *)a->x + (size_t)a->index[m] * from, bytes);
  }
}

orr_code CPU_FN(gather_rows)(kern *k, const kern_gather_rows_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, a->D), gather_part, a);
  return ORR_OK;
}

static void scatter_part(const void *ctx, int64_t first, int64_t end, int thread) {
  const kern_scatter_rows_args *a = ctx;
  const size_t bytes = (size_t)a->D * kern_dtype_size(a->type);
  for (int64_t m = first; m < end; m++) {
    const int64_t row = a->index[m] - a->first;
    if (a->index[m] < 0 || row < 0 || row >= a->rows) continue;
    memcpy((char *)a->y + (size_t)row * bytes, (const char *)a->x + (size_t)m * bytes, bytes);
  }
}

orr_code CPU_FN(scatter_rows)(kern *k, const kern_scatter_rows_args *a) {
  if (k->planning) return ORR_OK;
  cpu_run(k, a->M, cpu_grain(k, a->M, a->D), scatter_part, a);
  return ORR_OK;
}
