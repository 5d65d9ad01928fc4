// RMSNorm of every q and k head, then the rotary embedding (Su et al. 2021): the equations of
// kernels/cpu/rope.c.
//
// A warp owns a row at a time and holds the row's angles in registers over its heads. A head
// belongs to `lanes` neighbouring lanes, a power of two; a lane has PER packs of the first half of
// the head and the same of the second half, so both members of its rotary pairs.
#include "kernels/cuda/pack.cuh"

#include <inttypes.h>
#include "kernels/cuda/partials.cuh"
#include "kernels/cuda/reduce.cuh"

enum { WARPS = 8, SINGLES = 8 };

// The cosines and sines of row m at the lane's packs, of `packs` a half.
template <typename A, int N, int PER>
__device__ __forceinline__ void load_angles(const A &a, int64_t m, int first, int lanes, int packs,
                                            float (&c)[PER][N], float (&s)[PER][N]) {
  const int64_t at = m / a.pos_div % a.pos_mod * (a.K / 2);
#pragma unroll
  for (int j = 0; j < PER; j++) {
    const int i = first + j * lanes;
    if (i >= packs) continue;
    cuda_load_f32(a.cos + at, i, c[j]);
    cuda_load_f32(a.sin + at, i, s[j]);
  }
}

template <int N>
__device__ __forceinline__ void turn(const float (&p)[N], const float (&q)[N], const float (&c)[N],
                                     const float (&s)[N], float (&first)[N], float (&second)[N]) {
#pragma unroll
  for (int e = 0; e < N; e++) {
    first[e] = p[e] * c[e] - q[e] * s[e];
    second[e] = q[e] * c[e] + p[e] * s[e];
  }
}

template <typename T, int N, int PER>
static __global__ void __launch_bounds__(WARPS *CUDA_WARP)
    fwd_kernel(const kern_qknorm_rope_fwd_args a, const int lanes) {
  const int packs = (int)(a.K / 2 / N), heads = (int)(a.H + a.G), at_once = CUDA_WARP / lanes;
  const int first = (int)threadIdx.x % lanes;
  const int64_t m = (int64_t)blockIdx.x * WARPS + threadIdx.y;
  if (m >= a.M) return; // a whole warp
  float c[PER][N], s[PER][N];
  load_angles(a, m, first, lanes, packs, c, s);
#pragma unroll 2
  for (int h0 = 0; h0 < heads; h0 += at_once) {
    const int h = h0 + (int)threadIdx.x / lanes;
    const int mine = h < heads ? packs : 0;
    const T *x = static_cast<const T *>(a.qkv) + (m * (heads + a.G) + h) * a.K;
    T *y = static_cast<T *>(a.qk) + (m * heads + h) * a.K;
    const float *w = h < a.H ? a.q_w : a.k_w;
    cuda_pack<T, N> p[PER], q[PER];
    float squares = 0.0f;
#pragma unroll
    for (int j = 0; j < PER; j++) {
      if (first + j * lanes >= mine) continue;
      p[j] = cuda_load<T, N>(x, first + j * lanes);
      q[j] = cuda_load<T, N>(x + a.K / 2, first + j * lanes);
#pragma unroll
      for (int e = 0; e < N; e++) squares += p[j].at(e) * p[j].at(e) + q[j].at(e) * q[j].at(e);
    }
    const float mean = cuda_lanes_sum(squares, lanes) / (float)a.K;
    const float rstd = 1.0f / sqrtf(mean + KERN_RMS_EPS);
#pragma unroll
    for (int j = 0; j < PER; j++) {
      const int i = first + j * lanes;
      if (i >= mine) continue;
      float wp[N], wq[N], np[N], nq[N];
      cuda_load_f32(w, i, wp);
      cuda_load_f32(w + a.K / 2, i, wq);
#pragma unroll
      for (int e = 0; e < N; e++) {
        np[e] = p[j].at(e) * rstd * wp[e];
        nq[e] = q[j].at(e) * rstd * wq[e];
      }
      turn(np, nq, c[j], s[j], wp, wq);
      cuda_store(y, i, wp);
      cuda_store(y + a.K / 2, i, wq);
    }
    if (mine && first == 0) a.rstd[m * heads + h] = rstd;
  }
}

// One head, of which this lane has `mine` packs in reach (0: none): dx, and its share of dw.
template <typename T, int N, int PER>
__device__ __forceinline__ void
bwd_head(const T *x, const T *dy, T *dx, const float *w, float rstd, int K, int first, int lanes,
         int mine, const float (&c)[PER][N], const float (&s)[PER][N], float (&dw)[PER][2][N]) {
  cuda_pack<T, N> p[PER], q[PER];
  float dp[PER][N], dq[PER][N], dot = 0.0f;
#pragma unroll
  for (int j = 0; j < PER; j++) {
    const int i = first + j * lanes;
    if (i >= mine) continue;
    p[j] = cuda_load<T, N>(x, i);
    q[j] = cuda_load<T, N>(x + K / 2, i);
    const cuda_pack<T, N> yp = cuda_load<T, N>(dy, i), yq = cuda_load<T, N>(dy + K / 2, i);
    float wp[N], wq[N];
    cuda_load_f32(w, i, wp);
    cuda_load_f32(w + K / 2, i, wq);
#pragma unroll
    for (int e = 0; e < N; e++) { // turned back
      dp[j][e] = yp.at(e) * c[j][e] + yq.at(e) * s[j][e];
      dq[j][e] = yq.at(e) * c[j][e] - yp.at(e) * s[j][e];
      const float at_p = dp[j][e] * p[j].at(e), at_q = dq[j][e] * q[j].at(e);
      dot += at_p * wp[e] + at_q * wq[e];
      dw[j][0][e] += at_p * rstd;
      dw[j][1][e] += at_q * rstd;
      dp[j][e] *= rstd * wp[e];
      dq[j][e] *= rstd * wq[e];
    }
  }
  const float pull = cuda_lanes_sum(dot, lanes) / (float)K * rstd * rstd * rstd;
#pragma unroll
  for (int j = 0; j < PER; j++) {
    const int i = first + j * lanes;
    if (i >= mine) continue;
#pragma unroll
    for (int e = 0; e < N; e++) {
      dp[j][e] -= p[j].at(e) * pull;
      dq[j][e] -= q[j].at(e) * pull;
    }
    cuda_store(dx, i, dp[j]);
    cuda_store(dx + K / 2, i, dq[j]);
  }
}

// partial[block][K] = the block's sums of dw, of which a lane has those of its packs in both
// halves: over the lanes of a warp that share packs, then over its warps.
template <int N, int PER>
__device__ __forceinline__ void write_sums(const float (&dw)[PER][2][N], int K, int packs,
                                           int lanes, float *partial) {
  float *sums = cuda_shared_as<float>(); // [WARPS][K]
#pragma unroll
  for (int j = 0; j < PER; j++)
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
      for (int e = 0; e < N; e++) {
        float v = dw[j][half][e];
        for (int step = lanes; step < CUDA_WARP; step *= 2)
          v += __shfl_xor_sync(CUDA_ALL_LANES, v, step);
        const int i = (int)threadIdx.x + j * lanes;
        if ((int)threadIdx.x < lanes && i < packs)
          sums[threadIdx.y * K + half * (K / 2) + i * N + e] = v;
      }
  __syncthreads();
  for (int i = (int)(threadIdx.y * CUDA_WARP + threadIdx.x); i < K; i += WARPS * CUDA_WARP) {
    float v = sums[i];
    for (int warp = 1; warp < WARPS; warp++) v += sums[warp * K + i];
    partial[i] = v;
  }
}

// blockIdx.y: q's heads, or k's, so that a lane sums for one kind of weights only.
// partial[block][2][K]. With units of rows: one head of them all, over unit blockIdx.x;
// partial[unit][H+G][K].
template <typename T, int N, int PER>
static __global__ void __launch_bounds__(WARPS *CUDA_WARP, 2)
    bwd_kernel(const kern_qknorm_rope_bwd_args a, const int lanes, float *partial) {
  const int K = (int)a.K, packs = K / 2 / N, heads = (int)(a.H + a.G), at_once = CUDA_WARP / lanes;
  const int first = (int)threadIdx.x % lanes, part = (int)blockIdx.y;
  const bool of_k = a.unit ? part >= a.H : part > 0;
  const int begin = a.unit ? part
                    : of_k ? (int)a.H
                           : 0,
            end = a.unit ? part + 1
                  : of_k ? heads
                         : (int)a.H;
  const float *w = of_k ? a.k_w : a.q_w;
  const int64_t rows = a.unit ? (blockIdx.x + 1) * a.unit : a.M,
                step = a.unit ? (int64_t)WARPS : (int64_t)gridDim.x * WARPS;
  float dw[PER][2][N] = {};
  for (int64_t m = (int64_t)blockIdx.x * (a.unit ? a.unit : (int64_t)WARPS) + threadIdx.y; m < rows;
       m += step) {
    float c[PER][N], s[PER][N];
    load_angles(a, m, first, lanes, packs, c, s);
    const T *x = static_cast<const T *>(a.qkv) + m * (heads + a.G) * K;
    const T *dy = static_cast<const T *>(a.dqk) + m * heads * K;
    T *dx = static_cast<T *>(a.dqkv) + m * (heads + a.G) * K;
    for (int h0 = begin; h0 < end; h0 += at_once) {
      const int h = h0 + (int)threadIdx.x / lanes, mine = h < end ? packs : 0;
      bwd_head<T, N, PER>(x + h * K, dy + h * K, dx + h * K, w, mine ? a.rstd[m * heads + h] : 0.0f,
                          K, first, lanes, mine, c, s, dw);
    }
  }
  write_sums(dw, K, packs, lanes, partial + (blockIdx.x * (int64_t)gridDim.y + part) * K);
}

// The lanes of a head of `packs` packs a half: a power of two, all of them where possible.
static int lanes_of(int64_t packs) {
  int lanes = 1;
  while (lanes < packs && lanes < CUDA_WARP) lanes *= 2;
  return lanes;
}

static orr_code check_width(int64_t K) {
  ORR_CHECK(K % 2 == 0, ORR_EINVAL,
            "qknorm_rope: head width %" PRId64 " is odd; rotary pairs need it even", K);
  ORR_CHECK(K <= 256, ORR_EUNSUPPORTED,
            "qknorm_rope: head width %" PRId64
            "; on a GPU at most 256: use more heads, or device cpu",
            K);
  return ORR_OK;
}

extern "C" orr_code cuda_qknorm_rope_fwd(kern *k, const kern_qknorm_rope_fwd_args *a) {
  ORR_TRY(check_width(a->K));
  if (k->planning || a->M == 0) return ORR_OK;
  const int n = cuda_wide_of(a->type);
  const bool wide =
      cuda_divides(a->K / 2, n) && cuda_aligned(a->qkv, a->q_w, a->k_w, a->cos, a->sin, a->qk);
  const auto kernel = a->type == KERN_BF16
                          ? (wide ? fwd_kernel<cuda_bf16, 8, 1> : fwd_kernel<cuda_bf16, 1, SINGLES>)
                          : (wide ? fwd_kernel<float, 4, 1> : fwd_kernel<float, 1, SINGLES>);
  return cuda_start(k, "start qknorm_rope_fwd", kernel, dim3((unsigned)cuda_ceil_div(a->M, WARPS)),
                    dim3(CUDA_WARP, WARPS), 0, *a, lanes_of(a->K / 2 / (wide ? n : 1)));
}

extern "C" orr_code cuda_qknorm_rope_bwd(kern *k, const kern_qknorm_rope_bwd_args *a) {
  ORR_TRY(check_width(a->K));
  const int64_t blocks = a->unit ? a->M / a->unit : cuda_partials_of(cuda_ceil_div(a->M, WARPS)),
                parts = a->unit ? a->H + a->G : 2, width = 2 * a->K;
  void *workspace;
  ORR_TRY(cuda_workspace(k, (size_t)(blocks * width) * sizeof(float), &workspace));
  if (k->planning || a->M == 0) return ORR_OK;
  float *partial = a->unit ? a->dw_units : static_cast<float *>(workspace);
  const int n = cuda_wide_of(a->type);
  const bool wide = cuda_divides(a->K / 2, n) &&
                    cuda_aligned(a->qkv, a->q_w, a->k_w, a->cos, a->sin, a->dqk, a->dqkv);
  const auto kernel = a->type == KERN_BF16
                          ? (wide ? bwd_kernel<cuda_bf16, 8, 1> : bwd_kernel<cuda_bf16, 1, SINGLES>)
                          : (wide ? bwd_kernel<float, 4, 1> : bwd_kernel<float, 1, SINGLES>);
  ORR_TRY(cuda_start(k, "start qknorm_rope_bwd", kernel, dim3((unsigned)blocks, (unsigned)parts),
                     dim3(CUDA_WARP, WARPS), (size_t)(WARPS * a->K) * sizeof(float), *a,
                     lanes_of(a->K / 2 / (wide ? n : 1)), partial));
  if (a->unit) return ORR_OK;
  ORR_TRY(cuda_partials_sum(k, "start qknorm_rope_bwd's sums", partial, blocks, width, a->K,
                            a->dq_w, false));
  return cuda_partials_sum(k, "start qknorm_rope_bwd's sums", partial + a->K, blocks, width, a->K,
                           a->dk_w, false);
}
