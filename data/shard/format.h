// Copies and comparisons of a data_shard_format, for the reader, the writer and the index.
// Private to data/.
#ifndef DATA_SHARD_FORMAT_H
#define DATA_SHARD_FORMAT_H

#include "base/status.h"
#include "data/shard/shard.h"

#define DATA_SHARD_VERSION 1
// Limits that no real data set meets, so that sizes multiply without overflow.
#define DATA_SHARD_SIDE_MAX   65536
#define DATA_SHARD_WIDTH_MAX  1048576 // actions, state components, tokens a frame
#define DATA_SHARD_CODES_MAX  2147483647
#define DATA_SHARD_FRAMES_MAX (INT64_C(1) << 40)

// Local. Deep copy into one block; orr_free(*out) frees it all. ORR_ENOMEM.
orr_code data_shard_format_copy(const data_shard_format *f, data_shard_format **out);
// Local. ORR_EINVAL naming `what` unless every member is present and in range.
orr_code data_shard_format_check(const data_shard_format *f, const char *what);
// Local. ORR_EINVAL naming the first member in which `b` (of `b_name`) differs from `a`. The
// source may differ.
orr_code data_shard_format_equal(const data_shard_format *a, const char *a_name,
                                 const data_shard_format *b, const char *b_name);

#endif
