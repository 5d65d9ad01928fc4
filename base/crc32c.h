// CRC-32C (Castagnoli; reflected polynomial 0x82F63B78), as record files of TensorFlow use it.
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

// Local. Of `bytes` bytes at p.
uint32_t orr_crc32c(const void *p, size_t bytes);

#endif
