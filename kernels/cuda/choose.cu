// Which masked positions of a frame take their codes: what kernels/cpu/choose.c does. A block takes
// a session; a position's rank is the number of masked ones that go before it.
#include "kernels/cuda/launch.cuh"

#include <inttypes.h>
#include "kernels/cuda/philox.cuh"

enum { THREADS = 256, MOST_S = 4096 };

__device__ __forceinline__ float confidence_of(const kern_choose_args &a, int64_t b, int s) {
  double noise = 0.0;
  if (a.noise[b] != 0.0f) {
    const uint64_t position = a.draw[b] * (uint64_t)a.S + (uint64_t)s;
    const double u = cuda_uniform(a.seed[b], ORR_STREAM_CHOICE, a.sample[b], position);
    noise = (double)a.noise[b] * -log(-log(u + 1e-12) + 1e-12);
  }
  const float v = (float)(a.log_prob[b * a.S + s] + noise);
  return v == v ? v : -INFINITY;
}

static __global__ void __launch_bounds__(THREADS) choose_kernel(const kern_choose_args a) {
  const int64_t b = blockIdx.x;
  const int S = (int)a.S;
  float *confidence = cuda_shared_as<float>();                  // [S]; NaN = not masked
  int32_t *order = reinterpret_cast<int32_t *>(confidence + S); // [S]: position by rank
  int32_t *tokens = a.tokens + b * S;
  for (int s = (int)threadIdx.x; s < S; s += THREADS)
    confidence[s] = tokens[s] == a.V ? confidence_of(a, b, s) : NAN;
  __syncthreads();
  int masked = 0;
  for (int s = 0; s < S; s++) masked += confidence[s] == confidence[s];
  for (int s = (int)threadIdx.x; s < S; s += THREADS) {
    const float own = confidence[s];
    if (own != own) continue;
    int rank = 0;
    for (int i = 0; i < S; i++) rank += confidence[i] > own || (confidence[i] == own && i < s);
    order[rank] = s;
    if (rank < masked - a.left[b]) tokens[s] = a.code[b * S + s];
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  double nll = a.nll[b];
  for (int i = 0; i < masked - a.left[b]; i++) nll -= a.log_prob[b * S + order[i]];
  a.nll[b] = nll;
}

extern "C" orr_code cuda_choose(kern *k, const kern_choose_args *a) {
  ORR_CHECK(a->S <= MOST_S, ORR_EUNSUPPORTED,
            "rollout: %" PRId64 " positions a frame; on a GPU at most %d: device cpu", a->S,
            (int)MOST_S);
  if (k->planning || a->B == 0) return ORR_OK;
  return cuda_start(k, "start choose", choose_kernel, dim3((unsigned)a->B), dim3(THREADS),
                    (size_t)a->S * (sizeof(float) + sizeof(int32_t)), *a);
}
