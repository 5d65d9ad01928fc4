# Settings of this site, read by every job file beside it. Nothing here changes a result: it says
# where the program is and how its ranks reach each other.
# shellcheck shell=bash disable=SC2034 # read by the files that source this one

# The program. Jobs start in the folder that sbatch was called in.
ORRERY=${ORRERY:-build/release/orrery}

# Starts in a row that may fail without a new checkpoint before a training job gives up.
ORRERY_RETRIES=${ORRERY_RETRIES:-3}

# Restart inside the allocation: spare nodes that the job asked for beyond those it needs (unset: a job
# whose node fails is queued again), the fewest nodes it may go on with (unset: all that it needs), and the
# nodes that have to stay together (sbatch --segment).
#   sbatch --no-kill --nodes=18 --export=ALL,ORRERY_SPARES=2 slurm/pretrain.sbatch my.yaml
# ORRERY_SPARES=2
# ORRERY_FEWEST=8
# ORRERY_SEGMENT=16
# Steps between copies of the state in the memory of two nodes each (/dev/shm: four times a node's part of a
# checkpoint); after a failure the run goes on from them. Unset: from the last checkpoint.
# ORRERY_COPIES=10
# What a node has to pass after a failure, and how long it may take; how long ranks have to end, and to start.
ORRERY_HEALTH=${ORRERY_HEALTH:-true}
ORRERY_CHECK_S=${ORRERY_CHECK_S:-5}
ORRERY_END_S=${ORRERY_END_S:-1}
ORRERY_START_S=${ORRERY_START_S:-60}

# -- what the site loads -------------------------------------------------------------------------
# module load openmpi/4.1 cuda/13.0

# -- how ranks find and reach each other ----------------------------------------------------------
# `srun --mpi=list` must name pmix. A site whose plugin is versioned names it here.
ORRERY_MPI=${ORRERY_MPI:-pmix}
# How the nodes' PMIx servers wait for each other. Left to itself Slurm 22.05 takes a tree where no data is
# exchanged, and that tree returns before the others have come: Open MPI's start ends in such a fence, and a rank
# that is late then gets a message that it cannot take yet and dies of a segmentation fault. The ring waits for all.
export SLURM_PMIX_FENCE=${SLURM_PMIX_FENCE:-ring}
# The network for MPI's own messages, where hosts have several. Few bytes go this way: tensors go by
# NCCL.
# export OMPI_MCA_btl_tcp_if_include=eth0
# More ranks than cores (a laptop, a test): ranks that wait give way.
# export OMPI_MCA_mpi_yield_when_idle=1

# -- NCCL ----------------------------------------------------------------------------------------
# Its bootstrap's interface, and the InfiniBand ports beside the GPUs.
# export NCCL_SOCKET_IFNAME=eth0
# export NCCL_IB_HCA=mlx5
# Multi-node NVLink (NVL72): on by default where the fabric manager offers it; 2 makes its absence an
# error instead of a slow job.
# export NCCL_MNNVL_ENABLE=2
# When a job hangs at start-up: which transport each pair took.
# export NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,NET

# -- files ---------------------------------------------------------------------------------------
# HDF5 must not ask for locks that a parallel file system does not have; clips are only read.
# export HDF5_USE_FILE_LOCKING=FALSE
