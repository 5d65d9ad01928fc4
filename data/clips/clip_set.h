// One data set as a list of clips: T frames at a stride, starting at every frame of an episode that
// has room. Keeps a few shards open. Not thread safe.
#ifndef DATA_CLIP_SET_H
#define DATA_CLIP_SET_H

#include <stdint.h>

#include "base/faults.h"
#include "base/status.h"
#include "data/clips/clip_batch.h"
#include "data/set/index.h"
#include "data/clips/order.h"

typedef struct data_clip_set data_clip_set;
typedef struct data_clip_read data_clip_read;     // data/clips/clip_read.h
typedef struct data_clip_source data_clip_source; // data/clips/clip_read.h

// Local. All that keeps a data set from giving the clips that `o` wants, into the list. ORR_ENOMEM.
orr_code data_clip_set_check(const data_index *x, const data_mix_options *o, orr_faults *f);
// Local. Opens the folder and checks it against what `o` wants; opens no shard. `o` is copied but
// for its lists. ORR_EINVAL names folder, got and wanted; ORR_ENOTFOUND without index.json.
orr_code data_clip_set_open(const char *dir, const data_mix_options *o, data_clip_set **out);
void data_clip_set_close(data_clip_set *s); // takes NULL
const data_index *data_clip_set_index(const data_clip_set *s);
// Local. Clips of each shard [index->count]; borrowed.
const uint64_t *data_clip_set_counts(const data_clip_set *s);
uint64_t data_clip_set_clips(const data_clip_set *s);
// Local. Where clip number `clip`, counted through the shards in order, lies.
data_place data_clip_set_find(const data_clip_set *s, uint64_t clip);
// Local. Begins to read a clip into row `row` of the batch; data_clip_read_finish(r) ends it.
// `from`: its cache and watch are the caller's, the rest is set here. Chunks are known to one cache
// only.
orr_code data_clip_set_begin(data_clip_set *s, data_place at, data_clip_source *from,
                             data_clip_read *r, data_clip_batch *batch, int64_t row);

#endif
