// Data sets for `orrery bench io`: textured squares that move over a textured ground, with noise in
// the lowest bit, so that gzip and lzf meet about what they meet in a simulator's pictures.
#ifndef TRAIN_BENCH_IO_SET_H
#define TRAIN_BENCH_IO_SET_H

#include <stdint.h>

#include "base/status.h"
#include "data/shard/writer.h"

enum { TRAIN_BENCH_IO_SHARDS = 8, TRAIN_BENCH_IO_EPISODE = 128, TRAIN_BENCH_IO_CODES = 1000 };

typedef struct {
  int64_t frames; // over all shards, rounded down to whole episodes in each
  int64_t side;   // of a frame, pixels; 0 = no frames
  int64_t S;      // tokens a frame; 0 = no tokens
  data_filter filter;
} train_bench_io_set;

// Local. Writes a data set into the folder `dir`, which it makes. ORR_EIO, ORR_ENOMEM.
orr_code train_bench_io_write(const char *dir, const train_bench_io_set *set);

#endif
