// Cross-entropy with z-loss over a vocabulary that may be sharded: the equations of
// kernels/cpu/xent.c. A block takes a row; its logits are read once for the statistics and once for
// the gradient.
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/partials.cuh"
#include "kernels/cuda/reduce.cuh"

enum { MOST_THREADS = 256 };

static dim3 block_of(int64_t packs) {
  const int64_t threads = cuda_ceil_div(packs, CUDA_WARP) * CUDA_WARP;
  return dim3(threads < MOST_THREADS ? (unsigned)threads : (unsigned)MOST_THREADS);
}

// sum e^(l - largest) for a larger `largest`; of nothing it is 0.
__device__ __forceinline__ float rescaled(float sum, float own_largest, float largest) {
  return sum == 0.0f ? 0.0f : sum * expf(own_largest - largest);
}

template <int N>
static __global__ void __launch_bounds__(MOST_THREADS) stats_kernel(const kern_xent_stats_args a) {
  const int64_t m = blockIdx.x;
  const int32_t target = a.target[m];
  if (target < 0) {
    if (threadIdx.x == 0) a.largest[m] = -INFINITY;
    if (threadIdx.x == 0) a.target_logit[m] = 0.0f;
    if (threadIdx.x == 0 && a.sum) a.sum[m] = 0.0f;
    return; // the whole block
  }
  const float *row = a.logits + m * a.V;
  float own = -INFINITY, sum = 0.0f;
  for (int64_t i = threadIdx.x; i < a.V / N; i += blockDim.x) {
    float l[N], most = own;
    cuda_load_f32(row, i, l);
#pragma unroll
    for (int e = 0; e < N; e++) most = fmaxf(most, l[e]);
    sum = rescaled(sum, own, most);
#pragma unroll
    for (int e = 0; e < N; e++) sum += expf(l[e] - most);
    own = most;
  }
  float *scratch = cuda_shared_as<float>();
  const float largest = cuda_row_max(own, scratch);
  sum = cuda_row_sum(rescaled(sum, own, largest), scratch + blockDim.x / CUDA_WARP);
  if (threadIdx.x != 0) return;
  const int64_t t = target - a.v_first;
  a.largest[m] = largest;
  if (a.sum) a.sum[m] = sum;
  a.target_logit[m] = t >= 0 && t < a.V ? row[t] : 0.0f;
}

extern "C" orr_code cuda_xent_stats(kern *k, const kern_xent_stats_args *a) {
  if (k->planning || a->M == 0) return ORR_OK;
  const bool wide = cuda_divides(a->V, 4) && cuda_aligned(a->logits);
  const dim3 block = block_of(a->V / (wide ? 4 : 1));
  return cuda_start(k, "start xent_stats", wide ? stats_kernel<4> : stats_kernel<1>,
                    dim3((unsigned)a->M), block, 2 * cuda_row_scratch(block) * sizeof(float), *a);
}

// A warp sums a slice, its lanes every 32nd logit of it.
static __global__ void __launch_bounds__(KERN_SLICES_MOST *CUDA_WARP)
    sum_kernel(const kern_xent_sum_args a, const kern_slices slices) {
  const int64_t m = blockIdx.x;
  float *sums = cuda_shared_as<float>();
  const int s = (int)threadIdx.y;
  float sum = 0.0f;
  if (a.target[m] >= 0)
    for (int64_t v = slices.at[0][s] + threadIdx.x; v < slices.at[0][s + 1]; v += CUDA_WARP)
      sum += expf(a.logits[m * a.V + v] - a.largest[m]);
  sum = cuda_warp_sum(sum);
  if (threadIdx.x == 0) sums[s] = sum;
  __syncthreads();
  if (threadIdx.x != 0 || s != 0) return;
  for (int step = 1; step < slices.count; step *= 2)
    for (int i = 0; i < slices.count; i += 2 * step) sums[i] += sums[i + step];
  a.sum[m] = sums[0];
}

extern "C" orr_code cuda_xent_sum(kern *k, const kern_xent_sum_args *a) {
  if (k->planning || a->M == 0) return ORR_OK;
  return cuda_start(k, "start xent_sum", sum_kernel, dim3((unsigned)a->M),
                    dim3(CUDA_WARP, (unsigned)a->slices->count),
                    (size_t)a->slices->count * sizeof(float), *a, *a->slices);
}

static __global__ void __launch_bounds__(256) rescale_kernel(const kern_xent_rescale_args a) {
  const int64_t m = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (m < a.M && a.sum[m] > 0.0f) a.sum[m] *= expf(a.own_largest[m] - a.largest[m]);
}

extern "C" orr_code cuda_xent_rescale(kern *k, const kern_xent_rescale_args *a) {
  if (k->planning || a->M == 0) return ORR_OK;
  return cuda_start(k, "start xent_rescale", rescale_kernel,
                    dim3((unsigned)cuda_ceil_div(a->M, 256)), dim3(256), 0, *a);
}

template <typename T, int N>
static __global__ void __launch_bounds__(MOST_THREADS)
    grad_kernel(const kern_xent_grad_args a, double *loss) {
  const int64_t m = blockIdx.x, t = a.target[m] - a.v_first;
  const bool counts = a.target[m] >= 0;
  const float lse = counts ? a.largest[m] + logf(a.sum[m]) : 0.0f;
  const float weight = a.weight && counts ? a.weight[m] : 1.0f;
  if (threadIdx.x == 0)
    loss[m] =
        counts ? weight * ((double)lse - a.target_logit[m] + (double)a.z_loss * lse * lse) : 0.0;
  if (!a.dlogits) return;
  const float scale = *a.scale * weight, share = scale * (1.0f + 2.0f * a.z_loss * lse);
  const float *row = a.logits + m * a.V;
  for (int64_t i = threadIdx.x; i < a.V / N; i += blockDim.x) {
    float l[N];
    cuda_load_f32(row, i, l);
#pragma unroll
    for (int e = 0; e < N; e++) {
      const float softmax = share * expf(l[e] - lse);
      l[e] = !counts ? 0.0f : i * N + e == t ? softmax - scale : softmax;
    }
    cuda_store(static_cast<T *>(a.dlogits) + m * a.V, i, l);
  }
}

extern "C" orr_code cuda_xent_grad(kern *k, const kern_xent_grad_args *a) {
  void *workspace;
  ORR_TRY(cuda_workspace(k, (size_t)a->M * sizeof(double), &workspace));
  if (k->planning || a->M == 0) return ORR_OK;
  double *loss = static_cast<double *>(workspace);
  const int n = cuda_wide_of(a->type);
  const bool wide = cuda_divides(a->V, n) && cuda_aligned(a->logits, a->dlogits);
  const auto kernel = a->type == KERN_BF16
                          ? (wide ? grad_kernel<cuda_bf16, 8> : grad_kernel<cuda_bf16, 1>)
                          : (wide ? grad_kernel<float, 4> : grad_kernel<float, 1>);
  const dim3 block = a->dlogits ? block_of(a->V / (wide ? n : 1)) : dim3(CUDA_WARP);
  ORR_TRY(cuda_start(k, "start xent_grad", kernel, dim3((unsigned)a->M), block, 0, *a, loss));
  return cuda_partials_sum_f64(k, "start xent_grad's sum", loss, a->M, a->loss_sum, false);
}
