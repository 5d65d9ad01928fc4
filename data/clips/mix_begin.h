// Reading from a mixture in two halves, for the loader (data/clips/mix.h has the rest). Private to
// data/.
#ifndef DATA_MIX_BEGIN_H
#define DATA_MIX_BEGIN_H

#include <stdint.h>

#include "base/status.h"
#include "data/clips/chunk_cache.h"
#include "data/clips/clip_batch.h"
#include "data/clips/clip_read.h"
#include "data/clips/mix.h"

// Local. The first half of data_mix_read: data_clip_read_finish(r) is the second, in any thread.
orr_code data_mix_begin(data_mix *m, uint64_t g, data_clip_read *r, data_clip_batch *batch,
                        int64_t row);
// Local; any thread. Of packed chunks, since the mixture was opened.
data_chunk_counters data_mix_chunks(const data_mix *m);

#endif
