// The op table of one instruction set.
#include "kernels/cpu/cpu.h"

const kern_table CPU_FN(cpu_table) = {
    .name = "cpu",
#define TABLE_SLOT(op) .op = CPU_FN(op),
    KERN_OPS(TABLE_SLOT)
#undef TABLE_SLOT
        .packed_bytes = CPU_FN(cpu_packed_bytes),
    .alloc = cpu_alloc,
    .free = cpu_free,
    .sync = cpu_sync,
    .mark = cpu_mark,
    .await = cpu_await,
    .elapsed = cpu_elapsed,
    .capture_begin = cpu_capture_begin,
    .capture_end = cpu_capture_end,
    .replay = cpu_replay,
    .graph_free = cpu_graph_free,
    .stream = cpu_stream,
    .destroy = cpu_destroy,
};
