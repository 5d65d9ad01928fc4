// XXH3 (Collet), 64 and 128 bits.
#define XXH_STATIC_LINKING_ONLY // the state by value, so that its memory comes from base/mem.h
#include "base/hash.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/fs.h"
#include "base/mem.h"

#define FILE_PIECE_BYTES ((size_t)1 << 20)

struct orr_hash_stream {
  XXH3_state_t state;
};

static orr_hash128 from_xxh(XXH128_hash_t h) {
  return (orr_hash128){.lo = h.low64, .hi = h.high64};
}

orr_hash128 orr_hash_bytes(const void *p, size_t bytes) {
  return from_xxh(XXH3_128bits(p, bytes));
}

uint64_t orr_hash64(const void *p, size_t bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(p, bytes, seed);
}

orr_hash_hex orr_hash_to_hex(orr_hash128 h) {
  orr_hash_hex out;
  snprintf(out.s, sizeof out.s, "%016" PRIx64 "%016" PRIx64, h.hi, h.lo);
  return out;
}

static int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

orr_code orr_hash_from_hex(const char *hex, orr_hash128 *out) {
  uint64_t half[2] = {0, 0};
  size_t i = 0;
  for (; i < 32 && digit_value(hex[i]) >= 0; i++) {
    half[i / 16] = half[i / 16] << 4 | (uint64_t)digit_value(hex[i]);
  }
  ORR_CHECK(i == 32 && hex[32] == 0, ORR_EFORMAT,
            "checksum '%.64s': wanted 32 lower-case hexadecimal digits", hex);
  *out = (orr_hash128){.hi = half[0], .lo = half[1]};
  return ORR_OK;
}

int orr_hash_equal(orr_hash128 a, orr_hash128 b) {
  return a.lo == b.lo && a.hi == b.hi;
}

orr_code orr_hash_file(const char *path, orr_hash128 *out, uint64_t *bytes) {
  orr_code rc = ORR_OK;
  int fd = -1;
  uint64_t size = 0;
  ORR_TRY(orr_fs_size(path, &size));
  ORR_TRY(orr_fs_open(path, O_RDONLY, 0, &fd));
  orr_hash_stream *s = orr_hash_stream_create();
  unsigned char *piece = orr_malloc(FILE_PIECE_BYTES);
  ORR_CHECK_GOTO(s && piece, free_buffers, ORR_ENOMEM,
                 "%s: out of memory: cannot compute its checksum", path);
  for (uint64_t at = 0; at < size; at += FILE_PIECE_BYTES) {
    size_t n = size - at < FILE_PIECE_BYTES ? (size_t)(size - at) : FILE_PIECE_BYTES;
    ORR_TRY_GOTO(orr_fs_pread_all(fd, path, piece, n, at), free_buffers);
    orr_hash_stream_update(s, piece, n);
  }
  *out = orr_hash_stream_digest(s);
  if (bytes) *bytes = size;
free_buffers:
  orr_free(piece);
  orr_hash_stream_destroy(s);
  close(fd);
  return rc;
}

orr_hash_stream *orr_hash_stream_create(void) {
  orr_hash_stream *s = orr_malloc_aligned(sizeof *s, _Alignof(orr_hash_stream));
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  XXH3_128bits_reset(&s->state);
  return s;
}

void orr_hash_stream_update(orr_hash_stream *s, const void *p, size_t bytes) {
  XXH3_128bits_update(&s->state, p, bytes);
}

orr_hash128 orr_hash_stream_digest(const orr_hash_stream *s) {
  return from_xxh(XXH3_128bits_digest(&s->state));
}

void orr_hash_stream_destroy(orr_hash_stream *s) {
  orr_free(s);
}
