// The values of a page, out of its bytes. Private to this folder.
#ifndef DATA_IMPORT_PARQUET_VALUES_H
#define DATA_IMPORT_PARQUET_VALUES_H

#include "data/import/parquet/page.h"

// Memory that grows and stays.
typedef struct {
  void *p;
  size_t room;
} data_parquet_buffer;
// Local. At least `bytes`, contents lost; false when out of memory.
bool data_parquet_buffer_grow(data_parquet_buffer *b, size_t bytes);

typedef struct {
  data_parquet_buffer numbers, blobs, indices; // of the page at hand
  data_parquet_buffer dictionary_numbers, dictionary_blobs, dictionary_bytes;
  int64_t dictionary; // entries; -1: none
} data_parquet_values_state;

// Local, both. Decode n values into numbers or blobs, as the column's type is; blobs point into `p`
// or the dictionary. ORR_EUNSUPPORTED for an encoding that is not read; ORR_EFORMAT sets *fault;
// ORR_ENOMEM. No message is recorded: the caller knows where it is.
orr_code data_parquet_values_decode(data_parquet_values_state *s, const data_parquet_column *c,
                                    int encoding, const uint8_t *p, size_t bytes, int64_t n,
                                    const char **fault);
// The dictionary's bytes are copied.
orr_code data_parquet_values_dictionary(data_parquet_values_state *s, const data_parquet_column *c,
                                        const uint8_t *p, size_t bytes, int64_t n,
                                        const char **fault);
void data_parquet_values_release(data_parquet_values_state *s);

#endif
