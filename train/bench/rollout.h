// `orrery bench rollout`: frames a second of sessions in a world model, one and several at once.
#ifndef TRAIN_BENCH_ROLLOUT_H
#define TRAIN_BENCH_ROLLOUT_H

#include "base/status.h"

// Local. argv[0] is the command's own word. The last line on stdout is one JSON object.
// ORR_ECONFIG, ORR_ENOMEM.
orr_code train_cmd_bench_rollout(int argc, char **argv);

#endif
