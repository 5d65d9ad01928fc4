// The calls of cuBLASLt that the backend makes. Columns first, as the library has it: D = A B + C.
// The heuristic refuses what the library's documentation does not list; a run refuses an algorithm
// that was proposed for another problem, an operand less aligned than was declared for it, and
// spoils the whole workspace that it was promised. There is no algorithm for a matrix that is
// declared less aligned than its elements are wide. Asked for several algorithms it proposes one of
// each kind.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/bf16.h"
#include "kernels/cuda/library.h"
#include "tests/cuda_host/host.h"
#include "tests/cuda_host/libraries/libraries.h"

enum { SCRATCH = 1024, SMALL = 4096 };

// What sets the proposals apart. All but one add in the order of the first.
static const struct {
  double ms; // of a run, on the played clock
  size_t scratch;
  cublasStatus_t state; // in the list of proposals
  bool backwards, refuses;
} kinds[] = {[LIBRARY_FIRST] = {1000, SCRATCH, CUBLAS_STATUS_SUCCESS},
             [LIBRARY_UNFIT] = {1, SCRATCH, CUBLAS_STATUS_NOT_SUPPORTED},
             [LIBRARY_OTHER_BITS] = {2, SCRATCH, CUBLAS_STATUS_SUCCESS, .backwards = true},
             [LIBRARY_NEVER_RUNS] = {3, SCRATCH, CUBLAS_STATUS_SUCCESS, .refuses = true},
             [LIBRARY_FASTER] = {100, 2 * SCRATCH, CUBLAS_STATUS_SUCCESS},
             [LIBRARY_FAST] = {200, SCRATCH, CUBLAS_STATUS_SUCCESS}};
enum { KINDS = sizeof kinds / sizeof *kinds };

struct desc {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  int32_t transa, transb, epilogue, bias_type;
  const void *bias;
};
struct layout {
  cudaDataType_t type;
  uint64_t rows, cols;
  int64_t ld;
};
struct preference {
  uint64_t workspace;
  uint32_t reduction, alignment[4];
};
// What an algorithm is good for: kept in the words of cublasLtMatmulAlgo_t.
struct problem {
  uint64_t m, n, k;
  int32_t transa, transb, epilogue;
  uint32_t alignment[4], bias; // bytes that A, B, C, D and the bias are multiples of
  uint32_t split;              // where sums are cut in two, to be added; 0 = nowhere
  uint32_t kind; // of algorithm; no padding before it, for problems are compared by their bytes
};

static struct {
  library_fault fault;
  library_calls calls;
  int ran; // kind of the last run
} blas;

void library_blas_fail(library_fault fault) {
  blas.fault = fault;
}

library_calls library_blas_calls(void) {
  const library_calls calls = blas.calls;
  blas.calls = (library_calls){0};
  return calls;
}

int library_blas_ran(void) {
  return blas.ran;
}

static bool fails(library_fault fault) {
  if (blas.fault != fault) return false;
  blas.fault = LIBRARY_SOUND;
  return true;
}

static cublasStatus_t refuse(const char *why) {
  fprintf(stderr, "cuBLASLt (played by the host): %s\n", why);
  return CUBLAS_STATUS_INVALID_VALUE;
}

// -- descriptors ----------------------------------------------------------------------------

static cublasStatus_t create(cublasLtHandle_t *handle) {
  if (fails(LIBRARY_NO_START)) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = malloc(1);
  return CUBLAS_STATUS_SUCCESS;
}
static cublasStatus_t destroy(cublasLtHandle_t handle) {
  free(handle);
  return CUBLAS_STATUS_SUCCESS;
}
static size_t version(void) {
  return CUBLAS_VERSION;
}

static cublasStatus_t desc_create(cublasLtMatmulDesc_t *out, cublasComputeType_t compute,
                                  cudaDataType_t scale) {
  struct desc *d = calloc(1, sizeof *d);
  *d = (struct desc){compute, scale, CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, -1, NULL};
  *out = (cublasLtMatmulDesc_t)d;
  return CUBLAS_STATUS_SUCCESS;
}
static cublasStatus_t desc_destroy(cublasLtMatmulDesc_t d) {
  free(d);
  return CUBLAS_STATUS_SUCCESS;
}
static cublasStatus_t desc_set(cublasLtMatmulDesc_t of, cublasLtMatmulDescAttributes_t name,
                               const void *value, size_t size) {
  struct desc *d = (struct desc *)of;
  void *at = name == CUBLASLT_MATMUL_DESC_TRANSA           ? (void *)&d->transa
             : name == CUBLASLT_MATMUL_DESC_TRANSB         ? (void *)&d->transb
             : name == CUBLASLT_MATMUL_DESC_EPILOGUE       ? (void *)&d->epilogue
             : name == CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE ? (void *)&d->bias_type
             : name == CUBLASLT_MATMUL_DESC_BIAS_POINTER   ? (void *)&d->bias
                                                           : NULL;
  const size_t wanted = at == (void *)&d->bias ? sizeof d->bias : sizeof d->transa;
  if (!at || size != wanted) return refuse("an attribute of a product, or its size, is unknown");
  memcpy(at, value, size);
  return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t layout_create(cublasLtMatrixLayout_t *out, cudaDataType type, uint64_t rows,
                                    uint64_t cols, int64_t ld) {
  struct layout *l = calloc(1, sizeof *l);
  *l = (struct layout){type, rows, cols, ld};
  *out = (cublasLtMatrixLayout_t)l;
  return CUBLAS_STATUS_SUCCESS;
}
static cublasStatus_t layout_destroy(cublasLtMatrixLayout_t l) {
  free(l);
  return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t preference_create(cublasLtMatmulPreference_t *out) {
  struct preference *p = calloc(1, sizeof *p);
  *p = (struct preference){0, CUBLASLT_REDUCTION_SCHEME_MASK, {256, 256, 256, 256}};
  *out = (cublasLtMatmulPreference_t)p;
  return CUBLAS_STATUS_SUCCESS;
}
static cublasStatus_t preference_destroy(cublasLtMatmulPreference_t p) {
  free(p);
  return CUBLAS_STATUS_SUCCESS;
}
static cublasStatus_t preference_set(cublasLtMatmulPreference_t of,
                                     cublasLtMatmulPreferenceAttributes_t name, const void *value,
                                     size_t size) {
  struct preference *p = (struct preference *)of;
  const int operand = (int)name - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
  void *at = name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES     ? (void *)&p->workspace
             : name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK ? (void *)&p->reduction
             : operand >= 0 && operand < 4                        ? (void *)&p->alignment[operand]
                                                                  : NULL;
  if (!at || size != (at == (void *)&p->workspace ? 8u : 4u))
    return refuse("a preference, or its size, is unknown");
  memcpy(at, value, size);
  return CUBLAS_STATUS_SUCCESS;
}

// -- proposals ------------------------------------------------------------------------------

static uint64_t type_size(cudaDataType_t t) {
  return t == CUDA_R_16BF ? 2 : 4;
}

static bool has_bias(const struct desc *op) {
  return op->epilogue == CUBLASLT_EPILOGUE_BIAS;
}

// What the address is a multiple of: the largest power of two up to 256.
static uint32_t lowest_bit(const void *p) {
  uint32_t bytes = 256;
  while ((uintptr_t)p % bytes) bytes /= 2;
  return bytes;
}

static bool state_problem(const struct desc *op, const struct layout *a, const struct layout *b,
                          const struct layout *c, const struct layout *d, struct problem *out) {
  const bool ta = op->transa == CUBLAS_OP_T, tb = op->transb == CUBLAS_OP_T;
  const uint64_t m = ta ? a->cols : a->rows, k = ta ? a->rows : a->cols;
  const uint64_t n = tb ? b->rows : b->cols, k_of_b = tb ? b->cols : b->rows;
  if (k != k_of_b || d->rows != m || d->cols != n || c->rows != m || c->cols != n) return false;
  if ((uint64_t)a->ld < a->rows || (uint64_t)b->ld < b->rows || (uint64_t)c->ld < m ||
      (uint64_t)d->ld < m)
    return false;
  *out = (struct problem){m, n, k, op->transa, op->transb, op->epilogue, {0}, 0, 0, 0};
  return true;
}

static bool types_are_listed(const struct desc *op, const struct layout *a, const struct layout *b,
                             const struct layout *c, const struct layout *d) {
  if (op->compute != CUBLAS_COMPUTE_32F || op->scale != CUDA_R_32F) return false;
  if (a->type != b->type || c->type != d->type) return false;
  if (a->type == CUDA_R_32F && d->type != CUDA_R_32F) return false;
  if (op->epilogue == CUBLASLT_EPILOGUE_DEFAULT) return true;
  if (op->epilogue != CUBLASLT_EPILOGUE_BIAS) return false;
  return op->bias_type == (int32_t)d->type || op->bias_type == -1;
}

static cublasStatus_t propose(cublasLtHandle_t handle, cublasLtMatmulDesc_t op_,
                              cublasLtMatrixLayout_t a_, cublasLtMatrixLayout_t b_,
                              cublasLtMatrixLayout_t c_, cublasLtMatrixLayout_t d_,
                              cublasLtMatmulPreference_t preference, int most,
                              cublasLtMatmulHeuristicResult_t results[], int *found) {
  const struct desc *op = (struct desc *)op_;
  const struct layout *a = (struct layout *)a_, *b = (struct layout *)b_, *c = (struct layout *)c_,
                      *d = (struct layout *)d_;
  const struct preference *p = (struct preference *)preference;
  struct problem problem;
  *found = 0;
  blas.calls.proposals++;
  if (fails(LIBRARY_NO_PROPOSAL)) return CUBLAS_STATUS_SUCCESS;
  if (fails(LIBRARY_NOT_SUPPORTED)) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (fails(LIBRARY_NO_MEMORY)) return CUBLAS_STATUS_ALLOC_FAILED;
  if (!state_problem(op, a, b, c, d, &problem)) return refuse("the layouts do not fit together");
  if (!types_are_listed(op, a, b, c, d)) return refuse("these types are not in its tables");
  if (p->reduction & ~(uint32_t)CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)
    return refuse("other orders of summation were allowed");
  const struct layout *all[] = {a, b, c, d};
  for (int i = 0; i < 4; i++) {
    problem.alignment[i] = p->alignment[i];
    if (p->alignment[i] < type_size(all[i]->type)) return CUBLAS_STATUS_NOT_SUPPORTED;
    if ((uint64_t)all[i]->ld * type_size(all[i]->type) % p->alignment[i])
      return refuse("columns are less aligned than was declared");
  }
  problem.bias = has_bias(op) ? lowest_bit(op->bias) : 0;
  if (has_bias(op) && problem.bias < type_size(d->type)) return CUBLAS_STATUS_NOT_SUPPORTED;
  // Small results leave a device idle, so their long sums are cut, where that is allowed.
  problem.split = p->reduction && problem.m * problem.n < SMALL ? (uint32_t)problem.k / 2 : 0;
  memset(results, 0, (size_t)most * sizeof *results);
  _Static_assert(sizeof problem <= sizeof results->algo, "fits");
  if (p->workspace < 2 * SCRATCH) return refuse("it was not given the workspace that it wants");
  for (int i = 0; i < most && i < KINDS; i++, ++*found) {
    problem.kind = (uint32_t)i;
    memcpy(&results[i].algo, &problem, sizeof problem);
    results[i].workspaceSize = kinds[i].scratch;
    results[i].state = kinds[i].state;
  }
  return CUBLAS_STATUS_SUCCESS;
}

// -- runs -----------------------------------------------------------------------------------

static float get(cudaDataType_t type, const void *x, int64_t i) {
  return type == CUDA_R_16BF ? kern_bf16_to_f32(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}
static void put(cudaDataType_t type, void *x, int64_t i, float v) {
  if (type == CUDA_R_16BF)
    ((uint16_t *)x)[i] = kern_f32_to_bf16(v);
  else
    ((float *)x)[i] = v;
}

// The `count` vectors of length k whose products make the result, one after the other. `across`:
// they run across the stored columns.
static float *unfold(const struct layout *l, const void *x, bool across, uint64_t count,
                     uint64_t k) {
  float *out = malloc(count * k * sizeof *out + 1);
  for (uint64_t i = 0; i < count; i++)
    for (uint64_t e = 0; e < k; e++)
      out[i * k + e] =
          get(l->type, x, (int64_t)(across ? i : e) + (int64_t)(across ? e : i) * l->ld);
  return out;
}

// Its operands are this file's own: checked accesses would make it ten times slower.
__attribute__((no_sanitize("address"))) static float dot_backwards(const float *x, const float *y,
                                                                   uint64_t k) {
  float sum = 0;
  for (uint64_t e = k; e-- > 0;) sum += x[e] * y[e];
  return sum;
}

__attribute__((no_sanitize("address"))) static float dot(const float *x, const float *y,
                                                         uint64_t k) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (uint64_t e = 0; e < k; e++) sum += x[e] * y[e];
  return sum;
}

// A product under way: what it was described as when it was started.
typedef struct {
  struct desc op;
  struct layout a, b, c, d;
  struct problem of;
  const void *A, *B, *C;
  void *D, *workspace;
  float factor, kept;
} product;

static float sum_of(const struct problem *of, const float *x, const float *y) {
  float (*const one)(const float *, const float *, uint64_t) =
      kinds[of->kind].backwards ? dot_backwards : dot;
  if (of->split == 0) return one(x, y, of->k);
  return one(x, y, of->split) + one(x + of->split, y + of->split, of->k - of->split);
}

static int compute(void *context) {
  const product *p = context;
  const struct problem *of = &p->of;
  cuda_host_pass_ms(kinds[of->kind].ms);
  memset(p->workspace, 0xff, kinds[of->kind].scratch);
  float *rows = unfold(&p->a, p->A, p->op.transa != CUBLAS_OP_T, of->m, of->k);
  float *cols = unfold(&p->b, p->B, p->op.transb == CUBLAS_OP_T, of->n, of->k);
  for (uint64_t j = 0; j < of->n; j++)
    for (uint64_t i = 0; i < of->m; i++) {
      const int64_t ci = (int64_t)i + (int64_t)j * p->c.ld, di = (int64_t)i + (int64_t)j * p->d.ld;
      float sum = p->factor * sum_of(of, rows + i * of->k, cols + j * of->k);
      if (p->kept != 0) sum += p->kept * get(p->c.type, p->C, ci);
      if (has_bias(&p->op)) sum += get(p->d.type, p->op.bias, (int64_t)i);
      put(p->d.type, p->D, di, sum);
    }
  free(rows);
  free(cols);
  return cudaSuccess;
}

static const char *refusal(const product *p) {
  const void *at[] = {p->A, p->B, p->C, p->D};
  for (int i = 0; i < 4; i++)
    if ((uintptr_t)at[i] % p->of.alignment[i]) return "an address is less aligned than declared";
  if (has_bias(&p->op) && (uintptr_t)p->op.bias % p->of.bias)
    return "a bias is less aligned than the one that was proposed for";
  return (uintptr_t)p->workspace % 256 ? "the workspace is not what was promised" : NULL;
}

static cublasStatus_t run(cublasLtHandle_t handle, cublasLtMatmulDesc_t op_, const void *alpha,
                          const void *A, cublasLtMatrixLayout_t a_, const void *B,
                          cublasLtMatrixLayout_t b_, const void *beta, const void *C,
                          cublasLtMatrixLayout_t c_, void *D, cublasLtMatrixLayout_t d_,
                          const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspace_bytes,
                          cudaStream_t stream) {
  const product p = {*(struct desc *)op_,
                     *(struct layout *)a_,
                     *(struct layout *)b_,
                     *(struct layout *)c_,
                     *(struct layout *)d_,
                     {0},
                     A,
                     B,
                     C,
                     D,
                     workspace,
                     *(const float *)alpha,
                     *(const float *)beta};
  product now = p;
  struct problem proposed;
  blas.calls.runs++;
  if (fails(LIBRARY_NO_RUN)) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (!state_problem(&p.op, &p.a, &p.b, &p.c, &p.d, &now.of))
    return refuse("the layouts do not fit together");
  memcpy(&proposed, algo, sizeof proposed);
  memcpy(now.of.alignment, proposed.alignment, sizeof now.of.alignment);
  now.of.bias = proposed.bias;
  now.of.split = proposed.split;
  now.of.kind = proposed.kind;
  blas.ran = (int)proposed.kind;
  if (memcmp(&now.of, &proposed, sizeof proposed) != 0)
    return refuse("the algorithm was proposed for another product");
  if (workspace_bytes != kinds[proposed.kind].scratch)
    return refuse("the workspace is not what was promised");
  const char *why = refusal(&now);
  if (why) return refuse(why);
  if (kinds[proposed.kind].refuses) return CUBLAS_STATUS_INTERNAL_ERROR;
  return cuda_host_do(stream, compute, NULL, &now, sizeof now) == 0
             ? CUBLAS_STATUS_SUCCESS
             : CUBLAS_STATUS_EXECUTION_FAILED;
}

orr_code cuda_blas_library_open(cuda_blas_library *l) {
  if (fails(LIBRARY_ABSENT))
    return ORR_FAIL(ORR_EUNSUPPORTED, "libcublasLt.so does not open (a test)");
  *l = (cuda_blas_library){.handle = NULL,
                           .cublasLtCreate = create,
                           .cublasLtDestroy = destroy,
                           .cublasLtGetVersion = version,
                           .cublasLtMatmulDescCreate = desc_create,
                           .cublasLtMatmulDescDestroy = desc_destroy,
                           .cublasLtMatmulDescSetAttribute = desc_set,
                           .cublasLtMatrixLayoutCreate = layout_create,
                           .cublasLtMatrixLayoutDestroy = layout_destroy,
                           .cublasLtMatmulPreferenceCreate = preference_create,
                           .cublasLtMatmulPreferenceDestroy = preference_destroy,
                           .cublasLtMatmulPreferenceSetAttribute = preference_set,
                           .cublasLtMatmulAlgoGetHeuristic = propose,
                           .cublasLtMatmul = run};
  return ORR_OK;
}

void cuda_blas_library_close(cuda_blas_library *l) {}
