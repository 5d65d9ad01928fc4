#include "data/import/parquet/header.h"

#include "data/import/parquet/thrift.h"

// Bounds that no writer meets, so that a damaged file cannot ask for all memory.
#define PAGE_BYTES_MAX ((int64_t)1 << 30)
#define ENTRIES_MAX    ((int64_t)1 << 26)

enum { TYPE_DATA, TYPE_INDEX, TYPE_DICTIONARY, TYPE_DATA_2 }; // PageType of parquet.thrift

static bool fits(int64_t v, int64_t most) {
  return v >= 0 && v <= most;
}

// DataPageHeader and DictionaryPageHeader begin alike: number of values, encoding.
static bool read_first(data_thrift *t, data_parquet_header *h) {
  data_thrift_field f = {0};
  while (data_thrift_next(t, &f)) {
    if (f.id == 1)
      h->entries = data_thrift_int(t);
    else if (f.id == 2)
      h->encoding = (int)data_thrift_int(t);
    else
      data_thrift_skip(t, f.type);
  }
  return fits(h->entries, ENTRIES_MAX);
}

static bool read_second(data_thrift *t, data_parquet_header *h) {
  data_thrift_field f = {0};
  int64_t repeated = 0, defined = 0;
  while (data_thrift_next(t, &f)) {
    switch (f.id) {
    case 1:
      h->entries = data_thrift_int(t);
      break;
    case 4:
      h->encoding = (int)data_thrift_int(t);
      break;
    case 5:
      defined = data_thrift_int(t);
      break;
    case 6:
      repeated = data_thrift_int(t);
      break;
    case 7:
      h->is_packed = f.type != DATA_THRIFT_FALSE;
      break;
    default:
      data_thrift_skip(t, f.type);
    }
  }
  h->version = 2;
  h->defined_bytes = (size_t)defined;
  h->repeated_bytes = (size_t)repeated;
  return fits(h->entries, ENTRIES_MAX) && fits(defined, PAGE_BYTES_MAX) &&
         fits(repeated, PAGE_BYTES_MAX);
}

bool data_parquet_header_read(const uint8_t *p, size_t bytes, data_parquet_header *out) {
  data_thrift t = {.at = p, .end = p + bytes};
  data_thrift_field f = {0};
  int64_t type = -1, packed = -1, unpacked = -1;
  bool good = true, described = false;
  *out = (data_parquet_header){.kind = DATA_PARQUET_PAGE_OTHER, .version = 1, .is_packed = true};
  while (data_thrift_next(&t, &f)) {
    if (f.id == 1) {
      type = data_thrift_int(&t);
    } else if (f.id == 2) {
      unpacked = data_thrift_int(&t);
    } else if (f.id == 3) {
      packed = data_thrift_int(&t);
    } else if (f.id == 4) {
      out->crc = (uint32_t)data_thrift_int(&t);
      out->has_crc = true;
    } else if (f.type == DATA_THRIFT_STRUCT && (f.id == 5 || f.id == 7 || f.id == 8)) {
      good &= f.id == 8 ? read_second(&t, out) : read_first(&t, out);
      described = true;
    } else {
      data_thrift_skip(&t, f.type);
    }
  }
  if (type == TYPE_DATA || type == TYPE_DATA_2) out->kind = DATA_PARQUET_PAGE_DATA;
  if (type == TYPE_DICTIONARY) out->kind = DATA_PARQUET_PAGE_DICTIONARY;
  out->length = (size_t)(t.at - p);
  out->packed = (size_t)packed;
  out->unpacked = (size_t)unpacked;
  return !t.bad && good && fits(packed, PAGE_BYTES_MAX) && fits(unpacked, PAGE_BYTES_MAX) &&
         (described || out->kind == DATA_PARQUET_PAGE_OTHER);
}
