// bfloat16 products in float32, for machines without bfloat16 arithmetic (kernels/cpu/matmul.h).
// The workspace holds, for a block of rows: the widened operands, the float32 result, and the
// product's own scratch.
#include "kernels/cpu/matmul.h"

#include "kernels/bf16.h"
#include "kernels/cpu/product.h"

enum { BLOCK_ROWS = 1024 };

static int64_t block_rows(int64_t M, int64_t first) {
  return M - first < BLOCK_ROWS ? M - first : BLOCK_ROWS;
}

// The float32 matrices of one block, one after the other in the workspace.
typedef struct {
  float *left, *right, *result;
  void *scratch;
} block_memory;

// Plans the products of a whole block and of the last, shorter one; divides the workspace.
static orr_code block_plan(kern *k, const cpu_product_shape *whole, const cpu_product_shape *last,
                           int64_t left, int64_t right, int64_t result,
                           const cpu_product **by_whole, const cpu_product **by_last,
                           block_memory *out) {
  ORR_TRY(cpu_product_find(k, whole, by_whole));
  ORR_TRY(cpu_product_find(k, last, by_last));
  const size_t left_bytes = cpu_round_up((size_t)left * sizeof(float));
  const size_t right_bytes = cpu_round_up((size_t)right * sizeof(float));
  const size_t result_bytes = cpu_round_up((size_t)result * sizeof(float));
  const size_t whole_bytes = cpu_product_scratch(*by_whole);
  const size_t last_bytes = cpu_product_scratch(*by_last);
  void *workspace;
  ORR_TRY(cpu_workspace(k,
                        left_bytes + right_bytes + result_bytes +
                            (whole_bytes > last_bytes ? whole_bytes : last_bytes),
                        &workspace));
  if (k->planning) return ORR_OK;
  char *p = workspace;
  out->left = (float *)p;
  out->right = (float *)(p + left_bytes);
  out->result = (float *)(p + left_bytes + right_bytes);
  out->scratch = p + left_bytes + right_bytes + result_bytes;
  return ORR_OK;
}

static void widen(kern *k, int64_t rows, int64_t cols, const uint16_t *x, int64_t ldx, float *y) {
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t m = 0; m < rows; m++)
    for (int64_t n = 0; n < cols; n++) y[m * cols + n] = kern_bf16_to_f32(x[m * ldx + n]);
}

// y (=) x + add, rounded once. add may be NULL, and may equal y.
static void finish_bf16(kern *k, int64_t rows, int64_t cols, const float *x, const uint16_t *add,
                        uint16_t *y, int64_t ldy) {
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t m = 0; m < rows; m++)
    for (int64_t n = 0; n < cols; n++) {
      const float more = add ? kern_bf16_to_f32(add[m * ldy + n]) : 0.0f;
      y[m * ldy + n] = kern_f32_to_bf16(x[m * cols + n] + more);
    }
}

static void finish_f32(kern *k, int64_t rows, int64_t cols, const float *x, const float *add,
                       float *y, int64_t ldy) {
#pragma omp parallel for num_threads(k->threads) schedule(static)
  for (int64_t m = 0; m < rows; m++)
    for (int64_t n = 0; n < cols; n++)
      y[m * ldy + n] = x[m * cols + n] + (add ? add[m * ldy + n] : 0.0f);
}

orr_code CPU_FN(cpu_widened_fwd)(kern *k, const kern_matmul_fwd_args *a) {
  cpu_product_shape whole = {.type = KERN_F32,
                             .c_type = KERN_F32,
                             .M = block_rows(a->M, 0),
                             .N = a->N,
                             .K = a->K,
                             .lda = a->K,
                             .ldb = a->K,
                             .b_transposed = true,
                             .ldc = a->N,
                             .bias = a->bias != NULL};
  cpu_product_shape last = whole;
  last.M = block_rows(a->M, (a->M - 1) / BLOCK_ROWS * BLOCK_ROWS);
  const cpu_product *by_whole, *by_last;
  block_memory mem;
  ORR_TRY(block_plan(k, &whole, &last, whole.M * a->K, a->N * a->K, whole.M * a->N, &by_whole,
                     &by_last, &mem));
  if (k->planning) return ORR_OK;

  widen(k, a->N, a->K, a->w, a->K, mem.right);
  for (int64_t m = 0; m < a->M; m += BLOCK_ROWS) {
    const int64_t rows = block_rows(a->M, m), at = m * a->ldy;
    widen(k, rows, a->K, (const uint16_t *)a->x + m * a->ldx, a->ldx, mem.left);
    ORR_TRY(cpu_product_run(
        k, rows == whole.M ? by_whole : by_last,
        &(cpu_product_operands){.a = mem.left, .b = mem.right, .bias = a->bias, .c = mem.result},
        mem.scratch));
    if (a->y_type == KERN_BF16)
      finish_bf16(k, rows, a->N, mem.result, a->add ? (const uint16_t *)a->add + at : NULL,
                  (uint16_t *)a->y + at, a->ldy);
    else
      finish_f32(k, rows, a->N, mem.result, a->add ? (const float *)a->add + at : NULL,
                 (float *)a->y + at, a->ldy);
  }
  return ORR_OK;
}

orr_code CPU_FN(cpu_widened_bwd_x)(kern *k, const kern_matmul_bwd_x_args *a) {
  cpu_product_shape whole = {.type = KERN_F32,
                             .c_type = KERN_F32,
                             .M = block_rows(a->M, 0),
                             .N = a->K,
                             .K = a->N,
                             .lda = a->N,
                             .ldb = a->K,
                             .ldc = a->K};
  cpu_product_shape last = whole;
  last.M = block_rows(a->M, (a->M - 1) / BLOCK_ROWS * BLOCK_ROWS);
  const cpu_product *by_whole, *by_last;
  block_memory mem;
  ORR_TRY(block_plan(k, &whole, &last, whole.M * a->N, a->N * a->K, whole.M * a->K, &by_whole,
                     &by_last, &mem));
  if (k->planning) return ORR_OK;

  widen(k, a->N, a->K, a->w, a->K, mem.right);
  for (int64_t m = 0; m < a->M; m += BLOCK_ROWS) {
    const int64_t rows = block_rows(a->M, m);
    uint16_t *dx = (uint16_t *)a->dx + m * a->lddx;
    widen(k, rows, a->N, (const uint16_t *)a->dy + m * a->lddy, a->lddy, mem.left);
    ORR_TRY(cpu_product_run(k, rows == whole.M ? by_whole : by_last,
                            &(cpu_product_operands){.a = mem.left, .b = mem.right, .c = mem.result},
                            mem.scratch));
    finish_bf16(k, rows, a->K, mem.result, a->accumulate ? dx : NULL, dx, a->lddx);
  }
  return ORR_OK;
}

orr_code CPU_FN(cpu_widened_bwd_w)(kern *k, const kern_matmul_bwd_w_args *a) {
  cpu_product_shape whole = {.type = KERN_F32,
                             .c_type = KERN_F32,
                             .M = a->N,
                             .N = a->K,
                             .K = block_rows(a->M, 0),
                             .a_transposed = true,
                             .lda = a->N,
                             .ldb = a->K,
                             .ldc = a->K,
                             .accumulate = true};
  cpu_product_shape last = whole;
  last.K = block_rows(a->M, (a->M - 1) / BLOCK_ROWS * BLOCK_ROWS);
  const cpu_product *by_whole, *by_last;
  block_memory mem;
  ORR_TRY(
      block_plan(k, &whole, &last, whole.K * a->N, whole.K * a->K, 0, &by_whole, &by_last, &mem));
  if (k->planning) return ORR_OK;

  if (a->overwrite) memset(a->dw, 0, (size_t)(a->N * a->K) * sizeof *a->dw);
  for (int64_t m = 0; m < a->M; m += BLOCK_ROWS) {
    const int64_t rows = block_rows(a->M, m);
    widen(k, rows, a->N, (const uint16_t *)a->dy + m * a->lddy, a->lddy, mem.left);
    widen(k, rows, a->K, (const uint16_t *)a->x + m * a->ldx, a->ldx, mem.right);
    ORR_TRY(cpu_product_run(k, rows == whole.K ? by_whole : by_last,
                            &(cpu_product_operands){.a = mem.left, .b = mem.right, .c = a->dw},
                            mem.scratch));
  }
  return ORR_OK;
}
