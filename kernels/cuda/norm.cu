// RMSNorm (Zhang & Sennrich 2019): the equations of kernels/cpu/norm.c.
//
// A row belongs to blockDim.x threads, which hold it in registers between the sum and its use;
// blockDim.y rows share a block. The backward pass walks rows with the same threads, so that each
// thread keeps the partial sums of dw for its columns.
#include "kernels/cuda/pack.cuh"

#include <inttypes.h>
#include "kernels/cuda/partials.cuh"
#include "kernels/cuda/reduce.cuh"

enum {
  MOST_THREADS = 512,
  PACKS = 4, // of a thread, in registers
  SINGLES = 8,
};

template <typename T, int N, int PER>
static __global__ void __launch_bounds__(MOST_THREADS, 1)
    fwd_kernel(const kern_rmsnorm_fwd_args a) {
  const int64_t m = (int64_t)blockIdx.x * blockDim.y + threadIdx.y;
  const int packs = m < a.M ? (int)(a.D / N) : 0;
  const T *row = static_cast<const T *>(a.x) + m * a.D;
  cuda_pack<T, N> x[PER];
  float squares = 0.0f;
  // load: all of the row before any of it is used, so that the loads wait together
#pragma unroll
  for (int j = 0; j < PER; j++) {
    const int i = (int)threadIdx.x + j * (int)blockDim.x;
    if (i < packs) x[j] = cuda_load<T, N>(row, i);
  }
  // squares: this thread's, then the row's
#pragma unroll
  for (int j = 0; j < PER; j++) {
    if ((int)threadIdx.x + j * (int)blockDim.x >= packs) continue;
#pragma unroll
    for (int e = 0; e < N; e++) squares += x[j].at(e) * x[j].at(e);
  }
  const float mean = cuda_row_sum(squares, cuda_shared_as<float>()) / (float)a.D;
  const float rstd = 1.0f / sqrtf(mean + KERN_RMS_EPS);
  if (packs && threadIdx.x == 0) a.rstd[m] = rstd;
    // scale: y = x rstd w, from the registers
#pragma unroll
  for (int j = 0; j < PER; j++) {
    const int i = (int)threadIdx.x + j * (int)blockDim.x;
    if (i >= packs) continue;
    float w[N], y[N];
    cuda_load_f32(a.w, i, w);
#pragma unroll
    for (int e = 0; e < N; e++) y[e] = x[j].at(e) * rstd * w[e];
    cuda_store(static_cast<T *>(a.y) + m * a.D, i, y);
  }
}

// partial[block][D]: dw of the block's rows. Rows go round: block b takes rows b * blockDim.y + y,
// then those gridDim.x * blockDim.y further on, the same number of times in every thread. With
// units of rows block b takes those of unit b.
template <typename T, int N, int PER>
static __global__ void __launch_bounds__(MOST_THREADS, 1)
    bwd_kernel(const kern_rmsnorm_bwd_args a, float *partial) {
  float *scratch = cuda_shared_as<float>();
  const int row_packs = (int)(a.D / N), warps = (int)(blockDim.x * blockDim.y) / CUDA_WARP;
  float dw[PER][N] = {};
  int turn = 0;
  const int64_t begin = (int64_t)blockIdx.x * (a.unit ? a.unit : blockDim.y),
                end = a.unit ? begin + a.unit : a.M,
                step = a.unit ? blockDim.y : (int64_t)gridDim.x * blockDim.y;
  for (int64_t m0 = begin; m0 < end; m0 += step) {
    const int64_t m = m0 + threadIdx.y;
    const int packs = m < end ? row_packs : 0;
    const float rstd = m < end ? a.rstd[m] : 0.0f;
    const T *x_row = static_cast<const T *>(a.x) + m * a.D;
    const T *dy_row = static_cast<const T *>(a.dy) + m * a.D;
    cuda_pack<T, N> x[PER], dy[PER];
    float dot = 0.0f;
    // load: x and dy of the row
#pragma unroll
    for (int j = 0; j < PER; j++) {
      const int i = (int)threadIdx.x + j * (int)blockDim.x;
      if (i >= packs) continue;
      x[j] = cuda_load<T, N>(x_row, i);
      dy[j] = cuda_load<T, N>(dy_row, i);
    }
    // dot = sum of dy x w along the row; dw gets dy x rstd of its columns on the way
#pragma unroll
    for (int j = 0; j < PER; j++) {
      const int i = (int)threadIdx.x + j * (int)blockDim.x;
      if (i >= packs) continue;
      float w[N];
      cuda_load_f32(a.w, i, w);
#pragma unroll
      for (int e = 0; e < N; e++) {
        const float product = dy[j].at(e) * x[j].at(e);
        dot += product * w[e];
        dw[j][e] += product * rstd;
      }
    }
    dot = cuda_row_sum(dot, scratch + (turn ^= 1) * warps); // by turns: a slow warp may still read
    // dx = dy rstd w - x dot rstd^3 / D (+ add): the second part is the norm's pull on x
    const float pull = dot / (float)a.D * rstd * rstd * rstd;
#pragma unroll
    for (int j = 0; j < PER; j++) {
      const int i = (int)threadIdx.x + j * (int)blockDim.x;
      if (i >= packs) continue;
      float w[N], dx[N];
      cuda_load_f32(a.w, i, w);
#pragma unroll
      for (int e = 0; e < N; e++) dx[e] = dy[j].at(e) * rstd * w[e] - x[j].at(e) * pull;
      if (a.add) {
        const cuda_pack<T, N> add = cuda_load<T, N>(static_cast<const T *>(a.add) + m * a.D, i);
#pragma unroll
        for (int e = 0; e < N; e++) dx[e] += add.at(e);
      }
      cuda_store(static_cast<T *>(a.dx) + m * a.D, i, dx);
    }
  }
  // Sums of dw: the rows of the block are added in shared memory, one after the other, and the last
  // one writes the block's partial sums.
  float *sum = cuda_shared_as<float>();
  for (int y = 0; y < (int)blockDim.y; y++) {
    __syncthreads();
    if ((int)threadIdx.y != y) continue;
#pragma unroll
    for (int j = 0; j < PER; j++) {
      const int i = (int)threadIdx.x + j * (int)blockDim.x;
      if (i >= row_packs) continue;
#pragma unroll
      for (int e = 0; e < N; e++) {
        const float before = y ? sum[i * N + e] : 0.0f;
        if (y + 1 < (int)blockDim.y)
          sum[i * N + e] = before + dw[j][e];
        else
          partial[blockIdx.x * a.D + i * N + e] = before + dw[j][e];
      }
    }
  }
}

// Threads for a row of `packs`, at most `per` in each, and for as many rows as fit 256 threads.
static dim3 block_of(int64_t packs, int per) {
  const int64_t x = cuda_ceil_div(cuda_ceil_div(packs, per), CUDA_WARP) * CUDA_WARP;
  return dim3((unsigned)x, (unsigned)(x < 256 ? 256 / x : 1));
}

static orr_code check_width(int64_t D, int n, int per) {
  const int64_t most = (int64_t)MOST_THREADS * per * n;
  ORR_CHECK(D <= most, ORR_EUNSUPPORTED,
            "rmsnorm: rows of %" PRId64 " elements; on a GPU up to %" PRId64
            " of this width's alignment: choose "
            "a width divisible by 8, or device cpu",
            D, most);
  return ORR_OK;
}

template <typename T, int N, int PER> static orr_code fwd(kern *k, const kern_rmsnorm_fwd_args *a) {
  ORR_TRY(check_width(a->D, N, PER));
  if (k->planning || a->M == 0) return ORR_OK;
  const dim3 block = block_of(a->D / N, PER);
  return cuda_start(k, "start rmsnorm_fwd", fwd_kernel<T, N, PER>,
                    dim3((unsigned)cuda_ceil_div(a->M, block.y)), block,
                    cuda_row_scratch(block) * sizeof(float), *a);
}

extern "C" orr_code cuda_rmsnorm_fwd(kern *k, const kern_rmsnorm_fwd_args *a) {
  const bool wide =
      cuda_divides(a->D, cuda_wide_of(a->type)) && (k->planning || cuda_aligned(a->x, a->w, a->y));
  if (a->type == KERN_BF16)
    return wide ? fwd<cuda_bf16, 8, PACKS>(k, a) : fwd<cuda_bf16, 1, SINGLES>(k, a);
  return wide ? fwd<float, 4, PACKS>(k, a) : fwd<float, 1, SINGLES>(k, a);
}

template <typename T, int N, int PER> static orr_code bwd(kern *k, const kern_rmsnorm_bwd_args *a) {
  ORR_TRY(check_width(a->D, N, PER));
  const dim3 block = block_of(a->D / N, PER);
  const int64_t blocks = a->unit ? a->M / a->unit : cuda_partials_of(cuda_ceil_div(a->M, block.y));
  void *partial;
  ORR_TRY(cuda_workspace(k, (size_t)(cuda_partials_of(a->M) * a->D) * sizeof(float), &partial));
  if (k->planning || a->M == 0) return ORR_OK;
  if (a->unit) partial = a->dw_units;
  const size_t scratch = 2 * cuda_row_scratch(block) * sizeof(float);
  const size_t sum = block.y > 1 ? (size_t)a->D * sizeof(float) : 0;
  ORR_TRY(cuda_start(k, "start rmsnorm_bwd", bwd_kernel<T, N, PER>, dim3((unsigned)blocks), block,
                     scratch > sum ? scratch : sum, *a, static_cast<float *>(partial)));
  if (a->unit) return ORR_OK;
  return cuda_partials_sum(k, "start rmsnorm_bwd's sums", static_cast<float *>(partial), blocks,
                           a->D, a->D, a->dw, false);
}

extern "C" orr_code cuda_rmsnorm_bwd(kern *k, const kern_rmsnorm_bwd_args *a) {
  const bool wide = cuda_divides(a->D, cuda_wide_of(a->type)) &&
                    (k->planning || cuda_aligned(a->dy, a->x, a->w, a->add, a->dx));
  if (a->type == KERN_BF16)
    return wide ? bwd<cuda_bf16, 8, PACKS>(k, a) : bwd<cuda_bf16, 1, SINGLES>(k, a);
  return wide ? bwd<float, 4, PACKS>(k, a) : bwd<float, 1, SINGLES>(k, a);
}
