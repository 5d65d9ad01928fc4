// Parquet's hybrid of run lengths and packed bits: levels, indices into a dictionary, booleans.
// Source: apache/parquet-format, Encodings.md.
#ifndef DATA_IMPORT_PARQUET_RUNS_H
#define DATA_IMPORT_PARQUET_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Local. The first n numbers of `width` bits (0 to 32) into out[n]; false when the bytes end before
// or cannot be.
bool data_parquet_runs(const uint8_t *p, size_t bytes, int width, int64_t n, uint32_t *out);

#endif
