// Copies and fills, in the order of the stream.
#include "kernels/cuda/cuda.h"

static enum cudaMemcpyKind way_of(kern_copy_way way) {
  if (way == KERN_COPY_IN) return cudaMemcpyHostToDevice;
  return way == KERN_COPY_OUT ? cudaMemcpyDeviceToHost : cudaMemcpyDeviceToDevice;
}

orr_code cuda_copy(kern *k, const kern_copy_args *a) {
  if (k->planning || a->bytes == 0) return ORR_OK;
  return cuda_check(
      cudaMemcpyAsync(a->dst, a->src, a->bytes, way_of(a->way), cuda_impl_of(k)->stream), "copy");
}

orr_code cuda_copy_rows(kern *k, const kern_copy_rows_args *a) {
  if (k->planning || a->width == 0 || a->rows == 0) return ORR_OK;
  return cuda_check(cudaMemcpy2DAsync(a->dst, a->dst_pitch, a->src, a->src_pitch, a->width,
                                      (size_t)a->rows, way_of(a->way), cuda_impl_of(k)->stream),
                    "copy rows");
}

orr_code cuda_fill(kern *k, const kern_fill_args *a) {
  if (k->planning || a->bytes == 0) return ORR_OK;
  return cuda_check(cudaMemsetAsync(a->x, 0, a->bytes, cuda_impl_of(k)->stream), "fill");
}
