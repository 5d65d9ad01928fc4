// Host allocations, hooked for fault sweeps. All return NULL when out of memory, without
// recording a message: the caller knows what the bytes were for.
#ifndef BASE_MEM_H
#define BASE_MEM_H
#include <stddef.h>
// Like their namesakes of the C library; a size of zero gives a unique address too.
void *orr_malloc(size_t bytes);
void *orr_calloc(size_t count, size_t size);
void *orr_realloc(void *p, size_t bytes);
char *orr_strdup(const char *s);
char *orr_format(const char *fmt, ...) __attribute__((format(printf, 1, 2))); // malloc'ed
void *orr_malloc_aligned(size_t bytes, size_t align);
// Zeroed, every page touched, aligned to 64 bytes at least; large blocks on huge pages.
void *orr_malloc_pages(size_t bytes);
void orr_free(void *p); // frees any of the above; takes NULL
#endif
