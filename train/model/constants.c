#include "train/model/constants.h"

orr_code train_constants_place(kern *k, orr_arena *arena, const void *host, size_t bytes,
                               void **device) {
  *device = orr_arena_take(arena, bytes);
  if (orr_arena_counting(arena)) return ORR_OK;
  ORR_CHECK(!k->planning, ORR_EINVAL,
            "arena %s: tables are copied to it before the kernels are committed", arena->name);
  return kern_copy(
      k, &(kern_copy_args){.dst = *device, .src = host, .bytes = bytes, .way = KERN_COPY_IN});
}
