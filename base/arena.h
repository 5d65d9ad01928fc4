// Arenas: one block of memory per class of tensor, laid out by a first pass that only counts.
// An arena is created without memory; orr_arena_take on it counts. orr_arena_commit allocates
// exactly what was counted and rewinds; the second, identical pass hands out addresses. Nothing
// is freed singly. Not thread safe.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define ORR_ARENA_ALIGN 64

typedef struct orr_arena {
  const char *name;    // for messages and the accounting table; not owned
  unsigned char *base; // NULL while counting
  bool overflow;
  size_t used;     // bytes handed out in this pass
  size_t capacity; // bytes committed; 0 while counting
  // The allocator that backs it, which gives zeroed memory or ORR_ENOMEM with the arena's name;
  // NULL = orr_arena_host_alloc and orr_free.
  orr_code (*alloc_fn)(void *ctx, size_t bytes, const char *name, void **out);
  void (*free_fn)(void *ctx, void *p);
  void *ctx;
} orr_arena;

// An empty arena in its counting pass; `name` must outlive it.
void orr_arena_init(orr_arena *a, const char *name);
// While counting returns a placeholder: a non-NULL address with the right offsets that must not be
// dereferenced (so that planning code can tell "present" from "absent"). After commit returns
// 64-byte aligned memory, zeroed at commit. Taking more than was committed is a programming error:
// it returns NULL and orr_arena_check reports it.
void *orr_arena_take(orr_arena *a, size_t bytes);
// Like take, with an own alignment, a power of two up to ORR_ARENA_ALIGN (1 = right after the one
// before, so that neighbours fuse).
void *orr_arena_take_aligned(orr_arena *a, size_t bytes, size_t align);
bool orr_arena_counting(const orr_arena *a);
orr_code orr_arena_commit(orr_arena *a); // ORR_ENOMEM names the arena and the bytes
// ORR_EINVAL unless the second pass used exactly the bytes of the first.
orr_code orr_arena_check(const orr_arena *a);
void orr_arena_release(orr_arena *a);
// Zeroed host memory for `name` (base/mem.h's pages), to be freed with orr_free. ORR_ENOMEM.
orr_code orr_arena_host_alloc(void *ctx, size_t bytes, const char *name, void **out);

#endif
