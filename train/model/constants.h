// Tables: constants that the host works out once and that ops read from device memory.
#ifndef TRAIN_TABLE_H
#define TRAIN_TABLE_H

#include <stddef.h>

#include "base/arena.h"
#include "kernels/kern.h"

// Local. Takes room for `bytes` from the arena; *device (=) its address. Once the arena is
// committed also starts the copy from `host`, which must stay as it is. ORR_EINVAL when that meets
// a kern that is still planning.
orr_code train_constants_place(kern *k, orr_arena *arena, const void *host, size_t bytes,
                               void **device);

#endif
