// Frames to patches and back, and the tokenizer's loss on them: the equations of
// kernels/cpu/pixel.c. Work goes by groups of N values of a run, the 3 p values of one pixel row of
// one patch, which are contiguous on both sides; N = 4 where p is a multiple of 4.
#include "kernels/cuda/pack.cuh"

#include <inttypes.h>
#include "kernels/cuda/partials.cuh"
#include "kernels/cuda/reduce.cuh"

enum { MOST_P = 256, THREADS = 256 };

typedef struct {
  int64_t cols, p, run; // run = 3 p
  int64_t values;       // of all frames
} pixel_shape;

static orr_code shape_of(int64_t B, int64_t rows, int64_t cols, int64_t p, pixel_shape *out) {
  ORR_CHECK(p >= 1 && p <= MOST_P, ORR_EINVAL, "pixels: patch side %" PRId64 ", wanted 1 to %d", p,
            (int)MOST_P);
  *out = pixel_shape{cols, p, 3 * p, B * rows * cols * p * 3 * p};
  return ORR_OK;
}

static dim3 grid_of(const pixel_shape &s, int n) {
  return dim3((unsigned)cuda_ceil_div(s.values / n, THREADS));
}

// Where the frames hold value `at` of the patches.
__device__ __forceinline__ int64_t in_frame(const pixel_shape &s, int64_t at) {
  const int64_t run = at / s.run, inside = at % s.run; // runs in the order of the patches
  const int64_t py = run % s.p, c = run / s.p % s.cols, band = run / s.p / s.cols;
  return ((band * s.p + py) * s.cols + c) * s.run + inside;
}

template <int N> struct alignas(N) bytes { uint8_t value[N]; };

// N values of the frames from `at`, in [0, 1].
template <int N>
__device__ __forceinline__ void load_frame(const uint8_t *u8, const float *f32, int64_t at,
                                           float (&out)[N]) {
  if (!u8) {
    cuda_load_f32(f32 + at, 0, out);
    return;
  }
  const bytes<N> b = *reinterpret_cast<const bytes<N> *>(u8 + at);
#pragma unroll
  for (int e = 0; e < N; e++) out[e] = (float)b.value[e] / 255.0f;
}

template <typename T, int N>
static __global__ void __launch_bounds__(THREADS)
    patchify_kernel(const kern_patchify_args a, const pixel_shape s) {
  const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i * N >= s.values) return;
  float v[N];
  load_frame(a.frames_u8, a.frames_f32, in_frame(s, i * N), v);
#pragma unroll
  for (int e = 0; e < N; e++) v[e] = v[e] * 2.0f - 1.0f;
  cuda_store(static_cast<T *>(a.x), i, v);
}

extern "C" orr_code cuda_patchify(kern *k, const kern_patchify_args *a) {
  pixel_shape s;
  ORR_TRY(shape_of(a->B, a->rows, a->cols, a->p, &s));
  if (k->planning || s.values == 0) return ORR_OK;
  const bool wide = s.p % 4 == 0 && cuda_aligned(a->x, a->frames_u8, a->frames_f32);
  const auto kernel = a->type == KERN_BF16
                          ? (wide ? patchify_kernel<cuda_bf16, 4> : patchify_kernel<cuda_bf16, 1>)
                          : (wide ? patchify_kernel<float, 4> : patchify_kernel<float, 1>);
  return cuda_start(k, "start patchify", kernel, grid_of(s, wide ? 4 : 1), dim3(THREADS), 0, *a, s);
}

template <typename T, int N>
static __global__ void __launch_bounds__(THREADS)
    unpatchify_kernel(const kern_unpatchify_args a, const pixel_shape s) {
  const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (i * N >= s.values) return;
  const cuda_pack<T, N> x = cuda_load<T, N>(static_cast<const T *>(a.x), i);
  const int64_t at = in_frame(s, i * N);
  float v[N];
#pragma unroll
  for (int e = 0; e < N; e++) v[e] = (x.at(e) + 1.0f) * 0.5f;
  if (a.frames_f32) cuda_store_f32(a.frames_f32 + at, 0, v);
  if (!a.frames_u8) return;
  bytes<N> b;
#pragma unroll
  for (int e = 0; e < N; e++) {
    const float low = v[e] > 0.0f ? v[e] : 0.0f; // a NaN becomes black
    b.value[e] = (uint8_t)(int32_t)rintf((low < 1.0f ? low : 1.0f) * 255.0f);
  }
  *reinterpret_cast<bytes<N> *>(a.frames_u8 + at) = b;
}

extern "C" orr_code cuda_unpatchify(kern *k, const kern_unpatchify_args *a) {
  pixel_shape s;
  ORR_TRY(shape_of(a->B, a->rows, a->cols, a->p, &s));
  if (k->planning || s.values == 0) return ORR_OK;
  const bool wide = s.p % 4 == 0 && cuda_aligned(a->x, a->frames_u8, a->frames_f32);
  const auto kernel =
      a->type == KERN_BF16
          ? (wide ? unpatchify_kernel<cuda_bf16, 4> : unpatchify_kernel<cuda_bf16, 1>)
          : (wide ? unpatchify_kernel<float, 4> : unpatchify_kernel<float, 1>);
  return cuda_start(k, "start unpatchify", kernel, grid_of(s, wide ? 4 : 1), dim3(THREADS), 0, *a,
                    s);
}

// partial[block] = l2 sum d^2 + l1 sum |d|.
template <typename T, int N>
static __global__ void __launch_bounds__(THREADS)
    loss_kernel(const kern_pixel_loss_args a, const pixel_shape s, double *partial) {
  const float scale = a.dx ? *a.scale : 0.0f;
  const float by_d = (float)a.l2 * scale, by_sign = 0.5f * (float)a.l1 * scale;
  double sum = 0;
  for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i * N < s.values;
       i += (int64_t)gridDim.x * THREADS) {
    const cuda_pack<T, N> x = cuda_load<T, N>(static_cast<const T *>(a.x), i);
    float frame[N], l2 = 0.0f, l1 = 0.0f;
    load_frame(a.frames_u8, a.frames_f32, in_frame(s, i * N), frame);
#pragma unroll
    for (int e = 0; e < N; e++) {
      const float d = (x.at(e) + 1.0f) * 0.5f - frame[e];
      l2 += d * d;
      l1 += fabsf(d);
      frame[e] = by_d * d + ((d > 0.0f ? by_sign : 0.0f) - (d < 0.0f ? by_sign : 0.0f));
    }
    sum += a.l2 * (double)l2 + a.l1 * (double)l1;
    if (a.dx) cuda_store(static_cast<T *>(a.dx), i, frame);
  }
  sum = cuda_row_sum(sum, cuda_shared_as<double>());
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

extern "C" orr_code cuda_pixel_loss(kern *k, const kern_pixel_loss_args *a) {
  pixel_shape s;
  ORR_TRY(shape_of(a->B, a->rows, a->cols, a->p, &s));
  const int64_t blocks = cuda_partials_of(cuda_ceil_div(s.values, 4 * THREADS));
  void *workspace;
  ORR_TRY(cuda_workspace(k, (size_t)blocks * sizeof(double), &workspace));
  if (k->planning || s.values == 0) return ORR_OK;
  double *partial = static_cast<double *>(workspace);
  const bool wide = s.p % 4 == 0 && cuda_aligned(a->x, a->frames_u8, a->frames_f32, a->dx);
  const auto kernel = a->type == KERN_BF16
                          ? (wide ? loss_kernel<cuda_bf16, 4> : loss_kernel<cuda_bf16, 1>)
                          : (wide ? loss_kernel<float, 4> : loss_kernel<float, 1>);
  const dim3 block(THREADS);
  ORR_TRY(cuda_start(k, "start pixel_loss", kernel, dim3((unsigned)blocks), block,
                     cuda_row_scratch(block) * sizeof(double), *a, s, partial));
  return cuda_partials_sum_f64(k, "start pixel_loss's sum", partial, blocks, a->loss_sum, false);
}
