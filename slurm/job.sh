# What the job files share: how ranks are started, and when a job asks to be queued again.
# shellcheck shell=bash

# The tasks of an allocation, one rank each.
# --mpi=pmix: Slurm's PMIx tells the ranks of each other. Without it every task would be a world of
#   its own; Orrery refuses to start then.
# --kill-on-bad-exit=1: when one rank dies the others would wait for it for ever. srun ends them (TERM
#   first, KILL after the cluster's KillWait), and the job can begin again.
job_srun() {
  srun --mpi="$ORRERY_MPI" --kill-on-bad-exit=1 "$@"
}

# The folder of the run that a configuration describes.
job_run_dir() {
  "$ORRERY" config print "$@" | sed -n 's/^  dir: "\(.*\)"$/\1/p'
}

# job_config ARGUMENT...: the words of `orrery train` that `orrery config print` knows too: the file
# and its --set pairs. The result is in the array CONFIG_WORDS.
job_config() {
  CONFIG_WORDS=()
  while [ $# -gt 0 ]; do
    case $1 in
      --set) CONFIG_WORDS+=("$1" "$2") && shift ;;
      --resume) shift ;;
      -*) ;;
      *) CONFIG_WORDS+=("$1") ;;
    esac
    shift
  done
}

# RUN_DIR/failed-starts holds a line for each job whose last starts failed: its number, and how many in
# a row brought no new checkpoint. Jobs on one folder count apart, so that none ends another's retries.
# job_failures DIR: this job's.
job_failures() {
  sed -n "s/^$SLURM_JOB_ID \([0-9]*\)\$/\1/p" "$1/failed-starts" 2>/dev/null
}

# job_note_failures DIR COUNT: makes it this job's; without any left there is no file.
job_note_failures() {
  local lines
  if [ "$2" != 0 ]; then mkdir -p "$1"; fi # a start may fail before it makes its folder
  [ -d "$1" ] || return 0
  lines=$(
    sed -n "/^[0-9]* [0-9]*\$/{/^$SLURM_JOB_ID /!p}" "$1/failed-starts" 2>/dev/null
    [ "$2" = 0 ] || echo "$SLURM_JOB_ID $2"
  )
  if [ -n "$lines" ]; then
    echo "$lines" >"$1/failed-starts"
  else
    rm -f "$1/failed-starts"
  fi
}

# The job that holds a run's folder, in the words of its lock; nothing when it was no job.
job_holder() {
  sed -n 's/.*"job": "\([^"]*\)".*/\1/p' "$1/run.lock" 2>/dev/null
}

# job_train ARGUMENT...: trains, and brings the job back when there is more to do.
#   0   done.
#   2   bad usage or configuration: trying again would not help. Counts nowhere, as the job is over.
#   4   another run holds the folder. That one goes on; this job ends and counts nowhere. Should the
#       holder be an earlier start of this very job, whose processes are not gone yet, it is queued again.
#   85  stopped early (time limit, preemption, train.max_wall_s) with a checkpoint: queued again.
#   else  a rank or its node failed: queued again too, so that a flaky node costs some steps and not
#         the week. ORRERY_RETRIES starts in a row that fail without a new checkpoint end the job: it
#         would fail at the same place for ever.
# Slurm itself requeues a job whose node is lost or that is preempted (--requeue): whatever becomes of
# this script then, the next start goes on from the last good checkpoint.
job_train() {
  local dir before failures code
  job_config "$@"
  dir=$(job_run_dir "${CONFIG_WORDS[@]}") || return 2
  before=$(cat "$dir/ckpt/latest" 2>/dev/null)
  # A signal to the whole job reaches this shell too. It must outlive the ranks, to see how they end.
  trap : USR1 TERM
  job_srun "$ORRERY" train "$@"
  code=$?
  if [ $code = 4 ]; then
    if [ "$(job_holder "$dir")" = "$SLURM_JOB_ID" ]; then
      job_requeue "an earlier start of it still holds $dir"
    else
      echo "job $SLURM_JOB_ID: another run holds $dir and goes on: this job ends" >&2
    fi
    return $code
  fi
  failures=0
  case $code in
    0 | 2 | 85) ;;
    *)
      if [ "$(cat "$dir/ckpt/latest" 2>/dev/null)" = "$before" ]; then
        failures=$(($(job_failures "$dir") + 1))
      fi
      ;;
  esac
  job_note_failures "$dir" $failures
  case $code in
    0 | 2) ;;
    85) job_requeue "stopped on request" ;;
    *)
      if [ $failures -lt "$ORRERY_RETRIES" ]; then
        job_requeue "failed with exit code $code"
      else
        echo "job $SLURM_JOB_ID: failed with exit code $code, $failures times in a row without a new checkpoint: not queued again" >&2
      fi
      ;;
  esac
  return $code
}

# The same job, with the same number, waits for its nodes again; Slurm lets it start after the
# cluster's cred_expire (120 s unless told). SLURM_RESTART_COUNT counts. A job that was cancelled
# (scancel) stays so, and one that Slurm has requeued itself is not asked about twice.
job_requeue() {
  local state
  state=$(scontrol show job --oneliner "$SLURM_JOB_ID" | sed -n 's/.* JobState=\([A-Z_]*\) .*/\1/p')
  if [ "$state" = RUNNING ]; then
    echo "job $SLURM_JOB_ID: $1: queued again (start $((${SLURM_RESTART_COUNT:-0} + 1)))" >&2
    scontrol requeue "$SLURM_JOB_ID"
  else
    echo "job $SLURM_JOB_ID: $1: Slurm has it as $state, and so it stays" >&2
  fi
}
