#include "kernels/cuda/sdpa.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/cuda/dnn_graph.h"
#include "kernels/cuda/plans.h"

enum { LEAST_VERSION = 91501 };

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
#define LIBRARY    "libcudnn.so." TEXT(CUDNN_MAJOR)

_Static_assert(sizeof(cuda_sdpa_shape) == 22 * sizeof(int64_t), "a key without padding");

struct cuda_sdpa_plan {
  cuda_sdpa_shape shape;
  cuda_dnn_node plan; // NULL: cuDNN does not take the shape
  size_t workspace, delta;
  float scale, one, below;
};

struct cuda_sdpa {
  cuda_dnn_library dnn;
  cudnnHandle_t handle;
  cuda_plans plans;
  char name[48];
};

static void plan_destroy(void *ctx, void *plan) {
  const cuda_sdpa *sdpa = ctx;
  cuda_sdpa_plan *p = plan;
  if (p->plan) sdpa->dnn.cudnnBackendDestroyDescriptor(p->plan);
  orr_free(p);
}

static size_t round_up(size_t bytes) {
  return (bytes + 255) & ~(size_t)255;
}

static orr_code build(const cuda_sdpa *sdpa, int sm, cuda_sdpa_plan *p) {
  const cuda_sdpa_shape *s = &p->shape;
  int64_t workspace = 0;
  cuda_dnn_graph g = {.dnn = &sdpa->dnn, .handle = sdpa->handle};
  cuda_dnn_choice choice;
  const bool chosen =
      s->backward && cuda_sdpa_graph_bwd_choice(sm, sdpa->dnn.cudnnGetVersion(), &choice);
  if (s->backward)
    cuda_sdpa_graph_bwd(&g, s);
  else
    cuda_sdpa_graph_fwd(&g, s);
  orr_code rc =
      g.rc == ORR_OK ? cuda_dnn_plan(&g, chosen ? &choice : NULL, &p->plan, &workspace) : g.rc;
  cuda_dnn_release(&g);
  p->workspace = round_up((size_t)workspace);
  p->delta = s->backward ? round_up((size_t)(s->seqs * s->H * s->L) * sizeof(float)) : 0;
  p->scale = 1.0f / sqrtf((float)s->K);
  p->one = 1.0f;
  p->below = -INFINITY;
  return rc;
}

// Who computes from here on: cuDNN, unless it has refused a shape of this direction.
static void note(kern *k, const cuda_sdpa *sdpa, const cuda_sdpa_shape *s, const char *refusal) {
  char *by = cuda_impl_of(k)->backend.attention[s->causal][s->backward];
  const size_t most = sizeof cuda_impl_of(k)->backend.attention[s->causal][s->backward];
  if (strncmp(by, "own kernels", strlen("own kernels")) == 0) return;
  if (refusal)
    snprintf(by, most, "own kernels: %.180s%s", refusal,
             sdpa->dnn.compiler ? "" : "; libnvrtc, which cuDNN compiles with, does not open");
  else
    snprintf(by, most, "%s", sdpa->name);
}

orr_code cuda_sdpa_find(kern *k, const cuda_sdpa_shape *shape, const cuda_sdpa_plan **out) {
  cuda_sdpa *sdpa = cuda_impl_of(k)->sdpa;
  *out = NULL;
  if (!sdpa) return ORR_OK;
  cuda_sdpa_plan *p = cuda_plans_find(&sdpa->plans, shape);
  if (!p) {
    p = orr_calloc(1, sizeof *p);
    ORR_CHECK(p, ORR_ENOMEM, "kernels: out of memory for the plan of an attention");
    p->shape = *shape;
    orr_code rc = build(sdpa, cuda_impl_of(k)->sm, p);
    if (rc == ORR_OK) note(k, sdpa, shape, NULL);
    if (rc == ORR_EUNSUPPORTED) {
      note(k, sdpa, shape, orr_status_message());
      orr_status_clear(); // own kernels take it
      rc = ORR_OK;
    }
    if (rc == ORR_OK) rc = cuda_plans_put(&sdpa->plans, shape, p);
    if (rc != ORR_OK) {
      plan_destroy(sdpa, p);
      return rc;
    }
    if (!k->planning) k->late_plans++;
  }
  if (p->plan) *out = p;
  return ORR_OK;
}

size_t cuda_sdpa_scratch(const cuda_sdpa_plan *p) {
  return p->workspace + p->delta;
}

static cudnnStatus_t fill_pack(const cuda_dnn_library *dnn, cuda_dnn_node pack, int64_t count,
                               const int64_t *id, const void **at, void *workspace) {
  cudnnStatus_t status = dnn->cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
                                                       CUDNN_TYPE_INT64, count, id);
  if (status == CUDNN_STATUS_SUCCESS)
    status = dnn->cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                           CUDNN_TYPE_VOID_PTR, count, at);
  if (status == CUDNN_STATUS_SUCCESS)
    status = dnn->cudnnBackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                                           CUDNN_TYPE_VOID_PTR, 1, &workspace);
  return status == CUDNN_STATUS_SUCCESS ? dnn->cudnnBackendFinalize(pack) : status;
}

orr_code cuda_sdpa_run(kern *k, const cuda_sdpa_plan *p, const cuda_sdpa_operands *operands,
                       void *scratch) {
  const cuda_sdpa *sdpa = cuda_impl_of(k)->sdpa;
  const cuda_dnn_library *dnn = &sdpa->dnn;
  cuda_sdpa_operands o = *operands;
  int64_t id[CUDA_SDPA_INNER], count = 0;
  const void *at[CUDA_SDPA_INNER];
  o.at[CUDA_SDPA_SCALE] = &p->scale;
  if (p->shape.causal) o.at[CUDA_SDPA_BELOW] = &p->below;
  if (p->shape.backward) {
    o.at[CUDA_SDPA_ONE] = &p->one;
    o.at[CUDA_SDPA_DELTA] = (char *)scratch + p->workspace;
  }
  for (int64_t i = CUDA_SDPA_Q; i < CUDA_SDPA_INNER; i++) {
    if (!o.at[i]) continue;
    id[count] = i;
    at[count++] = o.at[i];
  }
  cuda_dnn_node pack = NULL;
  cudnnStatus_t status =
      dnn->cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
  if (status == CUDNN_STATUS_SUCCESS) status = fill_pack(dnn, pack, count, id, at, scratch);
  if (status == CUDNN_STATUS_SUCCESS)
    status = dnn->cudnnBackendExecute(sdpa->handle, p->plan, pack);
  if (pack) dnn->cudnnBackendDestroyDescriptor(pack);
  ORR_CHECK(status == CUDNN_STATUS_SUCCESS, ORR_EIO,
            "kernels: cuDNN cannot run an attention of %" PRId64 " sequences of %" PRId64
            " positions: %s",
            p->shape.seqs, p->shape.L, dnn->cudnnGetErrorString(status));
  return ORR_OK;
}

// -- life -----------------------------------------------------------------------------------

static void name_version(size_t version, char out[32]) {
  snprintf(out, 32, "%zu.%zu.%zu", version / 10000, version / 100 % 100, version % 100);
}

// Whether the library serves this program; else why not.
static bool serves(cuda_sdpa *sdpa, cudaStream_t stream, char why[CUDA_SDPA_WHY]) {
  const cuda_dnn_library *dnn = &sdpa->dnn;
  const size_t version = dnn->cudnnGetVersion(), cuda = dnn->cudnnGetCudartVersion() / 1000;
  char found[32], least[32];
  name_version(version, found);
  name_version(LEAST_VERSION, least);
  // the builds for CUDA 12 and 13 share a file name; with other libraries it ends the process
  if (cuda != CUDART_VERSION / 1000)
    snprintf(why, CUDA_SDPA_WHY, LIBRARY " is the build for CUDA %zu, wanted %d", cuda,
             CUDART_VERSION / 1000);
  else if (version < LEAST_VERSION)
    snprintf(why, CUDA_SDPA_WHY, "cuDNN %s is older than %s", found, least);
  else if (dnn->cudnnCreate(&sdpa->handle) != CUDNN_STATUS_SUCCESS ||
           dnn->cudnnSetStream(sdpa->handle, stream) != CUDNN_STATUS_SUCCESS)
    snprintf(why, CUDA_SDPA_WHY, "cuDNN %s does not start", found);
  snprintf(sdpa->name, sizeof sdpa->name, "cuDNN %s", found);
  return !*why;
}

orr_code cuda_sdpa_create(cudaStream_t stream, cuda_sdpa **out, char why[CUDA_SDPA_WHY]) {
  *out = NULL;
  *why = '\0';
  cuda_sdpa *sdpa = orr_calloc(1, sizeof *sdpa);
  ORR_CHECK(sdpa, ORR_ENOMEM, "kernels: out of memory for the plans of attention");
  sdpa->plans =
      (cuda_plans){.key_bytes = sizeof(cuda_sdpa_shape), .destroy = plan_destroy, .ctx = sdpa};
  if (cuda_dnn_library_open(&sdpa->dnn) != ORR_OK) {
    orr_status_clear();
    snprintf(why, CUDA_SDPA_WHY, LIBRARY " does not open");
  }
  if (!*why && serves(sdpa, stream, why))
    *out = sdpa;
  else
    cuda_sdpa_destroy(sdpa);
  return ORR_OK;
}

void cuda_sdpa_destroy(cuda_sdpa *sdpa) {
  if (!sdpa) return;
  cuda_plans_release(&sdpa->plans);
  if (sdpa->handle) sdpa->dnn.cudnnDestroy(sdpa->handle);
  cuda_dnn_library_close(&sdpa->dnn);
  orr_free(sdpa);
}

const char *cuda_sdpa_name(const cuda_sdpa *sdpa) {
  return sdpa->name;
}
