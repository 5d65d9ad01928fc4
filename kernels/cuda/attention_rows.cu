// Our own attention where the tensor cores' tiles do not fit: float32, other head widths, unaligned
// rows. The equations are those of kernels/cpu/attention.c.
//
// A warp takes one row: a query or, for dk and dv, a key. It looks at 32 rows of the other side at
// a time: first each lane takes one of them and its whole dot product, then all lanes add the 32
// weighted rows together, each its own channels.
#include "kernels/cuda/attention.cuh"

#include <inttypes.h>
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"

enum { WARPS = 4, MOST_K = 256, CHANNELS = MOST_K / CUDA_WARP };

// The rows of one head of one sequence: row l begins at first + l * step.
template <typename T> struct head_rows {
  const T *first;
  int64_t step;

  __device__ __forceinline__ const T *row(int l) const { return first + l * step; }
};

template <typename T, typename A>
__device__ __forceinline__ head_rows<T> rows_of(const A &a, const void *x, int64_t ld, int64_t s,
                                                int64_t h) {
  return head_rows<T>{static_cast<const T *>(x) + cuda_sequence(a, s) * ld + h * a.K,
                      a.seq.pos_stride * ld};
}

// A row in shared memory as float32; the warp meets before it is read.
template <typename T> __device__ __forceinline__ void keep_row(const T *row, int K, float *kept) {
  for (int c = (int)threadIdx.x; c < K; c += CUDA_WARP) kept[c] = cuda_load<T, 1>(row, c).at(0);
}

template <typename T, int N>
__device__ __forceinline__ float dot(const float *kept, const T *row, int K) {
  float sum = 0.0f;
  for (int i = 0; i < K / N; i++) {
    const cuda_pack<T, N> x = cuda_load<T, N>(row, i);
#pragma unroll
    for (int e = 0; e < N; e++) sum += kept[i * N + e] * x.at(e);
  }
  return sum;
}

// This lane's channels of a row: threadIdx.x, and every 32nd from there.
struct row_sum {
  float d[CHANNELS];

  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int c = 0; c < CHANNELS; c++) d[c] = 0.0f;
  }
  __device__ __forceinline__ void scale(float by) {
#pragma unroll
    for (int c = 0; c < CHANNELS; c++) d[c] *= by;
  }
  template <typename T> __device__ __forceinline__ void add(float weight, const T *row, int K) {
#pragma unroll
    for (int c = 0; c < CHANNELS; c++) {
      const int at = (int)threadIdx.x + c * CUDA_WARP;
      if (at < K) d[c] += weight * cuda_load<T, 1>(row, at).at(0);
    }
  }
  template <typename T> __device__ __forceinline__ void store(T *row, int K) const {
#pragma unroll
    for (int c = 0; c < CHANNELS; c++) {
      const float v[1] = {d[c]};
      const int at = (int)threadIdx.x + c * CUDA_WARP;
      if (at < K) cuda_store(row, at, v);
    }
  }
};

// --- forward -------------------------------------------------------------------

// Softmax over the rows j of [0, n) that sees(j) names, taken as they come (Milakov & Gimelshein
// 2018): o = the weighted sum of v_row(j), not yet divided by *sum.
template <typename T, int N, typename KRow, typename VRow, typename Sees>
__device__ __forceinline__ void attend(const float *q, int K, int first, int n, KRow k_row,
                                       VRow v_row, Sees sees, row_sum *o, float *largest,
                                       float *sum) {
  const float scale = 1.0f / sqrtf((float)K);
  o->clear();
  *largest = -INFINITY;
  *sum = 0.0f;
  for (int j0 = 0; j0 < n; j0 = j0 || first < CUDA_WARP ? j0 + CUDA_WARP : first) {
    // scores and mask: each lane its own row, -inf where it is not seen
    const int j = j0 + (int)threadIdx.x;
    const bool seen = j < n && sees(j);
    const float score = seen ? dot<T, N>(q, k_row(j), K) * scale : -INFINITY;
    // running maximum; `keep` takes what was summed from the old one to the new one (0 at first)
    const float most = fmaxf(*largest, cuda_warp_max(score)); // row 0 is always seen
    const float weight = expf(score - most), keep = expf(*largest - most);
    // rescale
    *largest = most;
    *sum = *sum * keep + cuda_warp_sum(weight);
    o->scale(keep);
    // add the rows by their weights: every lane its own channels of each
    for (int i = 0; i < CUDA_WARP && j0 + i < n; i++)
      o->add(__shfl_sync(CUDA_ALL_LANES, weight, i), v_row(j0 + i), K);
  }
}

// The first whole step of 32 positions that query i sees beside position 0.
template <typename A> __device__ __forceinline__ int first_seen(const A &a, int i) {
  const int64_t oldest = a.seq.causal && a.seq.window ? i - a.seq.window + 1 : 0;
  return oldest > 0 ? (int)(oldest / CUDA_WARP * CUDA_WARP) : 0;
}

template <typename T, int N>
static __global__ void __launch_bounds__(WARPS *CUDA_WARP, 4)
    fwd_kernel(const kern_attention_fwd_args a) {
  const int K = (int)a.K;
  float *q = cuda_shared_as<float>() + threadIdx.y * K;
  const int64_t task = (int64_t)blockIdx.x * WARPS + threadIdx.y;
  if (task >= a.seq.seqs * a.H * a.seq.L) return; // a whole warp
  const int i = (int)(task % a.seq.L);
  const int64_t h = task / a.seq.L % a.H, s = task / a.seq.L / a.H;
  const head_rows<T> k = rows_of<T>(a, a.k, a.ldk, s, h / (a.H / a.G));
  const head_rows<T> v = rows_of<T>(a, a.v, a.ldv, s, h / (a.H / a.G));
  keep_row(rows_of<T>(a, a.q, a.ldq, s, h).row(i), K, q);
  __syncwarp();
  row_sum o;
  float largest, sum;
  attend<T, N>(
      q, K, first_seen(a, i), a.seq.causal ? i + 1 : (int)a.seq.L, [&](int j) { return k.row(j); },
      [&](int j) { return v.row(j); }, [&](int j) { return cuda_sees(a, i, j); }, &o, &largest,
      &sum);
  o.scale(1.0f / sum);
  o.store(const_cast<T *>(rows_of<T>(a, a.o, a.ldo, s, h).row(i)), K);
  if (a.lse && threadIdx.x == 0) a.lse[task] = largest + logf(sum);
}

// --- backward -------------------------------------------------------------------------------

// dq of one query, and its delta.
template <typename T, int N>
static __global__ void __launch_bounds__(WARPS *CUDA_WARP, 4)
    bwd_queries_kernel(const kern_attention_bwd_args a, float *delta) {
  const int K = (int)a.K;
  float *q = cuda_shared_as<float>() + threadIdx.y * 2 * K, *d = q + K;
  const int64_t task = (int64_t)blockIdx.x * WARPS + threadIdx.y;
  if (task >= a.seq.seqs * a.H * a.seq.L) return; // a whole warp
  const int i = (int)(task % a.seq.L);
  const int64_t h = task / a.seq.L % a.H, s = task / a.seq.L / a.H;
  const head_rows<T> k = rows_of<T>(a, a.k, a.ldk, s, h / (a.H / a.G));
  const head_rows<T> v = rows_of<T>(a, a.v, a.ldv, s, h / (a.H / a.G));
  const T *o = rows_of<T>(a, a.o, a.ldo, s, h).row(i);
  keep_row(rows_of<T>(a, a.q, a.ldq, s, h).row(i), K, q);
  keep_row(rows_of<T>(a, a.do_, a.ldo, s, h).row(i), K, d);
  float dots = 0.0f;
  for (int c = (int)threadIdx.x; c < K; c += CUDA_WARP)
    dots += d[c] * cuda_load<T, 1>(o, c).at(0); // the lane's own part of d
  dots = cuda_warp_sum(dots);
  if (threadIdx.x == 0) delta[task] = dots;
  __syncwarp();
  const float scale = 1.0f / sqrtf((float)K), lse = a.lse[task];
  const int n = a.seq.causal ? i + 1 : (int)a.seq.L, first = first_seen(a, i);
  row_sum dq;
  dq.clear();
  for (int j0 = 0; j0 < n; j0 = j0 || first < CUDA_WARP ? j0 + CUDA_WARP : first) {
    const int j = j0 + (int)threadIdx.x;
    float ds = 0.0f;
    if (j < n && cuda_sees(a, i, j)) {
      const float p = expf(dot<T, N>(q, k.row(j), K) * scale - lse);
      ds = p * (dot<T, N>(d, v.row(j), K) - dots) * scale;
    }
    for (int l = 0; l < CUDA_WARP && j0 + l < n; l++)
      dq.add(__shfl_sync(CUDA_ALL_LANES, ds, l), k.row(j0 + l), K);
  }
  dq.store(const_cast<T *>(rows_of<T>(a, a.dq, a.lddq, s, h).row(i)), K);
}

// dk and dv of one key, over all heads and queries that see it.
template <typename T, int N>
static __global__ void __launch_bounds__(WARPS *CUDA_WARP, 4)
    bwd_keys_kernel(const kern_attention_bwd_args a, const float *delta) {
  const int K = (int)a.K;
  float *k = cuda_shared_as<float>() + threadIdx.y * 2 * K, *v = k + K;
  const int64_t task = (int64_t)blockIdx.x * WARPS + threadIdx.y, group = a.H / a.G;
  if (task >= a.seq.seqs * a.G * a.seq.L) return; // a whole warp
  const int j = (int)(task % a.seq.L);
  const int64_t g = task / a.seq.L % a.G, s = task / a.seq.L / a.G;
  keep_row(rows_of<T>(a, a.k, a.ldk, s, g).row(j), K, k);
  keep_row(rows_of<T>(a, a.v, a.ldv, s, g).row(j), K, v);
  __syncwarp();
  const float scale = 1.0f / sqrtf((float)K);
  // beyond the window only position 0 is seen
  const bool passes = a.seq.causal && a.seq.window && j > 0 && j + a.seq.window < a.seq.L;
  const int n = passes ? (int)(j + a.seq.window) : (int)a.seq.L;
  row_sum dk, dv;
  dk.clear();
  dv.clear();
  for (int64_t h = g * group; h < (g + 1) * group; h++) {
    const head_rows<T> q = rows_of<T>(a, a.q, a.ldq, s, h), d = rows_of<T>(a, a.do_, a.ldo, s, h);
    const float *lse = a.lse + (s * a.H + h) * a.seq.L, *dots = delta + (s * a.H + h) * a.seq.L;
    for (int i0 = a.seq.causal ? j : 0; i0 < n; i0 += CUDA_WARP) {
      const int i = i0 + (int)threadIdx.x;
      float p = 0.0f, ds = 0.0f;
      if (i < n && cuda_sees(a, i, j)) {
        p = expf(dot<T, N>(k, q.row(i), K) * scale - lse[i]);
        ds = p * (dot<T, N>(v, d.row(i), K) - dots[i]) * scale;
      }
      for (int l = 0; l < CUDA_WARP && i0 + l < n; l++) {
        dv.add(__shfl_sync(CUDA_ALL_LANES, p, l), d.row(i0 + l), K);
        dk.add(__shfl_sync(CUDA_ALL_LANES, ds, l), q.row(i0 + l), K);
      }
    }
  }
  dk.store(const_cast<T *>(rows_of<T>(a, a.dk, a.lddk, s, g).row(j)), K);
  dv.store(const_cast<T *>(rows_of<T>(a, a.dv, a.lddv, s, g).row(j)), K);
}

// -- entry ----------------------------------------------------------------------------------

static orr_code check_width(int64_t K) {
  ORR_CHECK(K <= MOST_K, ORR_EUNSUPPORTED,
            "attention: head width %" PRId64 "; on a GPU at most %d: use more heads, or device cpu",
            K, (int)MOST_K);
  return ORR_OK;
}

// Whether rows of heads can be read 16 bytes at a time.
static bool is_wide(kern_dtype type, int64_t K, const void *p, int64_t ld) {
  const int n = cuda_wide_of(type);
  return K % n == 0 && ld % n == 0 && cuda_aligned(p);
}

static dim3 grid_of(int64_t tasks) {
  return dim3((unsigned)cuda_ceil_div(tasks, WARPS));
}

extern "C" orr_code cuda_attention_own_fwd(kern *k, const kern_attention_fwd_args *a) {
  ORR_TRY(check_width(a->K));
  const int64_t tasks = a->seq.seqs * a->H * a->seq.L;
  if (k->planning || tasks == 0) return ORR_OK;
  if (cuda_attention_tiles_fit(a)) return cuda_attention_tiles_fwd(k, a);
  const bool wide = is_wide(a->type, a->K, a->k, a->ldk);
  const auto kernel = a->type == KERN_BF16
                          ? (wide ? fwd_kernel<cuda_bf16, 8> : fwd_kernel<cuda_bf16, 1>)
                          : (wide ? fwd_kernel<float, 4> : fwd_kernel<float, 1>);
  return cuda_start(k, "start attention_fwd", kernel, grid_of(tasks), dim3(CUDA_WARP, WARPS),
                    (size_t)(WARPS * a->K) * sizeof(float), *a);
}

extern "C" orr_code cuda_attention_own_bwd(kern *k, const kern_attention_bwd_args *a) {
  ORR_TRY(check_width(a->K));
  void *workspace;
  ORR_TRY(cuda_workspace(k, cuda_delta_bytes(*a), &workspace));
  const int64_t tasks = a->seq.seqs * a->H * a->seq.L;
  if (k->planning || tasks == 0) return ORR_OK;
  float *delta = static_cast<float *>(workspace);
  if (cuda_attention_tiles_fit(a)) return cuda_attention_tiles_bwd(k, a, delta);
  const bool wide = is_wide(a->type, a->K, a->q, a->ldq) && is_wide(a->type, a->K, a->k, a->ldk) &&
                    is_wide(a->type, a->K, a->v, a->ldv) && is_wide(a->type, a->K, a->do_, a->ldo);
  const auto queries =
      a->type == KERN_BF16
          ? (wide ? bwd_queries_kernel<cuda_bf16, 8> : bwd_queries_kernel<cuda_bf16, 1>)
          : (wide ? bwd_queries_kernel<float, 4> : bwd_queries_kernel<float, 1>);
  const auto keys = a->type == KERN_BF16
                        ? (wide ? bwd_keys_kernel<cuda_bf16, 8> : bwd_keys_kernel<cuda_bf16, 1>)
                        : (wide ? bwd_keys_kernel<float, 4> : bwd_keys_kernel<float, 1>);
  const size_t shared = (size_t)(WARPS * 2 * a->K) * sizeof(float);
  ORR_TRY(cuda_start(k, "start attention_bwd", queries, grid_of(tasks), dim3(CUDA_WARP, WARPS),
                     shared, *a, delta));
  return cuda_start(k, "start attention_bwd", keys, grid_of(a->seq.seqs * a->G * a->seq.L),
                    dim3(CUDA_WARP, WARPS), shared, *a, static_cast<const float *>(delta));
}
