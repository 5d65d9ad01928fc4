// AdamW's step on the digits of codes, which codes of kin share: what kernels/cpu/digits.c
// computes. Its sums are exact, so their order is free.
#include "kernels/cuda/pack.cuh"
#include "kernels/digits.h"

// Row `row` of the arrays over digits: codes high * stride * level + value * stride + low have it.
typedef struct {
  int64_t value, stride, level, codes;
} digit;

__device__ __forceinline__ digit digit_of(const kern_digits &a, int64_t row) {
  digit d = {row, 1, 0, 1};
  for (int64_t j = 0; j < a.digits; j++) {
    if (!d.level) {
      if (d.value < a.level[j]) {
        d.level = a.level[j];
        d.stride = d.codes;
      } else {
        d.value -= a.level[j];
      }
    }
    d.codes *= a.level[j];
  }
  return d;
}

enum { WAYS = 8 }; // threads that share out the codes with one digit

// Block: a warp of columns, one row. Dynamic shared memory: double [2][WAYS][CUDA_WARP].
static __global__ void __launch_bounds__(CUDA_WARP *WAYS)
    sums_kernel(const kern_digit_sums_args a, int64_t rows, double round_m, double round_v) {
  const kern_digits &of = a.of;
  double *part = cuda_shared_as<double>();
  const int64_t column = (int64_t)blockIdx.x * CUDA_WARP + threadIdx.x, row = blockIdx.y;
  const digit d = digit_of(of, row);
  double m = 0, v = 0;
  for (int64_t i = threadIdx.y; column < of.D && i < d.codes / d.level; i += WAYS) {
    const int64_t code = (i / d.stride * d.level + d.value) * d.stride + i % d.stride,
                  at = code * of.D + column - of.first;
    if (at < 0 || at >= of.n) continue;
    m += ((double)a.m[at] + round_m) - round_m;
    v += ((double)a.v[at] + round_v) - round_v;
  }
  part[threadIdx.y * CUDA_WARP + threadIdx.x] = m;
  part[(WAYS + threadIdx.y) * CUDA_WARP + threadIdx.x] = v;
  __syncthreads();
  if (threadIdx.y != 0 || column >= of.D) return;
  for (int y = 1; y < WAYS; y++) {
    m += part[y * CUDA_WARP + threadIdx.x];
    v += part[(WAYS + y) * CUDA_WARP + threadIdx.x];
  }
  a.sums[row * of.D + column] += m;
  a.sums[(rows + row) * of.D + column] += v;
}

extern "C" orr_code cuda_digit_sums(kern *k, const kern_digit_sums_args *a) {
  if (k->planning || a->of.n == 0) return ORR_OK;
  const int64_t rows = kern_digits_rows(&a->of);
  const dim3 grid((unsigned)cuda_ceil_div(a->of.D, CUDA_WARP), (unsigned)rows);
  return cuda_start(k, "start digit_sums", sums_kernel, grid, dim3(CUDA_WARP, WAYS),
                    2 * WAYS * CUDA_WARP * sizeof(double), *a, rows, 0x1.8p12, 0x1.8p2);
}

static __global__ void __launch_bounds__(256) steps_kernel(const kern_digit_steps_args a) {
  const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= a.n) return;
  const float m = (float)a.sums[i], v = (float)a.sums[a.n + i];
  a.step[i] = a.verdict->skip
                  ? 0.0f
                  : -a.share * a.rates->rate * m / (sqrtf(v) * a.rates->root_bias + a.eps);
}

extern "C" orr_code cuda_digit_steps(kern *k, const kern_digit_steps_args *a) {
  if (k->planning || a->n == 0) return ORR_OK;
  return cuda_start(k, "start digit_steps", steps_kernel, dim3((unsigned)cuda_ceil_div(a->n, 256)),
                    dim3(256), 0, *a);
}

static __global__ void __launch_bounds__(256)
    apply_kernel(const kern_digit_apply_args a, int64_t codes) {
  const kern_digits &of = a.of;
  for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < of.n;
       i += (int64_t)gridDim.x * blockDim.x) {
    const int64_t code = (of.first + i) / of.D, column = (of.first + i) % of.D;
    if (code >= codes) continue;
    float w = a.w[i];
    int64_t rest = code, row = 0;
    for (int64_t j = 0; j < of.digits; j++) {
      w += a.step[(row + rest % of.level[j]) * of.D + column];
      row += of.level[j];
      rest /= of.level[j];
    }
    a.w[i] = w;
  }
}

extern "C" orr_code cuda_digit_apply(kern *k, const kern_digit_apply_args *a) {
  if (k->planning || a->of.n == 0) return ORR_OK;
  const int64_t blocks = cuda_ceil_div(a->of.n, 256);
  return cuda_start(k, "start digit_apply", apply_kernel,
                    dim3((unsigned)(blocks < 65536 ? blocks : 65536)), dim3(256), 0, *a,
                    kern_digits_codes(&a->of));
}
