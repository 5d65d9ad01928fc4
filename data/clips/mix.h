// A weighted mixture of data sets, in a fixed order.
#ifndef DATA_MIX_H
#define DATA_MIX_H

#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"
#include "data/clips/clip_batch.h"
#include "data/shard/read_counter.h"

// An opened mixture: random access by global sample number.
typedef struct data_mix data_mix;
// Local. Opens the folders' indexes and checks them against what is wanted; opens no shard yet.
// ORR_EINVAL names folder, got and wanted; ORR_ENOTFOUND for a folder that is no data set.
orr_code data_mix_open(const data_mix_options *o, uint64_t seed, data_mix **out);
void data_mix_close(data_mix *m);           // takes NULL
uint64_t data_mix_clips(const data_mix *m); // clips in one epoch over all data sets
int64_t data_mix_state_width(const data_mix *m);
// Local. XXH3-128 over the indexes of all data sets, to compare what ranks opened. ORR_ENOMEM.
orr_code data_mix_hash(const data_mix *m, orr_hash128 *out);
// Local. From here on `watch` is told of every range of a shard that a read takes beside HDF5, by
// the thread that reads; NULL ends it. Before any read, or between two of them.
void data_mix_watch(data_mix *m, data_read_watch watch, void *ctx);
// Local. Fills clip `row` of `batch` with global sample g: (epoch, position) -> keyed permutation
// -> place.
orr_code data_mix_read(data_mix *m, uint64_t g, data_clip_batch *batch, int64_t row);
// Local; any thread. "DIR/shard-00003.h5: episode 7: /actions[120,2] is nan" for the first clip of
// a batch that has such actions; "" when none has.
void data_mix_tell_bad(const data_mix *m, const data_clip_batch *batch, char *out, size_t size);
// Local. Clip number `clip` (0-based, in file order) of data set `set`, without shuffling: for
// evaluation. Where T is the length of every episode, clip numbers are episode numbers. ORR_EINVAL
// past the last clip.
orr_code data_mix_read_clip(data_mix *m, int set, uint64_t clip, data_clip_batch *batch,
                            int64_t row);

#endif
