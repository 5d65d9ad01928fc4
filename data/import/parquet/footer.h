// The footer of a Parquet file: its columns, and where their pages lie. Private to this folder.
#ifndef DATA_IMPORT_PARQUET_FOOTER_H
#define DATA_IMPORT_PARQUET_FOOTER_H

#include "data/import/parquet/parquet.h"

// Physical types, as parquet.thrift numbers them.
enum {
  DATA_PARQUET_BOOLEAN,
  DATA_PARQUET_INT32,
  DATA_PARQUET_INT64,
  DATA_PARQUET_INT96,
  DATA_PARQUET_FLOAT,
  DATA_PARQUET_DOUBLE,
  DATA_PARQUET_BYTE_ARRAY,
  DATA_PARQUET_FIXED_BYTES,
};

typedef struct {
  char *name;
  int type;
  bool without_sign;
  bool decimal;    // numbers with a scale of their own: not read
  double unit;     // of time stamps in seconds; 1 for everything else
  int defined;     // definition level of a value that is there
  int repeated;    // repetition levels: how deep lists lie in each other
  int list_exists; // definition level from which on a list's element is there, though it be null
} data_parquet_column;

// The pages of one column in one row group: a dictionary, where there is one, then the rows.
typedef struct {
  int codec;
  int64_t first, bytes; // in the file
  int64_t values;       // with nulls and empty lists
} data_parquet_chunk;

typedef struct {
  int64_t rows;
  data_parquet_chunk *chunks; // [columns]
} data_parquet_group;

struct data_parquet {
  char *path;
  int fd;
  uint64_t bytes;
  int64_t rows;
  int column_count;
  data_parquet_column *columns;
  int64_t group_count;
  data_parquet_group *groups;
};

// Local. Reads the footer of p->fd into the rest of *p, which the caller releases either way.
orr_code data_parquet_footer_read(data_parquet *p);
void data_parquet_footer_release(data_parquet *p);

#endif
