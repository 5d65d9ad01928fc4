// Arenas. base == NULL means the counting pass; commit turns `used` into `capacity`.
#include "base/arena.h"

#include <stdint.h>

#include "base/mem.h"

// Placeholders start here: not a canonical address on x86-64 or AArch64, so a stray access traps.
#define PLACEHOLDER_BASE (UINT64_C(1) << 63)

void orr_arena_init(orr_arena *a, const char *name) {
  *a = (orr_arena){.name = name};
}

void *orr_arena_take(orr_arena *a, size_t bytes) {
  return orr_arena_take_aligned(a, bytes, ORR_ARENA_ALIGN);
}

void *orr_arena_take_aligned(orr_arena *a, size_t bytes, size_t align) {
  size_t first = (a->used + align - 1) / align * align;
  bool fits = first >= a->used && first + bytes >= first &&
              (orr_arena_counting(a) || first + bytes <= a->capacity);
  if (!fits) {
    a->overflow = true;
    return NULL;
  }
  a->used = first + bytes;
  return orr_arena_counting(a) ? (void *)(uintptr_t)(PLACEHOLDER_BASE + first) : a->base + first;
}

bool orr_arena_counting(const orr_arena *a) {
  return a->base == NULL;
}

orr_code orr_arena_host_alloc(void *ctx, size_t bytes, const char *name, void **out) {
  *out = orr_malloc_pages(bytes);
  ORR_CHECK(*out, ORR_ENOMEM,
            "arena %s: %zu bytes (%.1f MiB) are not available; use a smaller model or batch, "
            "train.recompute, or more ranks",
            name, bytes, (double)bytes / 1048576.0);
  return ORR_OK;
}

orr_code orr_arena_commit(orr_arena *a) {
  ORR_CHECK(orr_arena_counting(a) && !a->overflow, ORR_EINVAL, "arena %s: cannot be committed (%s)",
            a->name,
            a->overflow ? "more bytes asked for than an address can count" : "committed before");
  size_t bytes = a->used ? a->used : 1; // a committed arena has an address even when empty
  void *p = NULL;
  ORR_TRY((a->alloc_fn ? a->alloc_fn : orr_arena_host_alloc)(a->ctx, bytes, a->name, &p));
  a->base = p;
  a->capacity = a->used;
  a->used = 0;
  return ORR_OK;
}

orr_code orr_arena_check(const orr_arena *a) {
  ORR_CHECK(!a->overflow, ORR_EINVAL,
            "arena %s: the second pass asked for more than the %zu bytes of the first", a->name,
            a->capacity);
  ORR_CHECK(a->used == a->capacity, ORR_EINVAL,
            "arena %s: the second pass used %zu bytes, the first counted %zu", a->name, a->used,
            a->capacity);
  return ORR_OK;
}

void orr_arena_release(orr_arena *a) {
  if (a->base) {
    if (a->alloc_fn) {
      a->free_fn(a->ctx, a->base);
    } else {
      orr_free(a->base);
    }
  }
  a->base = NULL;
  a->used = a->capacity = 0;
  a->overflow = false;
}
