#include "data/import/parquet/codec.h"

#include <snappy-c.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum {
  CODEC_NONE,
  CODEC_SNAPPY,
  CODEC_GZIP,
  CODEC_LZO,
  CODEC_BROTLI,
  CODEC_LZ4,
  CODEC_ZSTD,
  CODEC_LZ4_RAW
};

static bool unpack_snappy(const uint8_t *p, size_t bytes, uint8_t *out, size_t out_bytes) {
  size_t length = 0;
  if (snappy_uncompressed_length((const char *)p, bytes, &length) != SNAPPY_OK ||
      length != out_bytes)
    return false;
  return snappy_uncompress((const char *)p, bytes, (char *)out, &length) == SNAPPY_OK &&
         length == out_bytes;
}

static bool unpack_gzip(const uint8_t *p, size_t bytes, uint8_t *out, size_t out_bytes) {
  z_stream z = {.next_in = (uint8_t *)(uintptr_t)p,
                .avail_in = (uInt)bytes,
                .next_out = out,
                .avail_out = (uInt)out_bytes};
  if (bytes > UINT32_MAX || out_bytes > UINT32_MAX) return false;
  if (inflateInit2(&z, 15 + 32) != Z_OK) return false; // gzip or zlib, as the header says
  int end = inflate(&z, Z_FINISH);
  inflateEnd(&z);
  return end == Z_STREAM_END && z.total_out == out_bytes;
}

static bool unpack_zstd(const uint8_t *p, size_t bytes, uint8_t *out, size_t out_bytes) {
  size_t got = ZSTD_decompress(out, out_bytes, p, bytes);
  return !ZSTD_isError(got) && got == out_bytes;
}

static bool copy(const uint8_t *p, size_t bytes, uint8_t *out, size_t out_bytes) {
  if (bytes != out_bytes) return false;
  if (bytes) memcpy(out, p, bytes);
  return true;
}

orr_code data_parquet_unpack(int codec, const char *what, const uint8_t *p, size_t bytes,
                             uint8_t *out, size_t out_bytes) {
  static const struct {
    const char *name;
    bool (*unpack)(const uint8_t *p, size_t bytes, uint8_t *out, size_t out_bytes);
  } codecs[] = {
      [CODEC_NONE] = {"none", copy},        [CODEC_SNAPPY] = {"snappy", unpack_snappy},
      [CODEC_GZIP] = {"gzip", unpack_gzip}, [CODEC_LZO] = {"lzo", NULL},
      [CODEC_BROTLI] = {"brotli", NULL},    [CODEC_LZ4] = {"lz4", NULL},
      [CODEC_ZSTD] = {"zstd", unpack_zstd}, [CODEC_LZ4_RAW] = {"lz4_raw", NULL},
  };
  const int n = sizeof codecs / sizeof *codecs;
  bool known = codec >= 0 && codec < n;
  ORR_CHECK(known && codecs[codec].unpack, ORR_EUNSUPPORTED,
            "%s: packed with %s (codec %d), which is not read here; write it with snappy, zstd, "
            "gzip or none",
            what, known ? codecs[codec].name : "an unknown codec", codec);
  ORR_CHECK(codecs[codec].unpack(p, bytes, out, out_bytes), ORR_EFORMAT,
            "%s: %zu bytes of %s do not unpack to %zu; the file is damaged, copy or write it again",
            what, bytes, codecs[codec].name, out_bytes);
  return ORR_OK;
}
