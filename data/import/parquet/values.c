#include "data/import/parquet/values.h"

#include <string.h>

#include "base/mem.h"
#include "data/import/parquet/runs.h"

enum { PLAIN = 0, PLAIN_DICTIONARY = 2, RUNS = 3, DICTIONARY = 8, BYTE_STREAM_SPLIT = 9 };

bool data_parquet_buffer_grow(data_parquet_buffer *b, size_t bytes) {
  if (bytes <= b->room && b->p) return true;
  orr_free(b->p);
  b->p = orr_malloc(bytes + 1);
  b->room = b->p ? bytes : 0;
  return b->p != NULL;
}

void data_parquet_values_release(data_parquet_values_state *s) {
  orr_free(s->numbers.p);
  orr_free(s->blobs.p);
  orr_free(s->indices.p);
  orr_free(s->dictionary_numbers.p);
  orr_free(s->dictionary_blobs.p);
  orr_free(s->dictionary_bytes.p);
}

static bool is_bytes(const data_parquet_column *c) {
  return c->type == DATA_PARQUET_BYTE_ARRAY;
}

// Bytes of a number; 0 where it is none.
static size_t width_of(const data_parquet_column *c) {
  switch (c->type) {
  case DATA_PARQUET_INT32:
  case DATA_PARQUET_FLOAT:
    return 4;
  case DATA_PARQUET_INT64:
  case DATA_PARQUET_DOUBLE:
    return 8;
  default:
    return 0;
  }
}

// The number in 4 or 8 bytes, lowest first.
static double number(const data_parquet_column *c, const uint8_t *p) {
  const size_t width = width_of(c);
  uint64_t bits = 0;
  float f;
  double d;
  for (size_t i = 0; i < width; i++) bits |= (uint64_t)p[i] << (8 * i);
  switch (c->type) {
  case DATA_PARQUET_FLOAT: {
    uint32_t low = (uint32_t)bits;
    memcpy(&f, &low, sizeof f);
    return (double)f;
  }
  case DATA_PARQUET_DOUBLE:
    memcpy(&d, &bits, sizeof d);
    return d;
  case DATA_PARQUET_INT32:
    return c->unit * (c->without_sign ? (double)bits : (double)(int32_t)(uint32_t)bits);
  default:
    return c->unit * (c->without_sign ? (double)bits : (double)(int64_t)bits);
  }
}

// -- plain ----------------------------------------------------------------------------------

static const char *plain_numbers(const data_parquet_column *c, const uint8_t *p, size_t bytes,
                                 int64_t n, double *out) {
  const size_t width = width_of(c);
  if (c->type == DATA_PARQUET_BOOLEAN) { // one bit each, lowest first
    if ((uint64_t)n > 8 * (uint64_t)bytes) return "a page ends in its values";
    for (int64_t i = 0; i < n; i++) out[i] = p[i / 8] >> (i % 8) & 1;
    return NULL;
  }
  if ((uint64_t)n > bytes / width) return "a page ends in its values";
  for (int64_t i = 0; i < n; i++) out[i] = number(c, p + (size_t)i * width);
  return NULL;
}

static const char *plain_blobs(const uint8_t *p, size_t bytes, int64_t n, data_parquet_blob *out) {
  for (int64_t i = 0; i < n; i++) {
    if (bytes < 4) return "a page ends in its values";
    size_t length = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    p += 4;
    bytes -= 4;
    if (length > bytes) return "a page ends in its values";
    out[i] = (data_parquet_blob){p, length};
    p += length;
    bytes -= length;
  }
  return NULL;
}

// Byte k of all values, then byte k+1 of all values, ...
static const char *split_numbers(const data_parquet_column *c, const uint8_t *p, size_t bytes,
                                 int64_t n, double *out) {
  const size_t width = width_of(c);
  uint8_t together[8];
  if ((uint64_t)n > bytes / width) return "a page ends in its values";
  for (int64_t i = 0; i < n; i++) {
    for (size_t k = 0; k < width; k++) together[k] = p[k * (size_t)n + (size_t)i];
    out[i] = number(c, together);
  }
  return NULL;
}

// -- dictionary and runs --------------------------------------------------------------------

static const char *look_up(data_parquet_values_state *s, const data_parquet_column *c,
                           const uint8_t *p, size_t bytes, int64_t n) {
  const uint32_t *indices = s->indices.p;
  if (s->dictionary < 0) return "a page wants a dictionary that is not there";
  if (n && (bytes < 1 || !data_parquet_runs(p + 1, bytes - 1, p[0], n, s->indices.p)))
    return "the indices of a page cannot be read";
  for (int64_t i = 0; i < n; i++) {
    if (indices[i] >= (uint64_t)s->dictionary) return "an index goes beyond the dictionary";
    if (is_bytes(c))
      ((data_parquet_blob *)s->blobs.p)[i] =
          ((const data_parquet_blob *)s->dictionary_blobs.p)[indices[i]];
    else
      ((double *)s->numbers.p)[i] = ((const double *)s->dictionary_numbers.p)[indices[i]];
  }
  return NULL;
}

// Booleans as runs, after their length in four bytes.
static const char *run_booleans(data_parquet_values_state *s, const uint8_t *p, size_t bytes,
                                int64_t n) {
  const uint32_t *bits = s->indices.p;
  if (bytes < 4 || !data_parquet_runs(p + 4, bytes - 4, 1, n, s->indices.p))
    return "the booleans of a page cannot be read";
  for (int64_t i = 0; i < n; i++) ((double *)s->numbers.p)[i] = bits[i];
  return NULL;
}

// -- all ------------------------------------------------------------------------------------

static orr_code verdict(const char *found, const char **fault) {
  *fault = found;
  return found ? ORR_EFORMAT : ORR_OK;
}

orr_code data_parquet_values_decode(data_parquet_values_state *s, const data_parquet_column *c,
                                    int encoding, const uint8_t *p, size_t bytes, int64_t n,
                                    const char **fault) {
  size_t values = (size_t)n * (is_bytes(c) ? sizeof(data_parquet_blob) : sizeof(double));
  if (!data_parquet_buffer_grow(is_bytes(c) ? &s->blobs : &s->numbers, values) ||
      !data_parquet_buffer_grow(&s->indices, (size_t)n * sizeof(uint32_t)))
    return ORR_ENOMEM;
  if (encoding == PLAIN)
    return verdict(is_bytes(c) ? plain_blobs(p, bytes, n, s->blobs.p)
                               : plain_numbers(c, p, bytes, n, s->numbers.p),
                   fault);
  if (encoding == PLAIN_DICTIONARY || encoding == DICTIONARY)
    return verdict(look_up(s, c, p, bytes, n), fault);
  if (encoding == RUNS && c->type == DATA_PARQUET_BOOLEAN)
    return verdict(run_booleans(s, p, bytes, n), fault);
  if (encoding == BYTE_STREAM_SPLIT && width_of(c))
    return verdict(split_numbers(c, p, bytes, n, s->numbers.p), fault);
  return ORR_EUNSUPPORTED;
}

orr_code data_parquet_values_dictionary(data_parquet_values_state *s, const data_parquet_column *c,
                                        const uint8_t *p, size_t bytes, int64_t n,
                                        const char **fault) {
  s->dictionary = -1;
  if (!data_parquet_buffer_grow(&s->dictionary_bytes, bytes) ||
      !data_parquet_buffer_grow(is_bytes(c) ? &s->dictionary_blobs : &s->dictionary_numbers,
                                (size_t)n *
                                    (is_bytes(c) ? sizeof(data_parquet_blob) : sizeof(double))))
    return ORR_ENOMEM;
  if (bytes) memcpy(s->dictionary_bytes.p, p, bytes);
  const char *found =
      is_bytes(c) ? plain_blobs(s->dictionary_bytes.p, bytes, n, s->dictionary_blobs.p)
                  : plain_numbers(c, s->dictionary_bytes.p, bytes, n, s->dictionary_numbers.p);
  if (!found) s->dictionary = n;
  return verdict(found, fault);
}
