// Writes one shard (data/shard/shard.h) as a stream of frames. Frames may come in portions of any
// size: equal frames give equal bytes in the file. The file appears under its name only when it is
// complete: temporary name, fsync, rename, fsync of the folder. Several processes may write
// distinct shards of one folder; then one of them calls data_index_build (data/set/index.h).
//
//   data_shard_writer_create(path, &format, DATA_FILTER_NONE, &w)
//   for each episode:
//     data_shard_writer_append(w, &rows)      once or more
//     data_shard_writer_end_episode(w)
//   data_shard_writer_finish(w)
//   data_shard_writer_destroy(w)              also after any failure
#ifndef DATA_SHARD_WRITER_H
#define DATA_SHARD_WRITER_H

#include <stdint.h>

#include "base/status.h"
#include "data/shard/shard.h"

typedef enum { DATA_FILTER_NONE, DATA_FILTER_GZIP, DATA_FILTER_LZF } data_filter;

// n consecutive frames of one episode. A member is NULL exactly where the format has no such
// dataset.
typedef struct {
  int64_t n;
  const uint8_t *frames; // [n,height,width,3]
  const int32_t *tokens; // [n,S]
  const float *actions;  // [n,A]; the row of an episode's last frame leads nowhere and is not used
  const float *state;    // [n,Q]
  const float *reward;   // [n]
  const uint8_t *done;   // [n], 0 or 1
} data_shard_rows;

typedef struct data_shard_writer data_shard_writer;

// Local. The format is copied. ORR_EINVAL for a format that cannot be, ORR_EIO, ORR_ENOMEM.
orr_code data_shard_writer_create(const char *path, const data_shard_format *format,
                                  data_filter filter, data_shard_writer **out);
// Local. ORR_EINVAL for a token outside [0, codes) or a number that is not finite.
orr_code data_shard_writer_append(data_shard_writer *w, const data_shard_rows *rows);
// Local. Whether the episode being written reached its goal, 0 or 1: once for each of them, where
// the format has /success.
orr_code data_shard_writer_set_success(data_shard_writer *w, uint8_t success);
// Local. ORR_EINVAL when no frame came since the last episode ended.
orr_code data_shard_writer_end_episode(data_shard_writer *w);
// Local. Makes the file appear. After a failure nothing appears and an older file of the same
// name is untouched.
orr_code data_shard_writer_finish(data_shard_writer *w);
// Local. Removes the temporary file when the shard was not finished. Takes NULL.
void data_shard_writer_destroy(data_shard_writer *w);

#endif
