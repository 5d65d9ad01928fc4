// The three products of a linear layer (kernels/ops.h) on cuBLASLt:
//   forward   y[M,N]  (=)        x[M,K] w[N,K]^T + bias + add
//   backward  dx[M,K] (= or +=)  dy[M,N] w[N,K]
//             dw[N,K] (= or +=)  dy[M,N]^T x[M,K],  dbias[N] likewise the column sums of dy
// Accumulation is the product's own (beta), float32 for weights whatever the operands are. A
// float32 bias in front of a bfloat16 result is none of cuBLASLt's epilogues: such a product stays
// float32 in the workspace until bias.cu rounds it, once.
#include "kernels/cuda/product.h"

static size_t round_up(size_t bytes) {
  return (bytes + 255) & ~(size_t)255;
}

// Finds the product, takes its scratch after `before` bytes of the workspace and, unless k is
// planning, runs it. *workspace (=) the beginning of the workspace.
static orr_code run_product(kern *k, cuda_product_shape shape, const cuda_product_operands *o,
                            size_t before, char **workspace) {
  const cuda_product *product;
  void *scratch;
  shape.alignment = cuda_product_aligned(&shape, o);
  ORR_TRY(cuda_product_find(k, &shape, &product));
  ORR_TRY(cuda_workspace(k, before + cuda_product_scratch(product), &scratch));
  if (workspace) *workspace = scratch;
  if (k->planning) return ORR_OK;
  cuda_product_operands placed = *o;
  if (before) placed.c = scratch;
  return cuda_product_run(k, product, &placed, (char *)scratch + before);
}

static orr_code fwd_by_bias(kern *k, const kern_matmul_fwd_args *a, cuda_product_shape shape) {
  static const char aligned[256] __attribute__((aligned(256)));
  const size_t sums = round_up((size_t)(a->M * a->N) * sizeof(float));
  char *workspace;
  shape.c_type = KERN_F32;
  shape.ldc = a->N;
  // the sums lie at the beginning of the workspace, which has no address while planning
  ORR_TRY(run_product(
      k, shape, &(cuda_product_operands){.a = a->x, .b = a->w, .c = (void *)(uintptr_t)aligned},
      sums, &workspace));
  if (k->planning) return ORR_OK;
  return cuda_bias_add(k, &(cuda_bias_args){.type = a->y_type,
                                            .M = a->M,
                                            .N = a->N,
                                            .acc = (const float *)workspace,
                                            .bias = a->bias,
                                            .add = a->add,
                                            .y = a->y,
                                            .ldy = a->ldy});
}

orr_code cuda_matmul_fwd(kern *k, const kern_matmul_fwd_args *args) {
  kern_matmul_fwd_args a = *args;
  ORR_CHECK(a.type == KERN_BF16 || a.y_type == KERN_F32, ORR_EINVAL,
            "kernels: matmul of float32 operands cannot give bfloat16 results");
  if (a.M == 0 || a.N == 0) return ORR_OK;
  if (a.ldx == 0) a.ldx = a.K;
  if (a.ldy == 0) a.ldy = a.N;
  const cuda_product_shape shape = {.M = a.M,
                                    .N = a.N,
                                    .K = a.K,
                                    .lda = a.ldx,
                                    .ldb = a.K,
                                    .ldc = a.ldy,
                                    .type = (int32_t)a.type,
                                    .c_type = (int32_t)a.y_type,
                                    .b_transposed = true};
  if (a.bias && a.y_type == KERN_BF16) return fwd_by_bias(k, &a, shape);
  return run_product(
      k, shape,
      &(cuda_product_operands){.a = a.x, .b = a.w, .bias = a.bias, .add = a.add, .c = a.y}, 0,
      NULL);
}

orr_code cuda_matmul_bwd_x(kern *k, const kern_matmul_bwd_x_args *a) {
  if (a->M == 0 || a->K == 0) return ORR_OK;
  return run_product(k,
                     (cuda_product_shape){.M = a->M,
                                          .N = a->K,
                                          .K = a->N,
                                          .lda = a->lddy ? a->lddy : a->N,
                                          .ldb = a->K,
                                          .ldc = a->lddx ? a->lddx : a->K,
                                          .type = (int32_t)a->type,
                                          .c_type = (int32_t)a->type},
                     &(cuda_product_operands){
                         .a = a->dy, .b = a->w, .add = a->accumulate ? a->dx : NULL, .c = a->dx},
                     0, NULL);
}

orr_code cuda_matmul_bwd_w(kern *k, const kern_matmul_bwd_w_args *args) {
  kern_matmul_bwd_w_args a = *args;
  if (a.lddy == 0) a.lddy = a.N;
  if (a.ldx == 0) a.ldx = a.K;
  if (a.dbias) ORR_TRY(cuda_column_sums(k, &a));
  if (a.M == 0) {
    if (!a.overwrite) return ORR_OK;
    return cuda_fill(k, &(kern_fill_args){a.dw, (size_t)(a.N * a.K) * sizeof *a.dw});
  }
  return run_product(
      k,
      (cuda_product_shape){.M = a.N,
                           .N = a.K,
                           .K = a.M,
                           .lda = a.lddy,
                           .ldb = a.ldx,
                           .ldc = a.K,
                           .type = (int32_t)a.type,
                           .c_type = KERN_F32,
                           .a_transposed = true},
      &(cuda_product_operands){.a = a.dy, .b = a.x, .add = a.overwrite ? NULL : a.dw, .c = a.dw}, 0,
      NULL);
}
