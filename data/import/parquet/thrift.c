#include "data/import/parquet/thrift.h"

#define DEPTH_MAX                                                                                  \
  32 // of structs and lists inside each other: a damaged file must not use up the stack

enum {
  TYPE_BYTE = 3,
  TYPE_I16,
  TYPE_I32,
  TYPE_I64,
  TYPE_DOUBLE,
  TYPE_BINARY,
  TYPE_SET = 10,
  TYPE_MAP
};

static uint8_t read_byte(data_thrift *t) {
  if (t->bad || t->at == t->end) {
    t->bad = true;
    return 0;
  }
  return *t->at++;
}

static uint64_t read_varint(data_thrift *t) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t byte = read_byte(t);
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return t->bad ? 0 : value;
  }
  t->bad = true;
  return 0;
}

int64_t data_thrift_int(data_thrift *t) {
  uint64_t v = read_varint(t);
  return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); // zigzag: 0, -1, 1, -2, ...
}

bool data_thrift_next(data_thrift *t, data_thrift_field *f) {
  uint8_t head = read_byte(t);
  if (t->bad || !head) return false;
  int step = head >> 4;
  int64_t id = step ? f->id + step : data_thrift_int(t);
  if (id < 0 || id > INT16_MAX) t->bad = true;
  f->id = (int)id;
  f->type = head & 15;
  return !t->bad;
}

const uint8_t *data_thrift_bytes(data_thrift *t, size_t *bytes) {
  uint64_t n = read_varint(t);
  const uint8_t *at = t->at;
  if (t->bad || n > (uint64_t)(t->end - t->at)) {
    t->bad = true;
    n = 0;
  }
  t->at += n;
  *bytes = (size_t)n;
  return at;
}

int64_t data_thrift_list(data_thrift *t, int *type) {
  uint8_t head = read_byte(t);
  uint64_t n = head >> 4 == 15 ? read_varint(t) : head >> 4;
  *type = head & 15;
  if (n > (uint64_t)(t->end - t->at)) t->bad = true; // an element has a byte at least
  return t->bad ? 0 : (int64_t)n;
}

static void skip(data_thrift *t, int type, int depth);

static void skip_map(data_thrift *t, int depth) {
  uint64_t n = read_varint(t);
  uint8_t types = n ? read_byte(t) : 0;
  for (; n && !t->bad; n--) {
    skip(t, types >> 4, depth);
    skip(t, types & 15, depth);
  }
}

static void skip_struct(data_thrift *t, int depth) {
  data_thrift_field f = {0};
  // true and false are in the field's type and have no bytes of their own
  while (data_thrift_next(t, &f))
    if (f.type != DATA_THRIFT_TRUE && f.type != DATA_THRIFT_FALSE) skip(t, f.type, depth);
}

static void skip(data_thrift *t, int type, int depth) {
  size_t bytes;
  if (depth == DEPTH_MAX) t->bad = true;
  if (t->bad) return;
  switch (type) {
  case DATA_THRIFT_TRUE: // inside a list
  case DATA_THRIFT_FALSE:
  case TYPE_BYTE:
    read_byte(t);
    return;
  case TYPE_I16:
  case TYPE_I32:
  case TYPE_I64:
    read_varint(t);
    return;
  case TYPE_DOUBLE:
    for (int i = 0; i < 8; i++) read_byte(t);
    return;
  case TYPE_BINARY:
    data_thrift_bytes(t, &bytes);
    return;
  case DATA_THRIFT_LIST:
  case TYPE_SET:
    for (int64_t n = data_thrift_list(t, &type); n > 0 && !t->bad; n--) skip(t, type, depth + 1);
    return;
  case TYPE_MAP:
    skip_map(t, depth + 1);
    return;
  case DATA_THRIFT_STRUCT:
    skip_struct(t, depth + 1);
    return;
  default:
    t->bad = true;
  }
}

void data_thrift_skip(data_thrift *t, int type) {
  if (type == DATA_THRIFT_TRUE || type == DATA_THRIFT_FALSE) return; // as a field: no bytes
  skip(t, type, 0);
}
