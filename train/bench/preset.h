// The models that benches know by name: those of the PyTorch reference.
#ifndef TRAIN_BENCH_PRESET_H
#define TRAIN_BENCH_PRESET_H

#include "configs/config.h"

// Local. Sets what the preset says. ORR_ECONFIG for other names than small and 1b.
orr_code train_bench_preset(const char *name, cfg *c);

#endif
