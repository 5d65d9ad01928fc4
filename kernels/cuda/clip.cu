// The verdict on a gradient before an update, as in kernels/cpu/clip.c. It stays in device memory.
#include "kernels/cuda/launch.cuh"

static __global__ void clip_kernel(const kern_clip_args a) {
  const kern_bounds b = *a.bounds;
  const double norm = sqrt(*a.sumsq), loss = b.units > 0.0 ? *a.loss_sum / b.units : 0.0;
  a.out->scale = a.limit > 0.0 && norm > a.limit ? (float)(a.limit / norm) : 1.0f;
  a.out->skip = !isfinite(norm) || !isfinite(loss) || norm > b.norm || loss > b.loss;
}

extern "C" orr_code cuda_clip(kern *k, const kern_clip_args *a) {
  if (k->planning) return ORR_OK;
  return cuda_start(k, "start clip", clip_kernel, dim3(1), dim3(1), 0, *a);
}
