// Choice of the backend, and the life of a kern: create, plan, commit, run, destroy.
// One kern belongs to one thread at a time.
#include "kernels/kern.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/cores.h"
#include "base/mem.h"
#include "kernels/backend.h"

orr_code kern_table_check(const kern_table *table) {
#define CHECK_SLOT(op)                                                                             \
  ORR_CHECK(table->op != NULL, ORR_EUNSUPPORTED, "kernels: backend %s has no %s; rebuild it",      \
            table->name, #op);
  KERN_OPS(CHECK_SLOT)
  CHECK_SLOT(packed_bytes)
  CHECK_SLOT(alloc)
  CHECK_SLOT(free)
  CHECK_SLOT(sync)
  CHECK_SLOT(mark)
  CHECK_SLOT(await)
  CHECK_SLOT(elapsed)
  CHECK_SLOT(capture_begin)
  CHECK_SLOT(capture_end)
  CHECK_SLOT(replay)
  CHECK_SLOT(graph_free)
  CHECK_SLOT(stream)
  CHECK_SLOT(destroy)
#undef CHECK_SLOT
  return ORR_OK;
}

static orr_code open_backend(orr_code (*create)(const kern_setup *, kern **), const kern_setup *s,
                             kern **out) {
  kern *k = NULL;
  ORR_TRY(create(s, &k));
  orr_code rc = kern_table_check(k->table);
  if (rc != ORR_OK) {
    kern_destroy(k);
    return rc;
  }
  *out = k;
  return ORR_OK;
}

orr_code kern_open(const kern_setup *setup, kern **out) {
  kern_setup s = *setup;
  char why[ORR_STATUS_MESSAGE_MAX] = "";
  *out = NULL;
  ORR_CHECK(s.threads >= 0, ORR_EINVAL, "kernels: %d threads; give 0 (all cores) or more",
            s.threads);
  if (s.threads == 0) s.threads = orr_cores_usable();
  if (s.device != KERN_DEVICE_CPU) {
    orr_code rc = open_backend(kern_cuda_create, &s, out);
    // what says that there is no such device here; any other failure of a device is one
    if (rc != ORR_EUNSUPPORTED || s.device == KERN_DEVICE_CUDA) return rc;
    orr_status_copy(why, sizeof why);
    orr_status_clear();
  }
  ORR_TRY(open_backend(kern_cpu_create, &s, out));
  snprintf((*out)->why_cpu, sizeof(*out)->why_cpu, "%s", why);
  return ORR_OK;
}

orr_code kern_create(kern_device device, int threads, kern **out) {
  return kern_open(&(kern_setup){.device = device, .threads = threads, .node_ranks = 1}, out);
}

orr_code kern_commit(kern *k) {
  ORR_CHECK(k->planning, ORR_EINVAL, "kernels: committed twice");
  if (k->workspace_bytes) {
    ORR_TRY(
        kern_alloc(k, KERN_DEVICE, k->workspace_bytes, "workspace of the kernels", &k->workspace));
  }
  k->planning = false;
  return ORR_OK;
}

void kern_destroy(kern *k) {
  if (!k) return;
  kern_free(k, KERN_DEVICE, k->workspace);
  k->table->destroy(k);
}

static orr_code space_alloc(void *ctx, size_t bytes, const char *what, void **out) {
  const kern_space *s = ctx;
  return kern_alloc(s->k, s->kind, bytes, what, out);
}

static void space_free(void *ctx, void *p) {
  const kern_space *s = ctx;
  kern_free(s->k, s->kind, p);
}

static void arena_init(kern *k, kern_memory kind, orr_arena *a, const char *name) {
  k->space[kind] = (kern_space){k, kind};
  orr_arena_init(a, name);
  a->alloc_fn = space_alloc;
  a->free_fn = space_free;
  a->ctx = &k->space[kind];
}

void kern_arena_init(kern *k, orr_arena *a, const char *name) {
  arena_init(k, KERN_DEVICE, a, name);
}

void kern_arena_init_pinned(kern *k, orr_arena *a, const char *name) {
  arena_init(k, KERN_PINNED, a, name);
}

orr_code kern_adamw_rates_of(double lr, double beta1, double beta2, int64_t step,
                             kern_adamw_rates *out) {
  ORR_CHECK(step >= 1, ORR_EINVAL, "adamw: step %" PRId64 ", steps count from 1", step);
  // What takes part is what the op sees: the float32 of each.
  const float rate = (float)lr, b1 = (float)beta1, b2 = (float)beta2;
  *out = (kern_adamw_rates){.lr = rate,
                            .rate = (float)(rate / (1.0 - pow(b1, (double)step))),
                            .root_bias = (float)(1.0 / sqrt(1.0 - pow(b2, (double)step)))};
  return ORR_OK;
}

orr_code kern_isa_read(const char *what, const char *name, kern_isa *out) {
#define ISA_NAME(NAME, word) [KERN_ISA_##NAME] = #word,
  static const char *const names[] = {KERN_ISAS(ISA_NAME)};
#undef ISA_NAME
  for (int i = 0; i < (int)(sizeof names / sizeof *names); i++) {
    *out = (kern_isa)i;
    if (strcmp(name, names[i]) == 0) return ORR_OK;
  }
  return ORR_FAIL(ORR_ECONFIG, "%s is '%s': wanted auto, avx2, avx512, avx512_bf16 or amx", what,
                  name);
}

const char *kern_bf16_reason(const kern *k) {
  return ((const kern_backend *)k->impl)->bf16_reason;
}

const char *kern_attention_by(const kern *k, bool causal, bool backward) {
  return ((const kern_backend *)k->impl)->attention[causal][backward];
}
