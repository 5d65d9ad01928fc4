// Copies of whole rows to and from a list of places, in units of 16 bytes or of 2.
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/pack.cuh"

template <typename U>
static __global__ void __launch_bounds__(256)
    gather_kernel(const int32_t *index, int64_t M, int units, const U *x, int64_t x_stride, U *y,
                  int64_t y_stride) {
  const int i = CUDA_ROW_PACK();
  if (i >= units) return;
  CUDA_FOR_ROWS(m, M) {
    const int32_t from = index[m];
    y[m * y_stride + i] = from < 0 ? U() : x[from * x_stride + i];
  }
}

extern "C" orr_code cuda_gather_rows(kern *k, const kern_gather_rows_args *a) {
  if (k->planning || a->M == 0) return ORR_OK;
  const int64_t e = (int64_t)kern_dtype_size(a->type), width = a->D * e;
  const int64_t ldx = a->ldx ? a->ldx * e : width, ldy = a->ldy ? a->ldy * e : width;
  const bool wide = (width | ldx | ldy) % 16 == 0 && cuda_aligned(a->x, a->y);
  const int64_t unit = wide ? 16 : 2, units = width / unit;
  const dim3 block = cuda_rows_block(units), grid = cuda_rows_grid(a->M, units, block);
  if (wide)
    return cuda_start(k, "start gather_rows", gather_kernel<uint4>, grid, block, 0, a->index, a->M,
                      (int)units, static_cast<const uint4 *>(a->x), ldx / unit,
                      static_cast<uint4 *>(a->y), ldy / unit);
  return cuda_start(k, "start gather_rows", gather_kernel<uint16_t>, grid, block, 0, a->index, a->M,
                    (int)units, static_cast<const uint16_t *>(a->x), ldx / unit,
                    static_cast<uint16_t *>(a->y), ldy / unit);
}

template <typename U>
static __global__ void __launch_bounds__(256)
    scatter_kernel(const int32_t *index, int64_t M, int units, int64_t first, int64_t rows,
                   const U *x, U *y) {
  const int i = CUDA_ROW_PACK();
  if (i >= units) return;
  CUDA_FOR_ROWS(m, M) {
    const int64_t row = index[m] - first;
    if (index[m] >= 0 && row >= 0 && row < rows) y[row * units + i] = x[m * units + i];
  }
}

extern "C" orr_code cuda_scatter_rows(kern *k, const kern_scatter_rows_args *a) {
  if (k->planning || a->M == 0) return ORR_OK;
  const int64_t width = a->D * (int64_t)kern_dtype_size(a->type);
  const bool wide = width % 16 == 0 && cuda_aligned(a->x, a->y);
  const int64_t units = width / (wide ? 16 : 2);
  const dim3 block = cuda_rows_block(units), grid = cuda_rows_grid(a->M, units, block);
  if (wide)
    return cuda_start(k, "start scatter_rows", scatter_kernel<uint4>, grid, block, 0, a->index,
                      a->M, (int)units, a->first, a->rows, static_cast<const uint4 *>(a->x),
                      static_cast<uint4 *>(a->y));
  return cuda_start(k, "start scatter_rows", scatter_kernel<uint16_t>, grid, block, 0, a->index,
                    a->M, (int)units, a->first, a->rows, static_cast<const uint16_t *>(a->x),
                    static_cast<uint16_t *>(a->y));
}
