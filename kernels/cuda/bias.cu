// y = acc + bias + add, rounded once: the end of a product whose bias is float32 and whose result
// is not. A thread takes one pack of a row.
#include "kernels/cuda/pack.cuh"

enum { BIAS_THREADS = 256 };

template <typename T, int N>
__global__ void __launch_bounds__(BIAS_THREADS)
    bias_rows(int64_t packs, int64_t row_packs, const float *acc, const float *bias, const T *add,
              T *y, int64_t ldy) {
  const int64_t at = (int64_t)blockIdx.x * BIAS_THREADS + threadIdx.x;
  if (at >= packs) return;
  const int64_t m = at / row_packs, i = at % row_packs;
  float sum[N], b[N];
  cuda_load_f32<N>(acc, at, sum);
  cuda_load_f32<N>(bias, i, b);
#pragma unroll
  for (int e = 0; e < N; e++) sum[e] += b[e];
  if (add) {
    const cuda_pack<T, N> more = cuda_load<T, N>(add + m * ldy, i);
#pragma unroll
    for (int e = 0; e < N; e++) sum[e] += more.at(e);
  }
  cuda_store<T, N>(y + m * ldy, i, sum);
}

template <typename T, int N> static orr_code start(kern *k, const cuda_bias_args *a) {
  const int64_t row_packs = a->N / N, packs = a->M * row_packs;
  return cuda_start(k, "add a bias", bias_rows<T, N>,
                    dim3((unsigned)cuda_ceil_div(packs, BIAS_THREADS)), dim3(BIAS_THREADS), 0,
                    packs, row_packs, a->acc, a->bias, (const T *)a->add, (T *)a->y, a->ldy);
}

template <typename T> static orr_code choose(kern *k, const cuda_bias_args *a) {
  const int wide = cuda_wide<T>();
  if (cuda_divides(a->N, wide) && cuda_divides(a->ldy, wide) &&
      cuda_aligned((const char *)a->acc, (const char *)a->bias, (const char *)a->add,
                   (const char *)a->y))
    return start<T, wide>(k, a);
  return start<T, 1>(k, a);
}

extern "C" orr_code cuda_bias_add(kern *k, const cuda_bias_args *a) {
  if (k->planning || a->M == 0 || a->N == 0) return ORR_OK;
  return a->type == KERN_BF16 ? choose<cuda_bf16>(k, a) : choose<float>(k, a);
}
