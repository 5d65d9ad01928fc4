// The pages of one column, one after the other over all row groups, unpacked and decoded. Private
// to this folder.
#ifndef DATA_IMPORT_PARQUET_PAGE_H
#define DATA_IMPORT_PARQUET_PAGE_H

#include "data/import/parquet/footer.h"

typedef struct {
  const uint8_t *p;
  size_t bytes;
} data_parquet_blob;

// Entries are values, nulls and empty lists; of them `present` have a value.
typedef struct {
  int64_t entries, present;
  const uint32_t *repeated;       // [entries], NULL without lists: 0 begins a row
  const uint32_t *defined;        // [entries], NULL where every value is there
  const double *numbers;          // [present], of a column of numbers
  const data_parquet_blob *blobs; // [present], of a column of bytes
} data_parquet_page;

typedef struct data_parquet_pages data_parquet_pages;

// Local. From the first page of row group `group` on. Takes no page yet.
orr_code data_parquet_pages_open(data_parquet *p, int column, int64_t group,
                                 data_parquet_pages **out);
void data_parquet_pages_close(data_parquet_pages *r);
// Local. The next page, valid until the next call; out->entries is 0 after the last.
orr_code data_parquet_pages_next(data_parquet_pages *r, data_parquet_page *out);

#endif
