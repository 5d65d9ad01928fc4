#include "train/policy/msgpack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { DEPTH = 64 };

// -- writing ----------------------------------------------------------------------------------

static uint8_t *room_for(train_msgpack *m, size_t n) {
  if (m->failed) return NULL;
  if (m->used + n > m->room) {
    const size_t room = 2 * m->room > m->used + n ? 2 * m->room : m->used + n;
    uint8_t *bytes = orr_realloc(m->bytes, room);
    if (!bytes) {
      m->failed = true;
      return NULL;
    }
    m->bytes = bytes;
    m->room = room;
  }
  m->used += n;
  return m->bytes + m->used - n;
}

// A byte that says what follows, and a number of `bytes` bytes, the highest first.
static void put(train_msgpack *m, int type, uint64_t v, int bytes) {
  uint8_t *to = room_for(m, 1 + (size_t)bytes);
  if (!to) return;
  to[0] = (uint8_t)type;
  for (int i = 0; i < bytes; i++) to[1 + i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

static void put_bytes(train_msgpack *m, const void *p, size_t n) {
  uint8_t *to = room_for(m, n);
  if (to && n) memcpy(to, p, n);
}

static void put_bin(train_msgpack *m, const void *p, size_t n) {
  if (n < 256)
    put(m, 0xC4, n, 1);
  else
    put(m, 0xC6, n, 4);
  put_bytes(m, p, n);
}

void train_msgpack_release(train_msgpack *m) {
  orr_free(m->bytes);
  *m = (train_msgpack){0};
}

void train_msgpack_map(train_msgpack *m, uint32_t n) {
  if (n < 16)
    put(m, 0x80 | (int)n, 0, 0);
  else
    put(m, 0xDF, n, 4);
}

void train_msgpack_text(train_msgpack *m, const char *text) {
  const size_t n = strlen(text);
  if (n < 32)
    put(m, 0xA0 | (int)n, 0, 0);
  else
    put(m, 0xDB, n, 4);
  put_bytes(m, text, n);
}

void train_msgpack_whole(train_msgpack *m, int64_t v) {
  if (v >= 0 && v < 128)
    put(m, (int)v, 0, 0);
  else
    put(m, 0xD3, (uint64_t)v, 8);
}

void train_msgpack_array(train_msgpack *m, const char *dtype, const int64_t *shape, int dims,
                         const void *data, size_t bytes) {
  train_msgpack_map(m, 4);
  put_bin(m, "__ndarray__", 11);
  put(m, 0xC3, 0, 0); // true
  put_bin(m, "data", 4);
  put_bin(m, data, bytes);
  put_bin(m, "dtype", 5);
  train_msgpack_text(m, dtype);
  put_bin(m, "shape", 5);
  put(m, 0x90 | dims, 0, 0);
  for (int i = 0; i < dims; i++) train_msgpack_whole(m, shape[i]);
}

// -- reading ----------------------------------------------------------------------------------

static orr_code take(train_msgpack_cursor *c, size_t n, const uint8_t **out) {
  *out = c->at;
  ORR_CHECK((size_t)(c->end - c->at) >= n, ORR_EFORMAT, "MessagePack: the message is cut short");
  c->at += n;
  return ORR_OK;
}

static orr_code take_number(train_msgpack_cursor *c, int bytes, uint64_t *out) {
  const uint8_t *p = NULL;
  ORR_TRY(take(c, (size_t)bytes, &p));
  *out = 0;
  for (int i = 0; i < bytes; i++) *out = *out << 8 | p[i];
  return ORR_OK;
}

// What takes a length of 1 << size bytes and as many of its own.
static orr_code take_sized(train_msgpack_cursor *c, train_msgpack_kind kind, int size, int extra,
                           train_msgpack_item *out) {
  uint64_t n;
  ORR_TRY(take_number(c, 1 << size, &n));
  out->kind = kind;
  out->size = (size_t)n;
  return take(c, (size_t)n + (size_t)extra, &out->bytes);
}

static orr_code take_counted(train_msgpack_cursor *c, train_msgpack_kind kind, int bytes,
                             train_msgpack_item *out) {
  uint64_t n;
  ORR_TRY(take_number(c, bytes, &n));
  out->kind = kind;
  out->count = (uint32_t)n;
  return ORR_OK;
}

static orr_code take_whole(train_msgpack_cursor *c, int size, bool has_sign,
                           train_msgpack_item *out) {
  uint64_t v;
  ORR_TRY(take_number(c, 1 << size, &v));
  const int unused = 64 - (8 << size);
  out->kind = TRAIN_MSGPACK_WHOLE;
  out->whole = has_sign ? (int64_t)(v << unused) >> unused : (int64_t)(v & INT64_MAX);
  return ORR_OK;
}

static orr_code take_real(train_msgpack_cursor *c, int bytes, train_msgpack_item *out) {
  uint64_t v;
  ORR_TRY(take_number(c, bytes, &v));
  out->kind = TRAIN_MSGPACK_REAL;
  if (bytes == 8) {
    memcpy(&out->real, &v, sizeof out->real);
    return ORR_OK;
  }
  const uint32_t bits = (uint32_t)v;
  float f;
  memcpy(&f, &bits, sizeof f);
  out->real = f;
  return ORR_OK;
}

static orr_code take_fixed(train_msgpack_cursor *c, int type, train_msgpack_item *out) {
  if (type < 0x80 || type >= 0xE0) {
    out->kind = TRAIN_MSGPACK_WHOLE;
    out->whole = type < 0x80 ? type : type - 256;
    return ORR_OK;
  }
  if (type < 0xA0) {
    out->kind = type < 0x90 ? TRAIN_MSGPACK_MAP : TRAIN_MSGPACK_LIST;
    out->count = (uint32_t)type & 15;
    return ORR_OK;
  }
  out->kind = TRAIN_MSGPACK_TEXT;
  out->size = (size_t)type & 31;
  return take(c, out->size, &out->bytes);
}

orr_code train_msgpack_next(train_msgpack_cursor *c, train_msgpack_item *out) {
  const uint8_t *p = NULL;
  ORR_TRY(take(c, 1, &p));
  const int type = *p;
  *out = (train_msgpack_item){.kind = TRAIN_MSGPACK_OTHER};
  if (type < 0xC0 || type >= 0xE0) return take_fixed(c, type, out);
  if (type == 0xC0) {
    out->kind = TRAIN_MSGPACK_NIL;
    return ORR_OK;
  }
  if (type == 0xC2 || type == 0xC3) {
    out->kind = TRAIN_MSGPACK_BOOL;
    out->whole = type & 1;
    return ORR_OK;
  }
  if (type >= 0xC4 && type <= 0xC6) return take_sized(c, TRAIN_MSGPACK_BYTES, type - 0xC4, 0, out);
  if (type >= 0xC7 && type <= 0xC9) return take_sized(c, TRAIN_MSGPACK_OTHER, type - 0xC7, 1, out);
  if (type == 0xCA || type == 0xCB) return take_real(c, type == 0xCA ? 4 : 8, out);
  if (type >= 0xCC && type <= 0xCF) return take_whole(c, type - 0xCC, false, out);
  if (type >= 0xD0 && type <= 0xD3) return take_whole(c, type - 0xD0, true, out);
  if (type >= 0xD4 && type <= 0xD8) return take(c, 1 + ((size_t)1 << (type - 0xD4)), &out->bytes);
  if (type >= 0xD9 && type <= 0xDB) return take_sized(c, TRAIN_MSGPACK_TEXT, type - 0xD9, 0, out);
  if (type >= 0xDC && type <= 0xDF)
    return take_counted(c, type < 0xDE ? TRAIN_MSGPACK_LIST : TRAIN_MSGPACK_MAP, type & 1 ? 4 : 2,
                        out);
  return ORR_FAIL(ORR_EFORMAT, "MessagePack: a byte 0x%02X, which means nothing", type);
}

static uint64_t parts_of(const train_msgpack_item *x) {
  return x->kind == TRAIN_MSGPACK_MAP    ? 2 * (uint64_t)x->count
         : x->kind == TRAIN_MSGPACK_LIST ? x->count
                                         : 0;
}

orr_code train_msgpack_skip(train_msgpack_cursor *c) {
  uint64_t left[DEPTH] = {1};
  for (int depth = 0; depth >= 0;) {
    if (left[depth] == 0) {
      depth--;
      continue;
    }
    left[depth]--;
    train_msgpack_item x;
    ORR_TRY(train_msgpack_next(c, &x));
    if (!parts_of(&x)) continue;
    ORR_CHECK(++depth < DEPTH, ORR_EFORMAT, "MessagePack: more than %d levels", (int)DEPTH);
    left[depth] = parts_of(&x);
  }
  return ORR_OK;
}

static bool is_word(const train_msgpack_item *x, const char *word) {
  return (x->kind == TRAIN_MSGPACK_TEXT || x->kind == TRAIN_MSGPACK_BYTES) &&
         x->size == strlen(word) && memcmp(x->bytes, word, x->size) == 0;
}

orr_code train_msgpack_find(train_msgpack_cursor *c, const char *key, bool *found) {
  train_msgpack_item map, x;
  ORR_TRY(train_msgpack_next(c, &map));
  ORR_CHECK(map.kind == TRAIN_MSGPACK_MAP, ORR_EFORMAT, "MessagePack: wanted a map");
  *found = false;
  for (uint32_t i = 0; i < map.count; i++) {
    const train_msgpack_cursor here = *c;
    ORR_TRY(train_msgpack_next(c, &x));
    if ((*found = is_word(&x, key))) return ORR_OK;
    *c = here;
    ORR_TRY(train_msgpack_skip(c)); // the key, which may be anything
    ORR_TRY(train_msgpack_skip(c));
  }
  return ORR_OK;
}

// The value of one key of the array's map.
static orr_code part_of(train_msgpack_cursor c, const char *key, train_msgpack_cursor *at,
                        train_msgpack_item *out) {
  bool found;
  ORR_TRY(train_msgpack_find(&c, key, &found));
  ORR_CHECK(found, ORR_EFORMAT, "MessagePack: an array without \"%s\"", key);
  ORR_TRY(train_msgpack_next(&c, out));
  *at = c;
  return ORR_OK;
}

static size_t element_bytes(const char *dtype) {
  return dtype[0] && dtype[1] && dtype[2] >= '1' && dtype[2] <= '8' && !dtype[3]
             ? (size_t)(dtype[2] - '0')
             : 0;
}

static orr_code read_shape(train_msgpack_cursor at, uint32_t dims, train_msgpack_ndarray *a) {
  uint64_t elements = 1;
  const uint64_t size = element_bytes(a->dtype);
  ORR_CHECK(dims <= 8, ORR_EFORMAT, "MessagePack: an array of %" PRIu32 " dims", dims);
  ORR_CHECK(size > 0, ORR_EFORMAT, "MessagePack: an array of dtype \"%s\": wanted numbers",
            a->dtype);
  for (uint32_t i = 0; i < dims; i++) {
    train_msgpack_item x;
    ORR_TRY(train_msgpack_next(&at, &x));
    const uint64_t most = elements ? a->bytes / elements : INT32_MAX;
    ORR_CHECK(x.kind == TRAIN_MSGPACK_WHOLE && x.whole >= 0 && (uint64_t)x.whole <= most,
              ORR_EFORMAT, "MessagePack: an array whose shape does not fit its data");
    a->shape[i] = x.whole;
    elements *= (uint64_t)x.whole;
  }
  a->dims = (int)dims;
  ORR_CHECK(elements * size == a->bytes, ORR_EFORMAT,
            "MessagePack: an array of %" PRIu64 " elements of %" PRIu64 " bytes has %zu bytes",
            elements, size, a->bytes);
  return ORR_OK;
}

orr_code train_msgpack_read_array(train_msgpack_cursor c, train_msgpack_ndarray *out) {
  train_msgpack_cursor at;
  train_msgpack_item mark, data, dtype, shape;
  *out = (train_msgpack_ndarray){0};
  ORR_TRY(part_of(c, "__ndarray__", &at, &mark));
  ORR_TRY(part_of(c, "data", &at, &data));
  ORR_TRY(part_of(c, "dtype", &at, &dtype));
  ORR_TRY(part_of(c, "shape", &at, &shape));
  ORR_CHECK((data.kind == TRAIN_MSGPACK_BYTES || data.kind == TRAIN_MSGPACK_TEXT) &&
                (dtype.kind == TRAIN_MSGPACK_TEXT || dtype.kind == TRAIN_MSGPACK_BYTES) &&
                shape.kind == TRAIN_MSGPACK_LIST && dtype.size < sizeof out->dtype,
            ORR_EFORMAT, "MessagePack: an array whose parts are no data, dtype and shape");
  memcpy(out->dtype, dtype.bytes, dtype.size);
  out->data = data.bytes;
  out->bytes = data.size;
  return read_shape(at, shape.count, out);
}

// -- elements ---------------------------------------------------------------------------------

orr_code train_msgpack_element(const train_msgpack_ndarray *a, int64_t i, double *out) {
  const size_t size = element_bytes(a->dtype);
  const uint8_t *p = a->data + (size_t)i * size;
  const char order = a->dtype[0], kind = a->dtype[1];
  uint64_t v = 0;
  for (size_t j = 0; j < size; j++) v |= (uint64_t)p[order == '>' ? size - 1 - j : j] << (8 * j);
  const int unused = 64 - 8 * (int)size;
  if (kind == 'f' && size == 8) {
    memcpy(out, &v, sizeof *out);
  } else if (kind == 'f' && size == 4) {
    const uint32_t bits = (uint32_t)v;
    float f;
    memcpy(&f, &bits, sizeof f);
    *out = f;
  } else if (kind == 'i') {
    *out = (double)((int64_t)(v << unused) >> unused);
  } else if (kind == 'u') {
    *out = (double)v;
  } else {
    return ORR_FAIL(ORR_EFORMAT, "an array of dtype \"%s\": wanted \"<f4\" or \"<f8\"", a->dtype);
  }
  return ORR_OK;
}
