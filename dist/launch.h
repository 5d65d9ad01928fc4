// How this process was started, from its environment.
//
// Launchers are recognised by what they set, because asking MPI would cost every start the better
// part of a second:
//   mpirun (Open MPI)        OMPI_COMM_WORLD_SIZE
//   PMI (MPICH, srun)        PMI_RANK, PMI_SIZE
//   srun                     SLURM_STEP_ID, SLURM_STEP_NUM_TASKS
//   PMIx (srun --mpi=pmix)   PMIX_RANK, beside Slurm's
// A Slurm batch script has SLURM_PROCID and SLURM_NTASKS without a step: it counts as started with
// that many tasks, so that a forgotten srun is reported rather than run on one rank.
#ifndef DIST_LAUNCH_H
#define DIST_LAUNCH_H

#include <stdbool.h>

// Local. The number of ranks that were started: 1 = alone, MPI is not needed; 0 = there is a
// launcher that does not say. *launcher is its name for messages.
int dist_launch_ranks(const char **launcher);
// Local. This rank's number as the launcher gave it; -1 where it did not.
int dist_launch_rank(void);
// Local. False when Slurm started this process with nothing through which MPI could find the other
// tasks (`srun` without --mpi=pmix, or no srun at all): Open MPI would end it without a word that
// helps.
bool dist_launch_connected(void);
// Local. The scheduler's number of this job, for messages; NULL outside of one.
const char *dist_job_number(void);
// Local. Whether this is rank 0 of a job of Open MPI's mpirun, which ends one in a hurry: SIGTERM,
// and SIGKILL a second later.
bool dist_job_hurries(void);

#endif
