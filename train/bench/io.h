// `orrery bench io`: clips a second as training gets them, from raw, gzip, lzf and token shards,
// beside plain pread of the same bytes in the same run.
#ifndef TRAIN_BENCH_IO_H
#define TRAIN_BENCH_IO_H

#include "base/status.h"

// Local. Makes its own data sets in a temporary folder, or measures the one that --data names.
// argv[0] is the command's own word. The last line on stdout is one JSON object. ORR_ECONFIG for
// bad usage.
orr_code train_cmd_bench_io(int argc, char **argv);

#endif
