#include "data/import/parquet/runs.h"

typedef struct {
  const uint8_t *at, *end;
  int width;
} runs;

static bool read_header(runs *r, uint64_t *header) {
  *header = 0;
  for (int shift = 0; shift < 63 && r->at < r->end; shift += 7) {
    uint8_t byte = *r->at++;
    *header |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return true;
  }
  return false;
}

// One number, `count` times; it has as many whole bytes as its bits need.
static bool repeat(runs *r, int64_t count, uint32_t *out) {
  int bytes = (r->width + 7) / 8;
  uint64_t value = 0;
  if (r->end - r->at < bytes) return false;
  for (int i = 0; i < bytes; i++) value |= (uint64_t)*r->at++ << (8 * i);
  if (value >> r->width) return false;
  for (int64_t i = 0; i < count; i++) out[i] = (uint32_t)value;
  return true;
}

// Groups of eight numbers, lowest bit first; `count` of them are wanted.
static bool unpack(runs *r, uint64_t groups, int64_t count, uint32_t *out) {
  uint64_t bits = 0, mask = (UINT64_C(1) << r->width) - 1;
  int have = 0;
  if (r->width && groups > (uint64_t)(r->end - r->at) / (uint64_t)r->width) return false;
  const uint8_t *at = r->at;
  for (int64_t i = 0; i < count; i++) {
    for (; have < r->width; have += 8) bits |= (uint64_t)*at++ << have;
    out[i] = (uint32_t)(bits & mask);
    bits >>= r->width;
    have -= r->width;
  }
  r->at += groups * (uint64_t)r->width;
  return true;
}

bool data_parquet_runs(const uint8_t *p, size_t bytes, int width, int64_t n, uint32_t *out) {
  runs r = {p, p + bytes, width};
  if (width < 0 || width > 32) return false;
  for (int64_t at = 0; at < n;) {
    uint64_t header;
    if (!read_header(&r, &header) || header < 2) return false;
    bool packed = header & 1;
    uint64_t run = header >> 1; // groups of eight, or repetitions
    int64_t left = n - at, count = left;
    if (run < (uint64_t)left && (!packed || run * 8 < (uint64_t)left))
      count = (int64_t)(packed ? run * 8 : run);
    if (!(packed ? unpack(&r, run, count, out + at) : repeat(&r, count, out + at))) return false;
    at += count;
  }
  return true;
}
