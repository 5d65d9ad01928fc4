// Choice of the backend, and the life of a kern: create, plan, commit, run, destroy.
// One kern belongs to one thread at a time.
#define _GNU_SOURCE
#include "kernels/kern.h"

#include <sched.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "kernels/backend.h"
#include "kernels/cuda/probe.h"

// The cores that this process may use (affinity, as mpirun and Slurm set it), at least 1.
static int usable_cores(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  int n = CPU_COUNT(&set);
  return n > 0 ? n : 1;
}

orr_code kern_table_check(const kern_table *table) {
#define CHECK_SLOT(op)                                                                             \
  ORR_CHECK(table->op != NULL, ORR_EUNSUPPORTED, "kernels: backend %s has no %s; rebuild it",      \
            table->name, #op);
  KERN_OPS(CHECK_SLOT)
#undef CHECK_SLOT
  return ORR_OK;
}

orr_code kern_create(kern_device device, int threads, kern **out) {
  *out = NULL;
  ORR_CHECK(threads >= 0, ORR_EINVAL, "kernels: %d threads; give 0 (all cores) or more", threads);
  if (device == KERN_DEVICE_CUDA) {
    char words[256];
    int devices = kern_cuda_probe(words, sizeof words);
    return ORR_FAIL(ORR_EUNSUPPORTED, "kernels: device cuda: %s%s; choose device auto or cpu",
                    words, devices ? ", but this version has no ops for it" : "");
  }
  kern *k = NULL;
  ORR_TRY(kern_cpu_create(threads ? threads : usable_cores(), &k));
  orr_code rc = kern_table_check(k->table);
  if (rc != ORR_OK) {
    kern_destroy(k);
    return rc;
  }
  *out = k;
  return ORR_OK;
}

orr_code kern_commit(kern *k) {
  ORR_CHECK(k->planning, ORR_EINVAL, "kernels: committed twice");
  if (k->workspace_bytes) {
    k->workspace = orr_malloc_aligned(k->workspace_bytes, ORR_ARENA_ALIGN);
    ORR_CHECK(k->workspace != NULL, ORR_ENOMEM,
              "kernels: no memory for a workspace of %zu bytes; use a smaller batch",
              k->workspace_bytes);
  }
  k->planning = false;
  return ORR_OK;
}

void kern_destroy(kern *k) {
  if (!k) return;
  orr_free(k->workspace);
  k->table->destroy(k);
}

const char *kern_bf16_reason(const kern *k) {
  return ((const kern_backend *)k->impl)->bf16_reason;
}
