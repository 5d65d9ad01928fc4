// What Muon (Jordan et al. 2024) does to a matrix element by element: the equations of
// kernels/cpu/muon.c. Everything that changes from step to step is read from device memory.
#include "kernels/cuda/flat.cuh"

// As on the CPU: far below what counts becomes 0.
__device__ __forceinline__ float flushed(float x) {
  return fabsf(x) < 1e-36f ? 0.0f : x;
}

template <int N>
__device__ __forceinline__ void blend_pack(const kern_muon_blend_args &a, int64_t i) {
  const float keep = a.momentum, take = 1.0f - keep, scale = a.verdict->scale;
  float g[N], m[N];
  cuda_load_f32(a.g, i, g);
  cuda_load_f32(a.m, i, m);
#pragma unroll
  for (int e = 0; e < N; e++) {
    const float ge = take * (g[e] * scale);
    m[e] = flushed(keep * m[e] + ge);
    g[e] = flushed(keep * m[e] + ge);
  }
  cuda_store_f32(a.m, i, m);
  cuda_store_f32(a.g, i, g);
}

static __global__ void __launch_bounds__(256)
    blend_kernel(const kern_muon_blend_args a, const cuda_flat f) {
  if (a.verdict->skip) return;
  cuda_flat_step<4>(
      f, [&](int64_t i) { blend_pack<4>(a, i); }, [&](int64_t i) { blend_pack<1>(a, i); });
}

extern "C" orr_code cuda_muon_blend(kern *k, const kern_muon_blend_args *a) {
  if (k->planning || a->n == 0) return ORR_OK;
  const cuda_flat f = cuda_flat_of(a->n, 4, cuda_aligned(a->g, a->m));
  return cuda_start(k, "start muon_blend", blend_kernel, cuda_flat_grid(&f, 4), dim3(256), 0, *a,
                    f);
}

template <typename T, int N>
__device__ __forceinline__ void norm_pack(const kern_muon_norm_args &a, float by, int64_t i) {
  float v[N];
  cuda_load_f32(a.g, i, v);
#pragma unroll
  for (int e = 0; e < N; e++) v[e] *= by;
  cuda_store(static_cast<T *>(a.x), i, v);
}

template <typename T>
static __global__ void __launch_bounds__(256)
    norm_kernel(const kern_muon_norm_args a, const cuda_flat f) {
  const double sumsq = *a.sumsq;
  const float by = sumsq > 0.0 ? (float)(1.0 / sqrt(sumsq)) : 0.0f;
  cuda_flat_step<4>(
      f, [&](int64_t i) { norm_pack<T, 4>(a, by, i); },
      [&](int64_t i) { norm_pack<T, 1>(a, by, i); });
}

extern "C" orr_code cuda_muon_norm(kern *k, const kern_muon_norm_args *a) {
  if (k->planning || a->n == 0) return ORR_OK;
  const cuda_flat f = cuda_flat_of(a->n, 4, cuda_aligned(a->g, a->x));
  return cuda_start(k, "start muon_norm",
                    a->type == KERN_BF16 ? norm_kernel<cuda_bf16> : norm_kernel<float>,
                    cuda_flat_grid(&f, 4), dim3(256), 0, *a, f);
}

template <typename T, int N>
__device__ __forceinline__ void apply_pack(const kern_muon_apply_args &a, float keep, float rate,
                                           int64_t i) {
  const cuda_pack<T, N> x = cuda_load<T, N>(static_cast<const T *>(a.x), i);
  float w[N], ema[N];
  cuda_load_f32(a.w, i, w);
#pragma unroll
  for (int e = 0; e < N; e++) w[e] = w[e] * keep - rate * x.at(e);
  cuda_store_f32(a.w, i, w);
  if (a.ema) {
    cuda_load_f32(a.ema, i, ema);
#pragma unroll
    for (int e = 0; e < N; e++) ema[e] = a.ema_decay * ema[e] + (1.0f - a.ema_decay) * w[e];
    cuda_store_f32(a.ema, i, ema);
  }
  if (a.w_bf16) cuda_store(reinterpret_cast<cuda_bf16 *>(a.w_bf16), i, w);
}

template <typename T>
static __global__ void __launch_bounds__(256)
    apply_kernel(const kern_muon_apply_args a, const cuda_flat f) {
  if (a.verdict->skip) return;
  const float keep = (float)(1.0 - (double)a.rates->lr * a.weight_decay),
              rate = a.rates->lr * a.gain;
  cuda_flat_step<4>(
      f, [&](int64_t i) { apply_pack<T, 4>(a, keep, rate, i); },
      [&](int64_t i) { apply_pack<T, 1>(a, keep, rate, i); });
}

extern "C" orr_code cuda_muon_apply(kern *k, const kern_muon_apply_args *a) {
  if (k->planning || a->n == 0) return ORR_OK;
  const cuda_flat f = cuda_flat_of(a->n, 4, cuda_aligned(a->x, a->w, a->ema, a->w_bf16));
  return cuda_start(k, "start muon_apply",
                    a->type == KERN_BF16 ? apply_kernel<cuda_bf16> : apply_kernel<float>,
                    cuda_flat_grid(&f, 4), dim3(256), 0, *a, f);
}
