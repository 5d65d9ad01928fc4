#include "base/sha256.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

enum { BLOCK = 64, LENGTH_AT = 56, PIECE = 1 << 20 };

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

typedef struct {
  uint32_t h[8];
  uint64_t bytes;
  uint8_t rest[BLOCK]; // of the message, bytes % BLOCK of them
} sha256;

static uint32_t turn(uint32_t x, int n) {
  return x >> n | x << (32 - n);
}

static void take_block(sha256 *s, const uint8_t *p) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
           p[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    const uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[i - 7] +
           (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
  }
  memcpy(v, s->h, sizeof v);
  for (int i = 0; i < 64; i++) {
    const uint32_t a = v[0], e = v[4];
    const uint32_t t = v[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) +
                       ((e & v[5]) ^ (~e & v[6])) + round_constants[i] + w[i];
    const uint32_t u =
        (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof *v);
    v[0] = t + u;
    v[4] += t;
  }
  for (int i = 0; i < 8; i++) s->h[i] += v[i];
}

static void begin(sha256 *s) {
  *s = (sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                      0x1f83d9ab, 0x5be0cd19}};
}

static void take(sha256 *s, const uint8_t *p, size_t bytes) {
  while (bytes > 0) {
    const size_t at = s->bytes % BLOCK, n = bytes < BLOCK - at ? bytes : BLOCK - at;
    memcpy(s->rest + at, p, n);
    s->bytes += n;
    p += n;
    bytes -= n;
    if (s->bytes % BLOCK == 0) take_block(s, s->rest);
  }
}

static orr_sha256_hex finish(sha256 *s) {
  const uint64_t bits = s->bytes * 8;
  const uint8_t one = 0x80, zero = 0;
  uint8_t length[8];
  orr_sha256_hex hex;
  for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
  take(s, &one, 1);
  while (s->bytes % BLOCK != LENGTH_AT) take(s, &zero, 1);
  take(s, length, sizeof length);
  for (int i = 0; i < 64; i++)
    hex.s[i] = "0123456789abcdef"[s->h[i / 8] >> (28 - 4 * (i % 8)) & 15];
  hex.s[64] = 0;
  return hex;
}

orr_sha256_hex orr_sha256_bytes(const void *p, size_t bytes) {
  sha256 s;
  begin(&s);
  take(&s, p, bytes);
  return finish(&s);
}

orr_code orr_sha256_file(const char *path, orr_sha256_hex *out) {
  orr_code rc = ORR_OK;
  int fd = -1;
  uint64_t size = 0;
  sha256 s;
  begin(&s);
  ORR_TRY(orr_fs_size(path, &size));
  ORR_TRY(orr_fs_open(path, O_RDONLY | O_CLOEXEC, 0, &fd));
  uint8_t *piece = orr_malloc(PIECE);
  ORR_CHECK_GOTO(piece, close_file, ORR_ENOMEM, "%s: out of memory: cannot compute its SHA-256",
                 path);
  for (uint64_t at = 0; at < size; at += PIECE) {
    const size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
    ORR_TRY_GOTO(orr_fs_pread_all(fd, path, piece, n, at), free_piece);
    take(&s, piece, n);
  }
  *out = finish(&s);
free_piece:
  orr_free(piece);
close_file:
  close(fd);
  return rc;
}
