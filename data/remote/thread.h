// The thread that fetches: picks the shards that are needed next, moves their fetches on, and tells
// those who wait. Fetches belong to this thread alone; what others see of a shard changes under the
// lock. Private to data/remote/.
#ifndef DATA_REMOTE_THREAD_H
#define DATA_REMOTE_THREAD_H

#include "data/remote/state.h"

// A thread's function. ctx: data_remote, whose env is set.
void *data_remote_work(void *ctx);

#endif
