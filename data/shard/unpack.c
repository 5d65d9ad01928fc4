#include "data/shard/unpack.h"

#include <string.h>
#include <zlib.h>

#include "data/shard/lzf.h"

bool data_unpack_from(hid_t create, data_unpack *out) {
  int filters = H5Pget_nfilters(create);
  *out = (data_unpack){.count = filters};
  if (filters < 0 || filters > DATA_UNPACK_STEPS) return false;
  for (int i = 0; i < filters; i++) {
    unsigned flags, config;
    size_t values = 0;
    switch (H5Pget_filter2(create, (unsigned)i, &flags, &values, NULL, 0, NULL, &config)) {
    case H5Z_FILTER_DEFLATE:
      out->step[i] = DATA_UNPACK_GZIP;
      break;
    case H5Z_FILTER_SHUFFLE:
      out->step[i] = DATA_UNPACK_SHUFFLE;
      break;
    case DATA_LZF_FILTER:
      out->step[i] = DATA_UNPACK_LZF;
      break;
    default:
      return false;
    }
  }
  return true;
}

static const char *gunzip(const unsigned char *in, size_t bytes, unsigned char *out, size_t room,
                          size_t *made) {
  uLongf n = room;
  int rc = uncompress(out, &n, in, bytes);
  *made = n;
  if (rc == Z_OK) return NULL;
  if (rc == Z_MEM_ERROR) return "gzip: out of memory";
  return rc == Z_BUF_ERROR ? "gzip: more bytes than a chunk holds, or it ends too soon"
                           : "gzip: no valid stream";
}

// The writer gathered the first bytes of all elements, then the second ones, and so on.
static void unshuffle(const unsigned char *in, size_t bytes, size_t element, unsigned char *out) {
  size_t n = bytes / element;
  for (size_t b = 0; b < element; b++) {
    for (size_t i = 0; i < n; i++) out[i * element + b] = in[b * n + i];
  }
  memcpy(out + n * element, in + n * element, bytes - n * element);
}

static const char *undo(const data_unpack *u, data_unpack_kind kind, const unsigned char *in,
                        size_t bytes, unsigned char *out, size_t *made) {
  switch (kind) {
  case DATA_UNPACK_GZIP:
    return gunzip(in, bytes, out, u->bytes, made);
  case DATA_UNPACK_LZF:
    *made = data_lzf_unpack(in, bytes, out, u->bytes);
    return *made ? NULL : "lzf: no valid stream, or more bytes than a chunk holds";
  case DATA_UNPACK_SHUFFLE:
    *made = bytes;
    if (bytes > u->bytes) return "shuffle: more bytes than a chunk holds";
    unshuffle(in, bytes, u->element, out);
    return NULL;
  }
  return "an unknown filter";
}

const char *data_unpack_run(const data_unpack *u, uint32_t skipped, const unsigned char *packed,
                            size_t packed_bytes, unsigned char *out, unsigned char *spare) {
  const unsigned char *in = packed;
  size_t bytes = packed_bytes;
  int left = 0; // steps to undo: the last of them has to end in `out`
  for (int i = 0; i < u->count; i++) left += (skipped >> i & 1) == 0;
  for (int i = u->count - 1; i >= 0; i--) {
    if (skipped >> i & 1) continue;
    unsigned char *to = --left % 2 == 0 ? out : spare;
    const char *reason = undo(u, u->step[i], in, bytes, to, &bytes);
    if (reason) return reason;
    in = to;
  }
  if (bytes != u->bytes) return "it unpacks to another size than a chunk's";
  if (in != out) memcpy(out, in, bytes);
  return NULL;
}
