// Packed pages of Parquet files: none, Snappy, gzip, Zstandard.
#ifndef DATA_IMPORT_PARQUET_CODEC_H
#define DATA_IMPORT_PARQUET_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Local. Unpacks exactly out_bytes. `codec` is a CompressionCodec of parquet.thrift; `what` begins
// the messages. ORR_EUNSUPPORTED names another codec, ORR_EFORMAT bytes that do not unpack.
orr_code data_parquet_unpack(int codec, const char *what, const uint8_t *p, size_t bytes,
                             uint8_t *out, size_t out_bytes);

#endif
