// Copies of whole rows to and from a list of places: the masked positions before the head, and
// their gradients after it.
#include "kernels/cpu/cpu.h"

orr_code CPU_FN(gather_rows)(kern *k, const kern_gather_rows_args *a) {
  if (k->planning) return ORR_OK;
  const size_t e = kern_dtype_size(a->type), bytes = (size_t)a->D * e;
  const size_t from = a->ldx ? (size_t)a->ldx * e : bytes, to = a->ldy ? (size_t)a->ldy * e : bytes;
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t m = 0; m < a->M; m++) {
    char *y = (char *)a->y + (size_t)m * to;
    if (a->index[m] < 0)
      memset(y, 0, bytes);
    else
      memcpy(y, (const char *)a->x + (size_t)a->index[m] * from, bytes);
  }
  return ORR_OK;
}

orr_code CPU_FN(scatter_rows)(kern *k, const kern_scatter_rows_args *a) {
  if (k->planning) return ORR_OK;
  const size_t bytes = (size_t)a->D * kern_dtype_size(a->type);
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t m = 0; m < a->M; m++) {
    const int64_t row = a->index[m] - a->first;
    if (a->index[m] < 0 || row < 0 || row >= a->rows) continue;
    memcpy((char *)a->y + (size_t)row * bytes, (const char *)a->x + (size_t)m * bytes, bytes);
  }
  return ORR_OK;
}
