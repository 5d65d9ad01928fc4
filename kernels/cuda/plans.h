// What was worked out once for each shape: a table from a key's bytes to a plan that it owns.
#ifndef KERNELS_CUDA_PLANS_H
#define KERNELS_CUDA_PLANS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  void *key, *plan;
} cuda_plans_slot;

typedef struct {
  size_t key_bytes; // keys are compared by their bytes: padding in them must be zero
  void (*destroy)(void *ctx, void *plan);
  void *ctx;
  cuda_plans_slot *slot; // `slots` of them, a power of two
  int64_t slots, used;
} cuda_plans;

// Local. The plan kept for the key, or NULL.
void *cuda_plans_find(const cuda_plans *p, const void *key);
// Local. Keeps `plan` for a key that has none. ORR_ENOMEM: the plan stays the caller's.
orr_code cuda_plans_put(cuda_plans *p, const void *key, void *plan);
// Local. Destroys every plan, last the table.
void cuda_plans_release(cuda_plans *p);

#endif
