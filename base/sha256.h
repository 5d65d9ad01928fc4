// SHA-256 (FIPS 180-4) of bytes and of files: for hashes that others publish. Our own are XXH3
// (base/hash.h). Local; thread safe.
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  char s[65]; // 64 lower-case hexadecimal digits
} orr_sha256_hex;

// Of `bytes` bytes at p.
orr_sha256_hex orr_sha256_bytes(const void *p, size_t bytes);
// ORR_EIO and its kin name the file; ORR_ENOMEM.
orr_code orr_sha256_file(const char *path, orr_sha256_hex *out);

#endif
