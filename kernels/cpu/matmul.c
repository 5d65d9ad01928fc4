// The three products of a linear layer y = x w^T + bias:
//   forward   y[M,N]  (=)        x[M,K] w[N,K]^T + bias + add
//   backward  dx[M,K] (= or +=)  dy[M,N] w[N,K]
//             dw[N,K] (= or +=)  dy[M,N]^T x[M,K],  dbias[N] likewise the column sums of dy
// on vector units (kernels/cpu/gemm.h) or, where they fit, on AMX tiles.
#include "kernels/bf16.h"
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/matmul_amx.h"

orr_code CPU_FN(matmul_fwd)(kern *k, const kern_matmul_fwd_args *args) {
  kern_matmul_fwd_args a = *args;
  ORR_CHECK(a.type == KERN_BF16 || a.y_type == KERN_F32, ORR_EINVAL,
            "kernels: matmul of float32 operands cannot give bfloat16 results");
  if (a.M == 0) return ORR_OK;
  if (a.ldx == 0) a.ldx = a.K;
  if (a.ldy == 0) a.ldy = a.N;
#if defined(__AVX512F__)
  if (a.type == KERN_BF16 && !a.packed && !a.slices && matmul_amx_fits(k, a.M, a.N, a.K))
    return matmul_amx_run(k, &(matmul_amx_args){.y_type = a.y_type,
                                                .M = a.M,
                                                .N = a.N,
                                                .K = a.K,
                                                .x = a.x,
                                                .b = a.w,
                                                .bias = a.bias,
                                                .add = a.add,
                                                .y = a.y,
                                                .ldx = a.ldx,
                                                .ldb = a.K,
                                                .ldy = a.ldy,
                                                .b_transposed = true});
#endif
  return CPU_FN(cpu_gemm_rows)(k, &(cpu_gemm_rows_args){.type = a.type,
                                                        .y_type = a.y_type,
                                                        .M = a.M,
                                                        .N = a.N,
                                                        .K = a.K,
                                                        .x = a.x,
                                                        .b = a.w,
                                                        .packed = a.packed,
                                                        .bias = a.bias,
                                                        .add = a.add,
                                                        .y = a.y,
                                                        .ldx = a.ldx,
                                                        .ldb = a.K,
                                                        .ldy = a.ldy,
                                                        .b_transposed = true,
                                                        .slices = a.slices});
}

orr_code CPU_FN(matmul_bwd_x)(kern *k, const kern_matmul_bwd_x_args *args) {
  kern_matmul_bwd_x_args a = *args;
  if (a.M == 0) return ORR_OK;
  if (a.lddy == 0) a.lddy = a.N;
  if (a.lddx == 0) a.lddx = a.K;
#if defined(__AVX512F__)
  if (a.type == KERN_BF16 && !a.slices && !a.dx_f32 && matmul_amx_fits(k, a.M, a.K, a.N))
    return matmul_amx_run(k, &(matmul_amx_args){.y_type = KERN_BF16,
                                                .M = a.M,
                                                .N = a.K,
                                                .K = a.N,
                                                .x = a.dy,
                                                .b = a.w,
                                                .add = a.accumulate ? a.dx : NULL,
                                                .y = a.dx,
                                                .ldx = a.lddy,
                                                .ldb = a.K,
                                                .ldy = a.lddx});
#endif
  return CPU_FN(cpu_gemm_rows)(k, &(cpu_gemm_rows_args){.type = a.type,
                                                        .y_type = a.dx_f32 ? KERN_F32 : a.type,
                                                        .M = a.M,
                                                        .N = a.K,
                                                        .K = a.N,
                                                        .x = a.dy,
                                                        .b = a.w,
                                                        .add = a.accumulate ? a.dx : NULL,
                                                        .y = a.dx,
                                                        .ldx = a.lddy,
                                                        .ldb = a.K,
                                                        .ldy = a.lddx,
                                                        .slices = a.slices});
}

// Rows of dy whose column sums are added up by themselves, before the blocks are, in order.
enum { SUM_ROWS = 128 };

static void sum_block(const kern_matmul_bwd_w_args *a, int64_t block, float *sum) {
  const int64_t first = block * SUM_ROWS;
  const int64_t last = first + SUM_ROWS < a->M ? first + SUM_ROWS : a->M;
  memset(sum, 0, (size_t)a->N * sizeof *sum);
  for (int64_t m = first; m < last; m++) {
    const float *row_f32 = (const float *)a->dy + m * a->lddy;
    const uint16_t *row_bf16 = (const uint16_t *)a->dy + m * a->lddy;
    if (a->type == KERN_F32)
      for (int64_t n = 0; n < a->N; n++) sum[n] += row_f32[n];
    else
      for (int64_t n = 0; n < a->N; n++) sum[n] += kern_bf16_to_f32(row_bf16[n]);
  }
}

typedef struct {
  const kern_matmul_bwd_w_args *a;
  float *partial; // column sums of each block
} sum_ctx;

static void sum_blocks(const void *ctx, int64_t first, int64_t end, int thread) {
  const sum_ctx *c = ctx;
  for (int64_t b = first; b < end; b++) sum_block(c->a, b, c->partial + b * c->a->N);
}

// dbias (= or +=) the column sums of dy.
static orr_code column_sums(kern *k, const kern_matmul_bwd_w_args *a) {
  const int64_t blocks = (a->M + SUM_ROWS - 1) / SUM_ROWS, N = a->N;
  void *scratch;
  ORR_TRY(cpu_workspace(k, (size_t)(blocks * N) * sizeof(float), &scratch));
  if (k->planning) return ORR_OK;
  float *partial = scratch;
  cpu_run(k, blocks, 1, sum_blocks, &(sum_ctx){a, partial});
  if (a->overwrite) memset(a->dbias, 0, (size_t)N * sizeof *a->dbias);
  for (int64_t b = 0; b < blocks; b++)
    for (int64_t n = 0; n < N; n++) a->dbias[n] += partial[b * N + n];
  return ORR_OK;
}

orr_code CPU_FN(matmul_bwd_w)(kern *k, const kern_matmul_bwd_w_args *args) {
  kern_matmul_bwd_w_args a = *args;
  if (a.lddy == 0) a.lddy = a.N;
  if (a.ldx == 0) a.ldx = a.K;
  if (a.dbias) ORR_TRY(column_sums(k, &a));
  if (a.M == 0) {
    if (a.overwrite && !k->planning) memset(a.dw, 0, (size_t)(a.N * a.K) * sizeof *a.dw);
    return ORR_OK;
  }
#if defined(__AVX512F__)
  if (matmul_amx_fits_weight(k, &a)) return matmul_amx_weight(k, &a);
#endif
  return CPU_FN(cpu_gemm_weight)(k, &a);
}
