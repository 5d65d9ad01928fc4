// How this process was started.
#include "dist/launch.h"

#include <stdlib.h>

#include "dist/world.h"

// A positive whole number; 0 when absent (NULL) or something else.
static int count_of(const char *text) {
  long v = text ? strtol(text, NULL, 10) : 0;
  return v > 0 && v <= 1 << 30 ? (int)v : 0;
}

int dist_launch_ranks(const char **launcher) {
  // mpirun inside a Slurm job inherits Slurm's counts, which are not those of its own ranks.
  int ranks = count_of(getenv("OMPI_COMM_WORLD_SIZE"));
  *launcher = "mpirun";
  if (ranks == 0 && getenv("PMI_RANK")) ranks = count_of(getenv("PMI_SIZE"));
  if (ranks > 0) return ranks;
  *launcher = "Slurm";
  if (getenv("SLURM_STEP_ID")) ranks = count_of(getenv("SLURM_STEP_NUM_TASKS"));
  if (ranks == 0 && getenv("SLURM_PROCID")) ranks = count_of(getenv("SLURM_NTASKS"));
  if (ranks > 0) return ranks;
  *launcher = "the launcher";
  return getenv("PMIX_RANK") || getenv("PMI_RANK") ? 0 : 1;
}

int dist_launch_rank(void) {
  const char *text = getenv("OMPI_COMM_WORLD_RANK");
  if (!text) text = getenv("PMIX_RANK");
  if (!text) text = getenv("PMI_RANK");
  if (!text) text = getenv("SLURM_PROCID");
  return text ? (int)strtol(text, NULL, 10) : -1;
}

bool dist_job_hurries(void) {
  return getenv("OMPI_COMM_WORLD_RANK") && dist_launch_rank() == 0;
}

bool dist_launch_connected(void) {
  return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK") || getenv("PMI_RANK");
}

const char *dist_job_number(void) {
  return getenv("SLURM_JOB_ID");
}
