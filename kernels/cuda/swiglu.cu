// SwiGLU (Shazeer 2020): the equations of kernels/cpu/swiglu.c.
#include "kernels/cuda/pack.cuh"

__device__ __forceinline__ float sigmoid(float x) {
  return 1.0f / (1.0f + expf(-x));
}

template <typename T, int N>
static __global__ void __launch_bounds__(256) fwd_kernel(const kern_swiglu_fwd_args a) {
  const int i = CUDA_ROW_PACK();
  if (i >= a.F / N) return;
  CUDA_FOR_ROWS(m, a.M) {
    const T *gu = static_cast<const T *>(a.gu) + 2 * m * a.F;
    const cuda_pack<T, N> g = cuda_load<T, N>(gu, i), u = cuda_load<T, N>(gu + a.F, i);
    float h[N];
#pragma unroll
    for (int e = 0; e < N; e++) h[e] = g.at(e) * sigmoid(g.at(e)) * u.at(e);
    cuda_store(static_cast<T *>(a.h) + m * a.F, i, h);
  }
}

// dgu may be gu itself: a pack is read before it is written.
template <typename T, int N>
static __global__ void __launch_bounds__(256) bwd_kernel(const kern_swiglu_bwd_args a) {
  const int i = CUDA_ROW_PACK();
  if (i >= a.F / N) return;
  CUDA_FOR_ROWS(m, a.M) {
    const T *gu = static_cast<const T *>(a.gu) + 2 * m * a.F;
    T *dgu = static_cast<T *>(a.dgu) + 2 * m * a.F;
    const cuda_pack<T, N> g = cuda_load<T, N>(gu, i), u = cuda_load<T, N>(gu + a.F, i);
    const cuda_pack<T, N> dh = cuda_load<T, N>(static_cast<const T *>(a.dh) + m * a.F, i);
    float dg[N], du[N];
#pragma unroll
    for (int e = 0; e < N; e++) {
      const float s = sigmoid(g.at(e)), dhs = dh.at(e) * s;
      dg[e] = dhs * u.at(e) * (1.0f + g.at(e) * (1.0f - s));
      du[e] = dhs * g.at(e);
    }
    cuda_store(dgu, i, dg);
    cuda_store(dgu + a.F, i, du);
  }
}

template <typename A>
static orr_code start(kern *k, const char *what, void (*kernel)(A), const A *a, int n) {
  const dim3 block = cuda_rows_block(a->F / n);
  return cuda_start(k, what, kernel, cuda_rows_grid(a->M, a->F / n, block), block, 0, *a);
}

extern "C" orr_code cuda_swiglu_fwd(kern *k, const kern_swiglu_fwd_args *a) {
  if (k->planning || a->M == 0) return ORR_OK;
  const int n = cuda_wide_of(a->type);
  const bool wide = cuda_divides(a->F, n) && cuda_aligned(a->gu, a->h);
  if (a->type == KERN_BF16)
    return wide ? start(k, "start swiglu_fwd", fwd_kernel<cuda_bf16, 8>, a, 8)
                : start(k, "start swiglu_fwd", fwd_kernel<cuda_bf16, 1>, a, 1);
  return wide ? start(k, "start swiglu_fwd", fwd_kernel<float, 4>, a, 4)
              : start(k, "start swiglu_fwd", fwd_kernel<float, 1>, a, 1);
}

extern "C" orr_code cuda_swiglu_bwd(kern *k, const kern_swiglu_bwd_args *a) {
  if (k->planning || a->M == 0) return ORR_OK;
  const int n = cuda_wide_of(a->type);
  const bool wide = cuda_divides(a->F, n) && cuda_aligned(a->gu, a->dh, a->dgu);
  if (a->type == KERN_BF16)
    return wide ? start(k, "start swiglu_bwd", bwd_kernel<cuda_bf16, 8>, a, 8)
                : start(k, "start swiglu_bwd", bwd_kernel<cuda_bf16, 1>, a, 1);
  return wide ? start(k, "start swiglu_bwd", bwd_kernel<float, 4>, a, 4)
              : start(k, "start swiglu_bwd", bwd_kernel<float, 1>, a, 1);
}
