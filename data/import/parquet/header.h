// The header before a page of a Parquet column. Private to this folder.
#ifndef DATA_IMPORT_PARQUET_HEADER_H
#define DATA_IMPORT_PARQUET_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  DATA_PARQUET_PAGE_DATA,
  DATA_PARQUET_PAGE_DICTIONARY,
  DATA_PARQUET_PAGE_OTHER, // an index: passed over
} data_parquet_page_kind;

typedef struct {
  data_parquet_page_kind kind;
  int version; // of a data page: 1 or 2
  int encoding;
  int64_t entries;
  size_t length;                        // of the header itself
  size_t packed, unpacked;              // bytes of the page, levels included
  size_t repeated_bytes, defined_bytes; // of version 2
  bool is_packed;
  bool has_crc;
  uint32_t crc;
} data_parquet_header;

// Local. Reads the header at the beginning of p[bytes]; false where it is damaged or goes on.
bool data_parquet_header_read(const uint8_t *p, size_t bytes, data_parquet_header *out);

#endif
