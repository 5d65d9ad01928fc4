// The three products of a linear layer (kernels/ops.h) on cuBLASLt:
//   forward   y[M,N]  (=)        x[M,K] w[N,K]^T + bias + add
//   backward  dx[M,K] (= or +=)  dy[M,N] w[N,K]
//             dw[N,K] (= or +=)  dy[M,N]^T x[M,K],  dbias[N] likewise the column sums of dy
// Accumulation is the product's own (beta), float32 for weights whatever the operands are. A
// float32 bias in front of a bfloat16 result is none of cuBLASLt's epilogues: such a product stays
// float32 in the workspace until bias.cu rounds it, once.
#include "kernels/cuda/product.h"

#include <inttypes.h>

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

// Where the sums of slices lie in the workspace: so much for each, and for each product's scratch.
typedef struct {
  cuda_product_shape shape; // of a slice's part of one segment; K is filled in
  const void *a, *b;
  int64_t a_step, b_step; // elements from one of the depth to the next
  const kern_slices *slices;
  const void *add; // of y_type
  void *y;
  kern_dtype y_type;
} sliced;

// Each slice's sum in float32, [slices][M,N] of the workspace, then their tree. The strides of y
// and add are dense.
static orr_code run_slices(kern *k, const sliced *p) {
  static const char aligned[256] __attribute__((aligned(256)));
  const int64_t one = p->shape.M * p->shape.N;
  const size_t bytes = round_up((size_t)one * sizeof(float)), e = kern_dtype_size(p->shape.type),
               all = bytes * (size_t)p->slices->count;
  char *sums = NULL;
  void *workspace;
  for (int s = 0; s < p->slices->count; s++) {
    bool begun = false; // there is a sum that a segment adds to
    for (int g = 0; g < p->slices->segments; g++) {
      const int64_t at = p->slices->at[g][s];
      const cuda_product *product;
      cuda_product_shape shape = p->shape;
      shape.K = p->slices->at[g][s + 1] - at;
      if (shape.K == 0) continue;
      const bool first = !begun;
      begun = true;
      cuda_product_operands o = {.a = (const char *)p->a + (size_t)(at * p->a_step) * e,
                                 .b = (const char *)p->b + (size_t)(at * p->b_step) * e,
                                 .c = (void *)(uintptr_t)aligned};
      shape.alignment = cuda_product_aligned(&shape, &o);
      ORR_TRY(cuda_product_find(k, &shape, &product));
      ORR_TRY(cuda_workspace(k, all + cuda_product_scratch(product), &workspace));
      if (k->planning) continue;
      sums = workspace;
      o.c = sums + bytes * (size_t)s;
      o.add = first ? NULL : o.c;
      ORR_TRY(cuda_product_run(k, product, &o, sums + all));
    }
    ORR_CHECK(
        begun, ORR_EINVAL,
        "kernels: slice %d of %d of a product is empty: its depth has fewer values than slices", s,
        p->slices->count);
  }
  if (k->planning) return ORR_OK;
  return cuda_tree_sum(k, &(kern_tree_sum_args){.type = p->y_type,
                                                .n = one,
                                                .count = p->slices->count,
                                                .x = (const float *)sums,
                                                .inner_stride = (int64_t)(bytes / sizeof(float)),
                                                .add = p->add,
                                                .y = p->y});
}

static orr_code check_dense(int64_t ld, int64_t width) {
  ORR_CHECK(ld == width, ORR_EINVAL,
            "kernels: a product in slices gives dense rows, not of stride %" PRId64, ld);
  return ORR_OK;
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
  if (a.slices) {
    ORR_TRY(check_dense(a.ldy, a.N));
    sliced p = {.shape = shape,
                .a = a.x,
                .b = a.w,
                .a_step = 1,
                .b_step = 1,
                .slices = a.slices,
                .add = a.add,
                .y = a.y,
                .y_type = a.y_type};
    p.shape.c_type = KERN_F32;
    return run_slices(k, &p);
  }
  if (a.bias && a.y_type == KERN_BF16) return fwd_by_bias(k, &a, shape);
  return run_product(
      k, shape,
      &(cuda_product_operands){.a = a.x, .b = a.w, .bias = a.bias, .add = a.add, .c = a.y}, 0,
      NULL);
}

orr_code cuda_matmul_bwd_x(kern *k, const kern_matmul_bwd_x_args *a) {
  if (a->M == 0 || a->K == 0) return ORR_OK;
  if (a->slices) {
    ORR_TRY(check_dense(a->lddx ? a->lddx : a->K, a->K));
    return run_slices(k, &(sliced){.shape = {.M = a->M,
                                             .N = a->K,
                                             .lda = a->lddy ? a->lddy : a->N,
                                             .ldb = a->K,
                                             .ldc = a->K,
                                             .type = (int32_t)a->type,
                                             .c_type = KERN_F32},
                                   .a = a->dy,
                                   .b = a->w,
                                   .a_step = 1,
                                   .b_step = a->K,
                                   .slices = a->slices,
                                   .add = a->accumulate ? a->dx : NULL,
                                   .y = a->dx,
                                   .y_type = a->dx_f32 ? KERN_F32 : a->type});
  }
  return run_product(k,
                     (cuda_product_shape){.M = a->M,
                                          .N = a->K,
                                          .K = a->N,
                                          .lda = a->lddy ? a->lddy : a->N,
                                          .ldb = a->K,
                                          .ldc = a->lddx ? a->lddx : a->K,
                                          .type = (int32_t)a->type,
                                          .c_type = (int32_t)(a->dx_f32 ? KERN_F32 : a->type)},
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
