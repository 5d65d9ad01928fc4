#ifndef TRAIN_BENCH_STEP_H
#define TRAIN_BENCH_STEP_H
#include "base/status.h"
// orrery bench step [--preset small|1b] [--precision bf16|fp32] [--device D] [--clips N] [--threads
// N]
// [--steps N] [--warmup N] [--micro-batch N]: forward, backward, gradient clipping and AdamW on
// random tokens, as the reference's `bench` does. Last line on stdout: one JSON object. Collective
// when started by mpirun or srun: --clips is the global batch.
orr_code train_cmd_bench_step(int argc, char **argv);
#endif
