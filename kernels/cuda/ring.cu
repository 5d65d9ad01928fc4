// Attention of rollouts over the keys and values of earlier frames, and keeping them: what
// kernels/cpu/ring.c does. Which frames those are is read from device memory, so that a captured
// frame can be replayed. A warp takes one head of one row: each lane a position at a time for the
// scores, then all lanes together their channels of the weighted sum.
#include "kernels/cuda/launch.cuh"

#include <inttypes.h>
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"

enum { WARPS = 4, MOST_K = 256, CHANNELS = MOST_K / CUDA_WARP, MOST_SEEN = 1024 };

// What a row sees: frame 0 when it is not the row's own, then frames that stay, then frames first
// .. first+count-1, then itself.
struct sight {
  int64_t first;
  int count, sink, pins; // sink: 0 or 1
};

__device__ __forceinline__ sight sight_of(const kern_ring_attend_args &a, int64_t b) {
  const int64_t t = a.r.frame[b];
  int64_t first = t - a.window + 1;
  if (first < 1) first = 1;
  int pins = 0;
  while (a.r.pins && pins < a.r.most_pins && a.r.pin[b * a.r.most_pins + pins] >= 0) pins++;
  return sight{first, t > first ? (int)(t - first) : 0, t > 0, pins};
}

template <typename T> struct row_of {
  const kern_ring_attend_args &a;
  int64_t b, n, g;
  sight s;

  __device__ __forceinline__ int64_t place(int i) const {
    const int64_t f = s.first + i - s.sink - s.pins;
    const int64_t at = (int64_t)a.r.ring[b] * a.r.places + f % a.r.places;
    return (at * a.r.N + n) * a.r.G * a.r.K + g * a.r.K;
  }
  __device__ __forceinline__ int64_t sink() const {
    return ((int64_t)a.r.ring[b] * a.r.N + n) * a.r.G * a.r.K + g * a.r.K;
  }
  __device__ __forceinline__ int64_t pinned(int i) const {
    const int64_t slot = a.r.pin[b * a.r.most_pins + i - s.sink];
    return ((((int64_t)a.r.ring[b] * a.r.pins + slot) * a.r.N + n) * a.r.G + g) * a.r.K;
  }
  __device__ __forceinline__ const T *key(int i) const {
    const int64_t HK = a.H * a.r.K, GK = a.r.G * a.r.K, m = b * a.r.N + n;
    if (i < s.sink) return static_cast<const T *>(a.r.sink_keys) + sink();
    if (i < s.sink + s.pins) return static_cast<const T *>(a.r.pin_keys) + pinned(i);
    if (i < s.sink + s.pins + s.count) return static_cast<const T *>(a.r.keys) + place(i);
    return static_cast<const T *>(a.qk) + m * (HK + GK) + HK + g * a.r.K;
  }
  __device__ __forceinline__ const T *value(int i) const {
    const int64_t HK = a.H * a.r.K, GK = a.r.G * a.r.K, m = b * a.r.N + n;
    if (i < s.sink) return static_cast<const T *>(a.r.sink_values) + sink();
    if (i < s.sink + s.pins) return static_cast<const T *>(a.r.pin_values) + pinned(i);
    if (i < s.sink + s.pins + s.count) return static_cast<const T *>(a.r.values) + place(i);
    return static_cast<const T *>(a.qkv) + m * (HK + 2 * GK) + HK + GK + g * a.r.K;
  }
};

template <typename T> __device__ __forceinline__ float at(const T *x, int i) {
  return cuda_load<T, 1>(x, i).at(0);
}

template <typename T>
__device__ __forceinline__ float score(const row_of<T> &r, const float *q, int i, int K) {
  const T *k = r.key(i);
  float sum = 0.0f;
  if (i >= r.s.sink + r.s.pins) {
    for (int c = 0; c < K; c++) sum += q[c] * at(k, c);
    return sum;
  }
  const int half = K / 2;
  const float *cos_ = r.a.cos + r.b * half, *sin_ = r.a.sin + r.b * half;
  for (int j = 0; j < half; j++) {
    const float x = at(k, j), y = at(k, j + half);
    sum += q[j] * (x * cos_[j] - y * sin_[j]) + q[j + half] * (y * cos_[j] + x * sin_[j]);
  }
  return sum;
}

template <typename T>
static __global__ void __launch_bounds__(WARPS *CUDA_WARP)
    attend_kernel(const kern_ring_attend_args a, int most) {
  const int K = (int)a.r.K, lane = (int)threadIdx.x;
  float *q = cuda_shared_as<float>() + threadIdx.y * (K + most), *p = q + K;
  const int64_t task = (int64_t)blockIdx.x * WARPS + threadIdx.y, m = task / a.H, h = task % a.H;
  if (m >= a.r.B * a.r.N) return; // a whole warp
  const int64_t b = m / a.r.N, HK = a.H * a.r.K;
  const row_of<T> r = {a, b, m % a.r.N, h / (a.H / a.r.G), sight_of(a, b)};
  const int seen = r.s.sink + r.s.pins + r.s.count + 1;
  const T *own = static_cast<const T *>(a.qk) + m * (HK + a.r.G * a.r.K) + h * K;
  for (int c = lane; c < K; c += CUDA_WARP) q[c] = at(own, c);
  __syncwarp();
  const float scale = 1.0f / sqrtf((float)K);
  float largest = -INFINITY, total = 0.0f;
  for (int i = lane; i < seen; i += CUDA_WARP) {
    p[i] = score(r, q, i, K);
    largest = fmaxf(largest, p[i]);
  }
  largest = cuda_warp_max(largest);
  for (int i = lane; i < seen; i += CUDA_WARP) {
    p[i] = expf((p[i] - largest) * scale);
    total += p[i];
  }
  total = cuda_warp_sum(total);
  __syncwarp();
  float sum[CHANNELS];
#pragma unroll
  for (int c = 0; c < CHANNELS; c++) sum[c] = 0.0f;
  for (int i = 0; i < seen; i++) {
    const T *v = r.value(i);
#pragma unroll
    for (int c = 0; c < CHANNELS; c++)
      if (lane + c * CUDA_WARP < K) sum[c] += p[i] * at(v, lane + c * CUDA_WARP);
  }
  T *o = static_cast<T *>(a.o) + m * HK + h * K;
#pragma unroll
  for (int c = 0; c < CHANNELS; c++) {
    const float v[1] = {sum[c] / total};
    if (lane + c * CUDA_WARP < K) cuda_store(o, lane + c * CUDA_WARP, v);
  }
}

// One row of the frames at hand a block.
template <typename T>
static __global__ void __launch_bounds__(256) keep_kernel(const kern_ring_keep_args a) {
  const int64_t GK = a.r.G * a.r.K, HK = a.H * a.r.K, m = blockIdx.x, b = m / a.r.N, n = m % a.r.N;
  const int64_t t = a.r.frame[b], ring = a.r.ring[b];
  const int64_t to =
      (t == 0 ? ring * a.r.N + n : (ring * a.r.places + t % a.r.places) * a.r.N + n) * GK;
  const T *k = static_cast<const T *>(a.qk) + m * (HK + GK) + HK;
  const T *v = static_cast<const T *>(a.qkv) + m * (HK + 2 * GK) + HK + GK;
  T *keys = static_cast<T *>(t == 0 ? a.r.sink_keys : a.r.keys) + to;
  T *values = static_cast<T *>(t == 0 ? a.r.sink_values : a.r.values) + to;
  for (int64_t c = threadIdx.x; c < GK; c += blockDim.x) {
    keys[c] = k[c];
    values[c] = v[c];
  }
}

extern "C" orr_code cuda_ring_attend(kern *k, const kern_ring_attend_args *a) {
  ORR_CHECK(a->r.K <= MOST_K, ORR_EUNSUPPORTED,
            "attention: head width %" PRId64 "; on a GPU at most %d: use more heads, or device cpu",
            a->r.K, (int)MOST_K);
  ORR_CHECK(a->window + a->r.most_pins <= MOST_SEEN - 2, ORR_EUNSUPPORTED,
            "rollout: window of %" PRId64 " frames and a memory of %" PRId64
            "; on a GPU at most %d together: choose a shorter one, or device cpu",
            a->window, a->r.most_pins, (int)MOST_SEEN - 2);
  if (k->planning || a->r.B == 0) return ORR_OK;
  const int most = (int)(a->window + a->r.most_pins) + 1;
  const int64_t tasks = a->r.B * a->r.N * a->H;
  return cuda_start(k, "start ring_attend",
                    a->r.type == KERN_BF16 ? attend_kernel<cuda_bf16> : attend_kernel<float>,
                    dim3((unsigned)cuda_ceil_div(tasks, WARPS)), dim3(CUDA_WARP, WARPS),
                    (size_t)WARPS * (size_t)(a->r.K + most) * sizeof(float), *a, most);
}

extern "C" orr_code cuda_ring_keep(kern *k, const kern_ring_keep_args *a) {
  if (k->planning || a->r.B == 0) return ORR_OK;
  return cuda_start(k, "start ring_keep",
                    a->r.type == KERN_BF16 ? keep_kernel<cuda_bf16> : keep_kernel<float>,
                    dim3((unsigned)(a->r.B * a->r.N)), dim3(256), 0, *a);
}

// One row of the frames at hand a block.
template <typename T>
static __global__ void __launch_bounds__(256) pin_kernel(const kern_ring_pin_args a) {
  const int64_t GK = a.r.G * a.r.K, half = a.r.K / 2, m = blockIdx.x, b = m / a.r.N, n = m % a.r.N;
  const int64_t slot = a.to[b], ring = a.r.ring[b];
  if (slot < 0) return;
  const int64_t from = ((ring * a.r.places + a.from[b] % a.r.places) * a.r.N + n) * GK,
                to = ((ring * a.r.pins + slot) * a.r.N + n) * GK;
  const T *k = static_cast<const T *>(a.r.keys) + from;
  T *keys = static_cast<T *>(a.r.pin_keys) + to;
  for (int64_t i = threadIdx.x; i < a.r.G * half; i += blockDim.x) {
    const int64_t j = i % half, p = i / half * a.r.K + j;
    const float c = a.cos[b * half + j], s = a.sin[b * half + j];
    const float x = cuda_load<T, 1>(k, (int)p).at(0), y = cuda_load<T, 1>(k, (int)(p + half)).at(0);
    const float first[1] = {x * c + y * s}, second[1] = {y * c - x * s};
    cuda_store(keys, (int)p, first);
    cuda_store(keys, (int)(p + half), second);
  }
  for (int64_t c = threadIdx.x; c < GK; c += blockDim.x)
    static_cast<T *>(a.r.pin_values)[to + c] = static_cast<const T *>(a.r.values)[from + c];
}

extern "C" orr_code cuda_ring_pin(kern *k, const kern_ring_pin_args *a) {
  if (k->planning || a->r.B == 0) return ORR_OK;
  return cuda_start(k, "start ring_pin",
                    a->r.type == KERN_BF16 ? pin_kernel<cuda_bf16> : pin_kernel<float>,
                    dim3((unsigned)(a->r.B * a->r.N)), dim3(256), 0, *a);
}
