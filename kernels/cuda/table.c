#include "kernels/cuda/table.h"

const kern_table cuda_table = {
    .name = "cuda",
#define TABLE_SLOT(op) .op = cuda_##op,
    KERN_OPS(TABLE_SLOT)
#undef TABLE_SLOT
        .packed_bytes = cuda_packed_bytes,
    .alloc = cuda_alloc,
    .free = cuda_free,
    .sync = cuda_sync,
    .mark = cuda_mark,
    .await = cuda_await,
    .elapsed = cuda_elapsed,
    .capture_begin = cuda_capture_begin,
    .capture_end = cuda_capture_end,
    .replay = cuda_replay,
    .graph_free = cuda_graph_free,
    .stream = cuda_stream,
    .destroy = cuda_destroy,
};
