// AdamW (Loshchilov & Hutter 2019) with the weights' moving average and their bfloat16 copy: the
// equations of kernels/cpu/adamw.c. Everything that changes from step to step is read from device
// memory.
#include "kernels/cuda/flat.cuh"

// As on the CPU: moments far below what counts beside eps become 0.
__device__ __forceinline__ float flushed(float x) {
  return fabsf(x) < 1e-36f ? 0.0f : x;
}

template <int N>
__device__ __forceinline__ void step_pack(const kern_adamw_args &a, float decay, int64_t i) {
  const float scale = a.verdict->scale, rate = a.rates->rate, root_bias = a.rates->root_bias;
  float w[N], g[N], m[N], v[N], ema[N];
  cuda_load_f32(a.w, i, w);
  cuda_load_f32(a.g, i, g);
  cuda_load_f32(a.m, i, m);
  cuda_load_f32(a.v, i, v);
  if (a.ema) cuda_load_f32(a.ema, i, ema);
#pragma unroll
  for (int e = 0; e < N; e++) {
    const float ge = g[e] * scale;
    m[e] = flushed(a.beta1 * m[e] + (1.0f - a.beta1) * ge);
    v[e] = flushed(a.beta2 * v[e] + (1.0f - a.beta2) * ge * ge);
    w[e] = w[e] * decay - rate * m[e] / (sqrtf(v[e]) * root_bias + a.eps);
  }
  cuda_store_f32(a.m, i, m);
  cuda_store_f32(a.v, i, v);
  cuda_store_f32(a.w, i, w);
  if (a.ema) {
#pragma unroll
    for (int e = 0; e < N; e++) ema[e] = a.ema_decay * ema[e] + (1.0f - a.ema_decay) * w[e];
    cuda_store_f32(a.ema, i, ema);
  }
  if (a.w_bf16) cuda_store(reinterpret_cast<cuda_bf16 *>(a.w_bf16), i, w);
}

static __global__ void __launch_bounds__(256)
    adamw_kernel(const kern_adamw_args a, const cuda_flat f) {
  if (a.verdict->skip) return;
  const float decay = (float)(1.0 - (double)a.rates->lr * a.weight_decay);
  cuda_flat_step<4>(
      f, [&](int64_t i) { step_pack<4>(a, decay, i); },
      [&](int64_t i) { step_pack<1>(a, decay, i); });
}

extern "C" orr_code cuda_adamw(kern *k, const kern_adamw_args *a) {
  if (k->planning || a->n == 0) return ORR_OK;
  const cuda_flat f =
      cuda_flat_of(a->n, 4, cuda_aligned(a->w, a->g, a->m, a->v, a->ema, a->w_bf16));
  return cuda_start(k, "start adamw", adamw_kernel, cuda_flat_grid(&f, 4), dim3(256), 0, *a, f);
}
