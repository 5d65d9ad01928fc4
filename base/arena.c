// Arenas. base == NULL means the counting pass; commit turns `used` into `capacity`.
#include "base/arena.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

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

// Large arenas lie on huge pages where the system gives them on request: passes over tensors of
// megabytes miss the TLB a few hundred times less.
static void *host_alloc(size_t bytes) {
  const size_t huge = (size_t)2 << 20;
  if (bytes < 2 * huge) return orr_malloc_aligned(bytes, ORR_ARENA_ALIGN);
  void *p = orr_malloc_aligned(bytes, huge);
#ifdef MADV_HUGEPAGE
  if (p) (void)madvise(p, bytes / huge * huge, MADV_HUGEPAGE); // advice: refusal changes nothing
#endif
  return p;
}

orr_code orr_arena_commit(orr_arena *a) {
  ORR_CHECK(orr_arena_counting(a) && !a->overflow, ORR_EINVAL, "arena %s: cannot be committed (%s)",
            a->name,
            a->overflow ? "more bytes asked for than an address can count" : "committed before");
  size_t bytes = a->used ? a->used : 1; // a committed arena has an address even when empty
  void *p = a->alloc_fn ? a->alloc_fn(bytes, a->ctx) : host_alloc(bytes);
  ORR_CHECK(p, ORR_ENOMEM,
            "arena %s: %zu bytes (%.1f MiB) are not available; use a smaller model or batch, "
            "train.recompute, or more ranks",
            a->name, a->used, (double)a->used / 1048576.0);
  if (!a->alloc_fn) memset(p, 0, bytes); // also touches every page before the first step
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
      a->free_fn(a->base, a->ctx);
    } else {
      orr_free(a->base);
    }
  }
  a->base = NULL;
  a->used = a->capacity = 0;
  a->overflow = false;
}
