// A hash table with open addressing, at most half full.
#include "kernels/cuda/plans.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

enum { FIRST_SLOTS = 64 };

static cuda_plans_slot *place(cuda_plans_slot *slot, int64_t slots, const void *key, size_t bytes) {
  uint64_t at = orr_hash64(key, bytes, 0) & (uint64_t)(slots - 1);
  while (slot[at].key && memcmp(slot[at].key, key, bytes) != 0)
    at = (at + 1) & (uint64_t)(slots - 1);
  return &slot[at];
}

static orr_code grow(cuda_plans *p) {
  const int64_t slots = p->slots ? 2 * p->slots : FIRST_SLOTS;
  cuda_plans_slot *slot = orr_calloc((size_t)slots, sizeof *slot);
  ORR_CHECK(slot, ORR_ENOMEM, "kernels: out of memory for the table of plans");
  for (int64_t i = 0; i < p->slots; i++)
    if (p->slot[i].key) *place(slot, slots, p->slot[i].key, p->key_bytes) = p->slot[i];
  orr_free(p->slot);
  p->slot = slot;
  p->slots = slots;
  return ORR_OK;
}

void *cuda_plans_find(const cuda_plans *p, const void *key) {
  return p->slots ? place(p->slot, p->slots, key, p->key_bytes)->plan : NULL;
}

orr_code cuda_plans_put(cuda_plans *p, const void *key, void *plan) {
  if (2 * (p->used + 1) > p->slots) ORR_TRY(grow(p));
  void *kept = orr_malloc(p->key_bytes);
  ORR_CHECK(kept, ORR_ENOMEM, "kernels: out of memory for the key of a plan");
  memcpy(kept, key, p->key_bytes);
  *place(p->slot, p->slots, key, p->key_bytes) = (cuda_plans_slot){kept, plan};
  p->used++;
  return ORR_OK;
}

void cuda_plans_release(cuda_plans *p) {
  for (int64_t i = 0; i < p->slots; i++) {
    if (!p->slot[i].key) continue;
    p->destroy(p->ctx, p->slot[i].plan);
    orr_free(p->slot[i].key);
  }
  orr_free(p->slot);
  p->slot = NULL;
  p->slots = p->used = 0;
}
