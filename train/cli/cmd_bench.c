// `orrery bench step|ops|comm|io|machine|rollout`: chooses between its benches. Collective over the
// world for step and comm when started by mpirun or srun, local for ops and io.
#include "train/cli/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/args.h"
#include "train/bench/comm.h"
#include "train/bench/io.h"
#include "train/bench/machine.h"
#include "train/bench/ops.h"
#include "train/bench/rollout.h"
#include "train/bench/step.h"

orr_code train_cmd_bench(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "step") == 0) return train_cmd_bench_step(argc - 1, argv + 1);
  if (strcmp(what, "ops") == 0) return train_cmd_bench_ops(argc - 1, argv + 1);
  if (strcmp(what, "comm") == 0) return train_cmd_bench_comm(argc - 1, argv + 1);
  if (strcmp(what, "io") == 0) return train_cmd_bench_io(argc - 1, argv + 1);
  if (strcmp(what, "machine") == 0) return train_cmd_bench_machine(argc - 1, argv + 1);
  if (strcmp(what, "rollout") == 0) return train_cmd_bench_rollout(argc - 1, argv + 1);
  if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0) {
    puts("orrery bench step     time of a whole training step\norrery bench ops      time of each "
         "op "
         "at the shapes that matter\norrery bench comm     collectives by size, over MPI or NCCL\n"
         "orrery bench io       clips a second, beside plain reads of the "
         "same bytes\norrery bench machine  the rate of matrix products on this machine\n"
         "orrery bench rollout  frames a second of sessions in a world model");
    return ORR_OK;
  }
  return ORR_FAIL(ORR_ECONFIG,
                  "orrery bench: got '%s', wanted step, ops, comm, io, machine or rollout", what);
}
