// How this process was started.
#include "dist/launch.h"

#include <stdlib.h>

// A positive whole number in the environment; 0 when absent or something else.
static int env_count(const char *name) {
  const char *text = getenv(name);
  long v = text ? strtol(text, NULL, 10) : 0;
  return v > 0 && v <= 1 << 30 ? (int)v : 0;
}

int dist_launch_ranks(const char **launcher) {
  // mpirun inside a Slurm job inherits Slurm's counts, which are not those of its own ranks.
  int ranks = env_count("OMPI_COMM_WORLD_SIZE");
  *launcher = "mpirun";
  if (ranks == 0 && getenv("PMI_RANK")) ranks = env_count("PMI_SIZE");
  if (ranks > 0) return ranks;
  *launcher = "Slurm";
  if (getenv("SLURM_STEP_ID")) ranks = env_count("SLURM_STEP_NUM_TASKS");
  if (ranks == 0 && getenv("SLURM_PROCID")) ranks = env_count("SLURM_NTASKS");
  if (ranks > 0) return ranks;
  *launcher = "the launcher";
  return getenv("PMIX_RANK") || getenv("PMI_RANK") ? 0 : 1;
}
