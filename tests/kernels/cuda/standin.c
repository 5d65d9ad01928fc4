// The CUDA backend's table on the host that plays the device: its own kernels, and for what is not
// a kernel the CPU's (memory, copies) or nothing.
#include "tests/kernels/cuda/standin.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/cuda.h"
#include "tests/cuda_host/host.h"

// clang-format off
#define OWN_OPS(X)                                                                                 \
  X(rmsnorm_fwd) X(rmsnorm_bwd) X(qknorm_rope_fwd) X(qknorm_rope_bwd) X(swiglu_fwd) X(swiglu_bwd)  \
  X(embed_fwd) X(embed_bwd) X(gather_rows) X(scatter_rows) X(xent_stats) X(xent_rescale)           \
  X(xent_grad) X(xent_sum) X(squares) X(squares_sum) X(add_up) X(tree_sum) X(fsq_fwd) X(fsq_bwd) X(fsq_lookup) X(patchify) X(unpatchify) X(pixel_loss) X(clip) \
  X(adamw) X(muon_blend) X(muon_norm) X(muon_apply) X(digit_sums) X(digit_steps) X(digit_apply) X(sumsq) X(fingerprint) X(cast) X(axpby) X(sample) X(choose)       \
  X(ring_attend) X(ring_keep) X(ring_pin)
// What is no kernel of its own: libraries' products and attention, memory.
#define OTHER_OPS(X)                                                                               \
  X(matmul_fwd) X(matmul_bwd_x) X(matmul_bwd_w) X(attention_fwd) X(attention_bwd) X(pack_weight)   \
  X(copy) X(copy_rows) X(fill)
// clang-format on

#define ONE(op) +1
_Static_assert((0 KERN_OPS(ONE)) == (0 OWN_OPS(ONE)) + (0 OTHER_OPS(ONE)),
               "an op that is in neither list would be tested against itself");
#undef ONE

typedef struct {
  kern_table table;
  cuda_impl impl;
  kern *cpu; // computes what is not the backend's own
  kern kern;
} standin;

static standin *standin_of(kern *k) {
  return (standin *)((char *)k - offsetof(standin, kern));
}

#define ON_CPU(op)                                                                                 \
  static orr_code on_cpu_##op(kern *k, const kern_##op##_args *a) {                                \
    kern *cpu = standin_of(k)->cpu;                                                                \
    cpu->planning = k->planning;                                                                   \
    return cpu->table->op(cpu, a);                                                                 \
  }
KERN_OPS(ON_CPU)
#undef ON_CPU

// Exactly `bytes`, so that the first access beyond them is seen.
static orr_code standin_alloc(kern *k, kern_memory kind, size_t bytes, const char *what,
                              void **out) {
  *out = cuda_host_malloc(bytes);
  ORR_CHECK(*out != NULL, ORR_ENOMEM, "out of memory for %s", what);
  return ORR_OK;
}

static void standin_free(kern *k, kern_memory kind, void *p) {
  cuda_host_free(p);
}

static void standin_destroy(kern *k) {
  standin *s = standin_of(k);
  kern_destroy(s->cpu);
  free(s);
}

orr_code cuda_host_kern_create(kern **out) {
  standin *s = calloc(1, sizeof *s);
  ORR_CHECK(s != NULL, ORR_ENOMEM, "out of memory for a test");
  orr_code rc = kern_create(KERN_DEVICE_CPU, 1, &s->cpu);
  if (rc != ORR_OK) {
    free(s);
    return rc;
  }
  s->table = *s->cpu->table;
#define CPU_SLOT(op) s->table.op = on_cpu_##op;
  KERN_OPS(CPU_SLOT)
#undef CPU_SLOT
  s->table.name = "cuda-host";
  s->table.alloc = standin_alloc;
  s->table.free = standin_free;
  s->table.destroy = standin_destroy;
#define OWN_SLOT(op) s->table.op = cuda_##op;
  OWN_OPS(OWN_SLOT)
#undef OWN_SLOT
  s->table.attention_fwd = cuda_attention_own_fwd;
  s->table.attention_bwd = cuda_attention_own_bwd;
  s->table.matmul_bwd_w = cuda_column_sums; // the bias's part
  s->kern = (kern){.table = &s->table, .threads = 1, .planning = true, .impl = &s->impl};
  *out = &s->kern;
  return ORR_OK;
}

// In place of the real one, which would bring the real runtime into the test.
orr_code kern_cuda_create(const kern_setup *setup, kern **out) {
  *out = NULL;
  return ORR_FAIL(ORR_EUNSUPPORTED, "a test has no such device");
}

orr_code cuda_workspace(kern *k, size_t bytes, void **out) {
  *out = k->workspace;
  if (bytes <= k->workspace_bytes) return ORR_OK;
  if (k->planning) {
    k->workspace_bytes = bytes;
    return ORR_OK;
  }
  void *grown;
  ORR_TRY(kern_alloc(k, KERN_DEVICE, bytes, "workspace of the kernels", &grown));
  kern_free(k, KERN_DEVICE, k->workspace);
  *out = k->workspace = grown;
  k->workspace_bytes = bytes;
  k->late_plans++;
  return ORR_OK;
}

orr_code cuda_check(cudaError_t e, const char *what) {
  ORR_CHECK(e == cudaSuccess, ORR_EIO, "cannot %s: %s", what, cudaGetErrorString(e));
  return ORR_OK;
}
