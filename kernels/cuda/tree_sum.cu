// Sums whose order is given: of arrays by a stack (kernels/ops.h), of numbers one after the other.
// A thread takes an element, so its neighbours' loads lie side by side.
#include "kernels/cuda/pack.cuh"

enum { THREADS = 256 };

__device__ __forceinline__ int carries(int64_t i) {
  int n = 0;
  for (; i & 1; i >>= 1) n++;
  return n;
}

template <typename T>
static __global__ void __launch_bounds__(THREADS) tree_kernel(const kern_tree_sum_args a) {
  const int64_t e = (int64_t)blockIdx.x * THREADS + threadIdx.x;
  if (e >= a.n) return;
  const int64_t inner = a.inner ? a.inner : a.count;
  float stack[KERN_TREE_DEPTH];
  int top = 0;
  for (int64_t i = 0; i < a.count; i++) {
    stack[top++] = a.x[i / inner * a.outer_stride + i % inner * a.inner_stride + e];
    int m = i + 1 == a.count ? top - 1 : a.merges ? (int)a.merges[i] : carries(i);
    for (; m > 0; m--, top--) stack[top - 2] += stack[top - 1];
  }
  T *y = static_cast<T *>(a.y);
  float sum = stack[0];
  if (a.accumulate)
    sum += cuda_load<T, 1>(y, e).at(0);
  else if (a.add)
    sum += cuda_load<T, 1>(static_cast<const T *>(a.add), e).at(0);
  y[e] = cuda_rounded(sum, T());
}

extern "C" orr_code cuda_tree_sum(kern *k, const kern_tree_sum_args *a) {
  if (k->planning || a->n == 0) return ORR_OK;
  const dim3 grid((unsigned)cuda_ceil_div(a->n, THREADS)), block(THREADS);
  if (a->type == KERN_BF16)
    return cuda_start(k, "start tree_sum", tree_kernel<cuda_bf16>, grid, block, 0, *a);
  return cuda_start(k, "start tree_sum", tree_kernel<float>, grid, block, 0, *a);
}

static __global__ void __launch_bounds__(32) add_up_kernel(const kern_add_up_args a) {
  if (threadIdx.x != 0) return;
  double sum = 0;
  for (int64_t i = 0; i < a.n; i++) sum += a.x[i];
  *a.sum = sum;
}

extern "C" orr_code cuda_add_up(kern *k, const kern_add_up_args *a) {
  if (k->planning) return ORR_OK;
  return cuda_start(k, "start add_up", add_up_kernel, dim3(1), dim3(32), 0, *a);
}
