// cuBLASLt sees columns first: our c[M,N] is its C^T [N,M], so its first operand is our b and its
// second our a, and a bias runs along its rows.
//
// Reproducible by choice: a product split over K adds its parts in a separate pass, in one order
// (no other reduction is allowed), and the bits are those of the heuristic's first proposal, which
// depends on the shape, the device and the library alone. Of the proposals with these bits a timed
// trial takes the fastest (kernels/cuda/trial.h).
#include "kernels/cuda/product.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/cuda/library.h"
#include "kernels/cuda/plans.h"
#include "kernels/cuda/trial.h"

enum {
  MOST_PROPOSALS = 12,
  MOST_ALIGNMENT = 16,        // what the widest loads and the bulk copies ask for
  WORKSPACE_LIMIT = 64 << 20, // bytes a product may ask for
};

_Static_assert(sizeof(cuda_product_shape) == 6 * sizeof(int64_t) + 8 * sizeof(int32_t),
               "a key without padding");

struct cuda_product {
  cuda_product_shape shape;
  cublasLtMatmulDesc_t op;
  cublasLtMatrixLayout_t a, b, c; // ours: c is also that of add
  cublasLtMatmulAlgo_t algorithm;
  size_t scratch;
};

struct cuda_products {
  cuda_blas_library lt;
  cublasLtHandle_t handle;
  cuda_plans plans;
};

static orr_code blas_error(cublasStatus_t status, const char *what, const cuda_product_shape *s) {
  return ORR_FAIL(status == CUBLAS_STATUS_ALLOC_FAILED ? ORR_ENOMEM : ORR_EUNSUPPORTED,
                  "kernels: cuBLASLt cannot %s for a %s product of %" PRId64 " x %" PRId64
                  " x %" PRId64 " (status %d)",
                  what, s->type == KERN_BF16 ? "bf16" : "fp32", s->M, s->N, s->K, (int)status);
}

#define BLAS_TRY(call, what, shape)                                                                \
  do {                                                                                             \
    cublasStatus_t blas_status_ = (call);                                                          \
    if (blas_status_ != CUBLAS_STATUS_SUCCESS) return blas_error(blas_status_, what, shape);       \
  } while (0)

static cudaDataType_t data_type(int32_t t) {
  return t == KERN_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

// Of addresses or lengths in bytes, or of several joined by |.
static int32_t alignment_of(uint64_t bytes) {
  int32_t alignment = MOST_ALIGNMENT;
  while (bytes % (uint64_t)alignment) alignment /= 2;
  return alignment;
}

cuda_product_alignment cuda_product_aligned(const cuda_product_shape *s,
                                            const cuda_product_operands *o) {
  const uint64_t in = kern_dtype_size((kern_dtype)s->type);
  const uint64_t out = kern_dtype_size((kern_dtype)s->c_type);
  return (cuda_product_alignment){
      .a = alignment_of((uintptr_t)o->a | (uint64_t)s->lda * in),
      .b = alignment_of((uintptr_t)o->b | (uint64_t)s->ldb * in),
      .c = alignment_of((uintptr_t)o->c | (uintptr_t)o->add | (uint64_t)s->ldc * out),
      .bias = o->bias ? alignment_of((uintptr_t)o->bias) : 0};
}

// -- plans ----------------------------------------------------------------------------------

static void product_destroy(void *ctx, void *plan) {
  const cuda_products *ps = ctx;
  cuda_product *p = plan;
  if (!p) return;
  if (p->c) ps->lt.cublasLtMatrixLayoutDestroy(p->c);
  if (p->b) ps->lt.cublasLtMatrixLayoutDestroy(p->b);
  if (p->a) ps->lt.cublasLtMatrixLayoutDestroy(p->a);
  if (p->op) ps->lt.cublasLtMatmulDescDestroy(p->op);
  orr_free(p);
}

static orr_code set_op(const cuda_products *ps, cuda_product *p,
                       cublasLtMatmulDescAttributes_t name, int32_t value) {
  BLAS_TRY(ps->lt.cublasLtMatmulDescSetAttribute(p->op, name, &value, sizeof value),
           "describe itself", &p->shape);
  return ORR_OK;
}

// The bias's address is set before each run; for the heuristic only its alignment counts.
static orr_code set_bias(const cuda_products *ps, const cuda_product *p, const void *bias) {
  BLAS_TRY(ps->lt.cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                                 sizeof bias),
           "take a bias", &p->shape);
  return ORR_OK;
}

static orr_code describe(const cuda_products *ps, cuda_product *p) {
  const cuda_product_shape *s = &p->shape;
  const cudaDataType_t in = data_type(s->type), out = data_type(s->c_type);
  BLAS_TRY(ps->lt.cublasLtMatmulDescCreate(&p->op, CUBLAS_COMPUTE_32F, CUDA_R_32F),
           "describe itself", s);
  // A row-major matrix is its own transpose, columns first: b [K,N] comes as it is wanted.
  ORR_TRY(set_op(ps, p, CUBLASLT_MATMUL_DESC_TRANSA, s->b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N));
  ORR_TRY(set_op(ps, p, CUBLASLT_MATMUL_DESC_TRANSB, s->a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N));
  if (s->alignment.bias) {
    ORR_TRY(set_op(ps, p, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS));
    ORR_TRY(set_op(ps, p, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, CUDA_R_32F));
    ORR_TRY(set_bias(ps, p, (const void *)(uintptr_t)s->alignment.bias));
  }
  const uint64_t M = (uint64_t)s->M, N = (uint64_t)s->N, K = (uint64_t)s->K;
  BLAS_TRY(ps->lt.cublasLtMatrixLayoutCreate(&p->b, in, s->b_transposed ? K : N,
                                             s->b_transposed ? N : K, s->ldb),
           "lay out its second operand", s);
  BLAS_TRY(ps->lt.cublasLtMatrixLayoutCreate(&p->a, in, s->a_transposed ? M : K,
                                             s->a_transposed ? K : M, s->lda),
           "lay out its first operand", s);
  BLAS_TRY(ps->lt.cublasLtMatrixLayoutCreate(&p->c, out, N, M, s->ldc), "lay out its result", s);
  return ORR_OK;
}

// `whole`: a sum is not cut into parts that are added afterwards, for where it is cut follows from
// the shape, and ranks have others of it.
static orr_code prefer(const cuda_products *ps, const cuda_product *p, bool whole,
                       cublasLtMatmulPreference_t preference) {
  const cuda_product_alignment *of = &p->shape.alignment;
  const struct {
    cublasLtMatmulPreferenceAttributes_t name;
    uint32_t bytes;
  } alignment[] = {{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, (uint32_t)of->b}, // ours: b first
                   {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, (uint32_t)of->a},
                   {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, (uint32_t)of->c},
                   {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, (uint32_t)of->c}};
  const uint64_t most = WORKSPACE_LIMIT;
  const uint32_t reduction =
      whole ? CUBLASLT_REDUCTION_SCHEME_NONE : CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  BLAS_TRY(ps->lt.cublasLtMatmulPreferenceSetAttribute(
               preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most),
           "limit its workspace", &p->shape);
  BLAS_TRY(ps->lt.cublasLtMatmulPreferenceSetAttribute(preference,
                                                       CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                                       &reduction, sizeof reduction),
           "be held to one order of summation", &p->shape);
  for (int i = 0; i < 4; i++)
    BLAS_TRY(ps->lt.cublasLtMatmulPreferenceSetAttribute(
                 preference, alignment[i].name, &alignment[i].bytes, sizeof alignment[i].bytes),
             "take addresses as they are aligned", &p->shape);
  return ORR_OK;
}

// What the heuristic proposes, best first.
typedef struct {
  cublasLtMatmulHeuristicResult_t at[MOST_PROPOSALS];
  int count;
} proposals;

// As many as `most`, without those that it found wanting. ORR_EUNSUPPORTED: none.
static orr_code propose(const cuda_products *ps, const cuda_product *p, bool whole, int most,
                        proposals *out) {
  cublasLtMatmulPreference_t preference = NULL;
  int count = 0;
  memset(out, 0, sizeof *out);
  BLAS_TRY(ps->lt.cublasLtMatmulPreferenceCreate(&preference), "state preferences", &p->shape);
  orr_code rc = prefer(ps, p, whole, preference);
  if (rc == ORR_OK) {
    cublasStatus_t status = ps->lt.cublasLtMatmulAlgoGetHeuristic(
        ps->handle, p->op, p->b, p->a, p->c, p->c, preference, most, out->at, &count);
    for (int i = 0; status == CUBLAS_STATUS_SUCCESS && i < count; i++)
      if (out->at[i].state == CUBLAS_STATUS_SUCCESS && out->at[i].workspaceSize <= WORKSPACE_LIMIT)
        out->at[out->count++] = out->at[i];
    if (status == CUBLAS_STATUS_SUCCESS && out->count == 0) status = CUBLAS_STATUS_NOT_SUPPORTED;
    if (status != CUBLAS_STATUS_SUCCESS) rc = blas_error(status, "find an algorithm", &p->shape);
  }
  ps->lt.cublasLtMatmulPreferenceDestroy(preference);
  return rc;
}

static void take(cuda_product *p, const proposals *found, int i) {
  p->algorithm = found->at[i].algo;
  p->scratch = found->at[i].workspaceSize;
}

typedef struct {
  const cuda_product *product;
  const proposals *found;
} trial_of;

static orr_code run_candidate(kern *k, const void *ctx, int i, const cuda_product_operands *o,
                              void *scratch) {
  const trial_of *t = ctx;
  cuda_product p = *t->product;
  take(&p, t->found, i);
  return cuda_product_run(k, &p, o, scratch);
}

static orr_code choose_by_trial(kern *k, cuda_product *p, const proposals *found) {
  const cuda_product_shape *s = &p->shape;
  const size_t in = kern_dtype_size((kern_dtype)s->type),
               out = kern_dtype_size((kern_dtype)s->c_type);
  const trial_of of = {p, found};
  cuda_trial t = {.type = (kern_dtype)s->type,
                  .a_bytes = (size_t)((s->a_transposed ? s->K : s->M) * s->lda) * in,
                  .b_bytes = (size_t)((s->b_transposed ? s->N : s->K) * s->ldb) * in,
                  .bias_bytes = s->alignment.bias ? (size_t)s->N * sizeof(float) : 0,
                  .c_bytes = (size_t)(s->M * s->ldc) * out,
                  .candidates = found->count,
                  .run = run_candidate,
                  .ctx = &of};
  for (int i = 0; i < found->count; i++)
    if (t.scratch_bytes < found->at[i].workspaceSize) t.scratch_bytes = found->at[i].workspaceSize;
  int fastest;
  ORR_TRY(cuda_trial_fastest(k, &t, &fastest));
  take(p, found, fastest);
  return ORR_OK;
}

// A trial takes time and memory, so there is none after planning; nor is its result missed there,
// for all candidates give the same bits.
static orr_code choose(kern *k, cuda_product *p) {
  const cuda_impl *impl = cuda_impl_of(k);
  const bool trial = impl->tune && k->planning;
  proposals found;
  ORR_TRY(propose(impl->products, p, k->exact, trial ? MOST_PROPOSALS : 1, &found));
  take(p, &found, 0);
  return trial ? choose_by_trial(k, p, &found) : ORR_OK;
}

orr_code cuda_product_find(kern *k, const cuda_product_shape *shape, const cuda_product **out) {
  cuda_products *ps = cuda_impl_of(k)->products;
  orr_code rc;
  *out = cuda_plans_find(&ps->plans, shape);
  if (*out) return ORR_OK;
  cuda_product *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "kernels: out of memory for the plan of a product");
  p->shape = *shape;
  ORR_TRY_GOTO(describe(ps, p), destroy);
  ORR_TRY_GOTO(choose(k, p), destroy);
  ORR_TRY_GOTO(cuda_plans_put(&ps->plans, shape, p), destroy);
  if (!k->planning) k->late_plans++;
  *out = p;
  return ORR_OK;
destroy:
  product_destroy(ps, p);
  return rc;
}

size_t cuda_product_scratch(const cuda_product *product) {
  return product->scratch;
}

orr_code cuda_product_run(kern *k, const cuda_product *p, const cuda_product_operands *o,
                          void *scratch) {
  const cuda_impl *impl = cuda_impl_of(k);
  const cuda_products *ps = impl->products;
  const float one = 1.0f, beta = o->add ? 1.0f : 0.0f;
  if (p->shape.alignment.bias) ORR_TRY(set_bias(ps, p, o->bias));
  BLAS_TRY(ps->lt.cublasLtMatmul(ps->handle, p->op, &one, o->b, p->b, o->a, p->a, &beta,
                                 o->add ? o->add : o->c, p->c, o->c, p->c, &p->algorithm, scratch,
                                 p->scratch, impl->stream),
           "start", &p->shape);
  return ORR_OK;
}

// -- life -----------------------------------------------------------------------------------

orr_code cuda_products_create(cuda_products **out) {
  orr_code rc;
  *out = NULL;
  cuda_products *ps = orr_calloc(1, sizeof *ps);
  ORR_CHECK(ps, ORR_ENOMEM, "kernels: out of memory for the plans of products");
  ps->plans =
      (cuda_plans){.key_bytes = sizeof(cuda_product_shape), .destroy = product_destroy, .ctx = ps};
  ORR_TRY_GOTO(cuda_blas_library_open(&ps->lt), destroy);
  cublasStatus_t status = ps->lt.cublasLtCreate(&ps->handle);
  ORR_CHECK_GOTO(status == CUBLAS_STATUS_SUCCESS, destroy,
                 status == CUBLAS_STATUS_ALLOC_FAILED ? ORR_ENOMEM : ORR_EUNSUPPORTED,
                 "kernels: cuBLASLt does not start (status %d)", (int)status);
  *out = ps;
  return ORR_OK;
destroy:
  cuda_products_destroy(ps);
  return rc;
}

void cuda_products_destroy(cuda_products *ps) {
  if (!ps) return;
  cuda_plans_release(&ps->plans);
  if (ps->handle) ps->lt.cublasLtDestroy(ps->handle);
  cuda_blas_library_close(&ps->lt);
  orr_free(ps);
}
