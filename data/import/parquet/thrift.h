// Reads Thrift's compact protocol, in which Parquet keeps its footer and the headers of its pages.
// A cursor over bytes that may be damaged: reading past the end or a number that cannot be sets
// `bad`, and from then on everything reads as zero, so a caller checks once, at the end.
// Source: apache/thrift, doc/specs/thrift-compact-protocol.md.
#ifndef DATA_IMPORT_PARQUET_THRIFT_H
#define DATA_IMPORT_PARQUET_THRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Types of fields, as they are written.
enum {
  DATA_THRIFT_TRUE = 1,
  DATA_THRIFT_FALSE = 2,
  DATA_THRIFT_LIST = 9,
  DATA_THRIFT_STRUCT = 12,
};

typedef struct {
  const uint8_t *at, *end;
  bool bad;
} data_thrift;

// Goes through the fields of one struct; starts as {0}.
typedef struct {
  int id, type;
} data_thrift_field;

// Local, all. The next field of a struct; false at its end.
bool data_thrift_next(data_thrift *t, data_thrift_field *f);
// A whole number of any width.
int64_t data_thrift_int(data_thrift *t);
// A string's bytes, which stay in the cursor's memory.
const uint8_t *data_thrift_bytes(data_thrift *t, size_t *bytes);
// Begins a list; returns how many elements of *type follow, never more than there are bytes.
int64_t data_thrift_list(data_thrift *t, int *type);
// Passes over a value of this type.
void data_thrift_skip(data_thrift *t, int type);

#endif
