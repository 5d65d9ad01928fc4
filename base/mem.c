// Host allocations with the fault hook in front. Sizes of zero give a unique address, so that NULL
// always means "out of memory".
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fault.h"

void *orr_malloc(size_t bytes) {
  if (orr_fault_hit(ORR_FAULT_MALLOC)) return NULL;
  return malloc(bytes ? bytes : 1);
}

void *orr_calloc(size_t count, size_t size) {
  if (orr_fault_hit(ORR_FAULT_MALLOC)) return NULL;
  return count && size ? calloc(count, size) : calloc(1, 1);
}

void *orr_realloc(void *p, size_t bytes) {
  if (orr_fault_hit(ORR_FAULT_MALLOC)) return NULL;
  return realloc(p, bytes ? bytes : 1);
}

char *orr_strdup(const char *s) {
  size_t bytes = strlen(s) + 1;
  char *copy = orr_malloc(bytes);
  return copy ? memcpy(copy, s, bytes) : NULL;
}

char *orr_format(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  char *text = n < 0 ? NULL : orr_malloc((size_t)n + 1);
  if (!text) return NULL;
  va_start(args, fmt);
  vsnprintf(text, (size_t)n + 1, fmt, args);
  va_end(args);
  return text;
}

void *orr_malloc_aligned(size_t bytes, size_t align) {
  if (orr_fault_hit(ORR_FAULT_MALLOC)) return NULL;
  void *p = NULL;
  return posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, bytes ? bytes : 1) == 0
             ? p
             : NULL;
}

// Passes over tensors of megabytes miss the TLB a few hundred times less on huge pages, where the
// system gives them on request.
void *orr_malloc_pages(size_t bytes) {
  const size_t huge = (size_t)2 << 20;
  void *p = orr_malloc_aligned(bytes, bytes < 2 * huge ? 64 : huge);
  if (!p) return NULL;
#ifdef MADV_HUGEPAGE
  if (bytes >= 2 * huge)
    (void)madvise(p, bytes / huge * huge, MADV_HUGEPAGE); // advice: refusal changes nothing
#endif
  return memset(p, 0, bytes);
}

void orr_free(void *p) {
  free(p);
}
