#include "kernels/cuda/columns.cuh"

#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/partials.cuh"

enum { ROWS = 8, LEAST_ROWS = 64, MOST_SLICES = 128 }; // threads along rows; rows of a slice

__device__ __forceinline__ bool chosen(const cuda_row_choice &c, int64_t m, int32_t z) {
  return !(c.zero && c.zero[m]) && !(c.group && c.group[m / c.per % c.groups] != z);
}

// Block: 32 packs of columns, a slice of the rows, one sum. partial[slice][sum][width].
template <typename T, int N>
static __global__ void __launch_bounds__(CUDA_WARP *ROWS, 4)
    sum_kernel(const cuda_columns c, int64_t slice_rows, float *partial) {
  float *sums = cuda_shared_as<float>(); // [ROWS][32 N]
  const int64_t i = (int64_t)blockIdx.x * CUDA_WARP + threadIdx.x;
  const int64_t first = blockIdx.y * slice_rows, z = blockIdx.z;
  const int64_t end = first + slice_rows < c.M ? first + slice_rows : c.M;
  const bool inside = i < c.width / N;
  float sum[N] = {};
  if (inside) {
#pragma unroll 4
    for (int64_t m = first + threadIdx.y; m < end; m += ROWS) {
      if (!chosen(c.choice, m, (int32_t)z)) continue;
      const cuda_pack<T, N> x = cuda_load<T, N>(static_cast<const T *>(c.x) + m * c.ld, i);
#pragma unroll
      for (int e = 0; e < N; e++) sum[e] += x.at(e);
    }
  }
#pragma unroll
  for (int e = 0; e < N; e++) sums[(threadIdx.y * N + e) * CUDA_WARP + threadIdx.x] = sum[e];
  __syncthreads();
  if (threadIdx.y != 0 || !inside) return;
#pragma unroll
  for (int e = 0; e < N; e++) {
    for (int y = 1; y < ROWS; y++) sum[e] += sums[(y * N + e) * CUDA_WARP + threadIdx.x];
    partial[(blockIdx.y * c.sums + z) * c.width + i * N + e] = sum[e];
  }
}

orr_code cuda_columns_sum(kern *k, const cuda_columns *c) {
  int64_t rows = cuda_ceil_div(c->M, MOST_SLICES);
  if (rows < LEAST_ROWS) rows = LEAST_ROWS;
  const int64_t slices = cuda_ceil_div(c->M, rows), width = c->sums * c->width;
  void *workspace;
  ORR_TRY(cuda_workspace(k, (size_t)(slices * width) * sizeof(float), &workspace));
  if (k->planning || width == 0 || c->M == 0) return ORR_OK;
  float *partial = static_cast<float *>(workspace);
  const int n = cuda_wide_of(c->type);
  const bool wide = cuda_divides(c->width, n) && cuda_divides(c->ld, n) && cuda_aligned(c->x);
  const auto kernel = c->type == KERN_BF16
                          ? (wide ? sum_kernel<cuda_bf16, 8> : sum_kernel<cuda_bf16, 1>)
                          : (wide ? sum_kernel<float, 4> : sum_kernel<float, 1>);
  const int64_t tiles = cuda_ceil_div(c->width / (wide ? n : 1), CUDA_WARP);
  ORR_TRY(cuda_start(k, c->what, kernel, dim3((unsigned)tiles, (unsigned)slices, (unsigned)c->sums),
                     dim3(CUDA_WARP, ROWS),
                     (size_t)(CUDA_WARP * ROWS * (wide ? n : 1)) * sizeof(float), *c, rows,
                     partial));
  return cuda_partials_sum(k, c->what, partial, slices, width, width, c->out, c->overwrite);
}

extern "C" orr_code cuda_column_sums(kern *k, const kern_matmul_bwd_w_args *a) {
  cuda_columns c = {};
  c.what = "start the bias's gradient";
  c.type = a->type;
  c.M = a->M;
  c.width = a->N;
  c.ld = a->lddy ? a->lddy : a->N;
  c.x = a->dy;
  c.sums = 1;
  c.out = a->dbias;
  c.overwrite = a->overwrite;
  return cuda_columns_sum(k, &c);
}
