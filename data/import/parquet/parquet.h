// Reads Apache Parquet files, as LeRobot, pandas and pyarrow write them: tables stored column by
// column. Columns of numbers come as rows of doubles, columns of bytes (pictures, words) one value
// at a time.
//
// What is read: BOOLEAN, INT32, INT64, FLOAT, DOUBLE and byte arrays; lists of them to any depth,
// which come flattened; pages of version 1 and 2; plain, dictionary, run-length and
// byte-stream-split encodings; packed with Snappy, gzip, Zstandard or not at all. Everything else
// is refused by its name. Nothing in a file is trusted: damage gives ORR_EFORMAT. Source:
// apache/parquet-format (README.md, Encodings.md, parquet.thrift).
//
// Why a reader of its own: Debian 12 packages no Parquet library, and what is needed of the format
// to read a table of actions is small.
#ifndef DATA_IMPORT_PARQUET_H
#define DATA_IMPORT_PARQUET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// One thread at a time.
typedef struct data_parquet data_parquet;

// Local. Reads a file's footer. ORR_ENOTFOUND, ORR_EFORMAT, ORR_EUNSUPPORTED (encrypted). The
// caller closes it.
orr_code data_parquet_open(const char *path, data_parquet **out);
// Local. Takes NULL.
void data_parquet_close(data_parquet *p);
int64_t data_parquet_rows(const data_parquet *p);

// Local. Columns, in the file's order. A list has the name of its column; a member of a struct is
// called "struct.member". Names are the file's own until it is closed.
int data_parquet_columns(const data_parquet *p);
const char *data_parquet_name(const data_parquet *p, int column);
// Local. Number of the column of this name, -1 without one.
int data_parquet_find(const data_parquet *p, const char *name);
bool data_parquet_is_numbers(const data_parquet *p, int column);
bool data_parquet_is_bytes(const data_parquet *p, int column);

typedef struct {
  int64_t rows, width; // numbers a row: the same in all of them
  bool list;           // rows are lists
  double *v;           // [rows,width] from orr_malloc; a null is NaN; time stamps are in seconds
} data_parquet_numbers;
// Local. Reads rows first .. first+rows-1 of a column of numbers; the caller frees out->v.
// ORR_EFORMAT for rows of different width (the row is named), damage, and a column of something
// else.
orr_code data_parquet_read(data_parquet *p, int column, int64_t first, int64_t rows,
                           data_parquet_numbers *out);

// Values of a column of bytes, one a row, in order.
typedef struct data_parquet_values data_parquet_values;
// Local. The file must outlive them. The caller closes them.
orr_code data_parquet_values_open(data_parquet *p, int column, data_parquet_values **out);
void data_parquet_values_close(data_parquet_values *v);
// Local. The value of row `row`, which must not lie before the last one asked for; *bytes stays
// valid until the next call; NULL and 0 for a null.
orr_code data_parquet_values_get(data_parquet_values *v, int64_t row, const uint8_t **bytes,
                                 size_t *size);

#endif
