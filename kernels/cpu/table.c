// The op table of one instruction set.
#include "kernels/cpu/cpu.h"

const kern_table CPU_FN(cpu_table) = {
    .name = "cpu",
#define TABLE_SLOT(op) .op = CPU_FN(op),
    KERN_OPS(TABLE_SLOT)
#undef TABLE_SLOT
        .destroy = cpu_destroy,
};
