// XXH3-128 over bytes, files and streams; hex is 32 lower-case digits (the canonical big-endian
// form, as `xxhsum -H2` prints it).
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  uint64_t lo, hi;
} orr_hash128;
typedef struct {
  char s[33];
} orr_hash_hex;

// XXH3-128 of bytes, and XXH3-64 with a seed for hash tables and stream numbers.
orr_hash128 orr_hash_bytes(const void *p, size_t bytes);
uint64_t orr_hash64(const void *p, size_t bytes, uint64_t seed);
// Text form and back; ORR_EFORMAT unless exactly 32 lower-case hexadecimal digits.
orr_hash_hex orr_hash_to_hex(orr_hash128 h);
orr_code orr_hash_from_hex(const char *hex, orr_hash128 *out);
// 1 when equal, else 0.
int orr_hash_equal(orr_hash128 a, orr_hash128 b);
orr_code orr_hash_file(const char *path, orr_hash128 *out, uint64_t *bytes); // bytes may be NULL

typedef struct orr_hash_stream orr_hash_stream;
orr_hash_stream *orr_hash_stream_create(void); // NULL when out of memory
void orr_hash_stream_update(orr_hash_stream *s, const void *p, size_t bytes);
orr_hash128 orr_hash_stream_digest(const orr_hash_stream *s);
void orr_hash_stream_destroy(orr_hash_stream *s);

#endif
