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

# -- nodes -----------------------------------------------------------------------------------------
# With ORRERY_SPARES set (0 or more) a job does not leave its allocation when a node fails: the next start
# takes the nodes that are good, as many as there are beside the spares, else as few as ORRERY_FEWEST.

# job_segment NODES: how many nodes of one NVLink domain Slurm should give together (sbatch --segment): all
# up to 18, the nodes of a rack; else 16 where that divides them, which leaves a rack two spares; else the
# largest divisor up to 18.
job_segment() {
  local n
  if [ "$1" -le 18 ]; then
    echo "$1"
  elif [ $(($1 % 16)) = 0 ]; then
    echo 16
  else
    for ((n = 18; $1 % n != 0; n--)); do :; done
    echo "$n"
  fi
}

# JOB_BAD: nodes that no start uses any more, with a blank around each.
JOB_BAD=" "

# job_check NODE: whether a program starts there, and finds the node well (ORRERY_HEALTH). A node whose
# daemon is gone does not answer.
job_check() {
  timeout --signal=KILL "$ORRERY_CHECK_S" srun --overlap --mpi=none --quiet --nodes=1 --ntasks=1 \
    --nodelist="$1" bash -c "$ORRERY_HEALTH" >/dev/null 2>&1 </dev/null
}

# Milliseconds of a clock.
job_ms() { date +%s%3N; }

# Looks at all nodes at once; those that are not well are bad until they are looked at again, and are named. A node whose
# ranks ended without a word while others told of theirs (JOB_HEARD), or that was bad before, is under suspicion: once the
# others are well, it has as long again as they took.
job_check_all() {
  local node all=() expected=() dir began last now missing until bad=$JOB_BAD
  JOB_BAD=" "
  mapfile -t all < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
  for node in "${all[@]}"; do
    if [[ $bad == *" $node "* ]]; then continue; fi
    if [ "$JOB_HEARD" != " " ] && [[ " ${JOB_NODES[*]} " == *" $node "* && $JOB_HEARD != *" $node "* ]]; then continue; fi
    expected+=("$node")
  done
  dir=$(mktemp -d)
  began=$(job_ms) last=0
  until=$((began + ORRERY_CHECK_S * 1000))
  for node in "${all[@]}"; do
    { if job_check "$node"; then : >"$dir/$node"; fi; } >/dev/null 2>&1 &
  done
  while now=$(job_ms) && [ "$now" -lt "$until" ]; do
    missing=0
    for node in "${all[@]}"; do [ -e "$dir/$node" ] || missing=1; done
    if [ $missing = 0 ]; then break; fi
    missing=0
    for node in "${expected[@]}"; do [ -e "$dir/$node" ] || missing=1; done
    if [ $missing = 0 ] && [ "$last" = 0 ]; then last=$now; fi
    if [ $missing = 0 ] && [ $((now - last)) -gt $((last - began)) ]; then break; fi
    sleep 0.05
  done
  for node in "${all[@]}"; do
    [ -e "$dir/$node" ] && continue
    JOB_BAD+="$node "
    echo "job $SLURM_JOB_ID: $node does not answer, or is not well: the job goes on without it" >&2
  done
  rm -rf "$dir"
}

# job_key SECTION KEY: its value in the configuration.
job_key() { "$ORRERY" config print "${CONFIG_WORDS[@]}" | sed -n "/^$1:/,/^[a-z]/s/^  $2: //p"; }

# job_fits NODES: whether a layout has ranks on so many nodes: tp * cp divides them, dp the batch, and
# segments stay whole.
job_fits() {
  local ranks=$(($1 * JOB_TASKS)) inner=$((JOB_TP * JOB_CP))
  [ $((ranks % inner)) = 0 ] && [ $((JOB_BATCH % (ranks / inner))) = 0 ] && [ $(($1 % JOB_UNIT)) = 0 ]
}

# JOB_NODES becomes the nodes of the next start: as many good ones as the job asked for, or fewer that fit,
# in Slurm's order, by whole segments where domains are known. Fails where that is too few.
job_choose() {
  local good=() node n fewest=${ORRERY_FEWEST:-}
  local wanted=$((SLURM_JOB_NUM_NODES - ORRERY_SPARES))
  while read -r node; do
    [[ $JOB_BAD == *" $node "* ]] || good+=("$node")
  done < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
  for ((n = wanted; n >= ${fewest:-$wanted} && n > 0; n--)); do
    if [ ${#good[@]} -ge $n ] && { [ $n = $wanted ] || job_fits $n; }; then
      JOB_NODES=("${good[@]:0:n}")
      return 0
    fi
  done
  echo "job $SLURM_JOB_ID: ${#good[@]} of $SLURM_JOB_NUM_NODES nodes are well, and $wanted are wanted${fewest:+ ($fewest at least, in a layout that fits)}" >&2
  return 1
}

# The NVLink domain of each node of the next start, as its driver names it; where there is none, nothing.
# A group of tp * cp ranks that two domains share is refused.
job_check_domains() {
  local span=$((JOB_TP * JOB_CP / JOB_TASKS)) i first lines=() line node uuid
  [ "$span" -gt 1 ] || return 0
  declare -A uuids=()
  # shellcheck disable=SC2016 # each node expands its own
  mapfile -t lines < <(srun --overlap --mpi=none --quiet --nodes=${#JOB_NODES[@]} --ntasks=${#JOB_NODES[@]} --ntasks-per-node=1 \
    --nodelist="$(IFS=,; echo "${JOB_NODES[*]}")" \
    bash -c 'echo "$SLURMD_NODENAME $(nvidia-smi -q 2>/dev/null | sed -n "s/.*ClusterUUID *: //p" | head -n 1)"')
  for line in "${lines[@]}"; do
    read -r node uuid <<<"$line"
    uuids[$node]=$uuid
  done
  for i in "${!JOB_NODES[@]}"; do
    node=${JOB_NODES[i]} first=${JOB_NODES[i / span * span]}
    if [ "${uuids[$node]:-}" != "${uuids[$first]:-}" ]; then
      echo "job $SLURM_JOB_ID: dist.tp * dist.cp = $((JOB_TP * JOB_CP)) ranks lie on $first and $node, which are in different NVLink domains (ClusterUUID ${uuids[$first]:-none} and ${uuids[$node]:-none}): ask for --segment=$(job_segment "$SLURM_JOB_NUM_NODES"), or lower dist.tp or dist.cp" >&2
      return 1
    fi
  done
}

# JOB_HEARD: nodes of the last start of whose tasks srun told how they ended, with a blank around each; JOB_CODE: the exit
# code of the first of them that had one.
JOB_HEARD=" " JOB_CODE=

# job_hear WORDS: takes them from what srun says ("srun: error: node[1-2]: tasks 0-1: Exited with exit code 1").
job_hear() {
  local nodes=${1#srun: error: }
  case $nodes in
    *": task"*) JOB_HEARD+="$(scontrol show hostnames "${nodes%%: task*}" 2>/dev/null | tr '\n' ' ')" ;;
  esac
  case $nodes in
    *"exit code "*) JOB_CODE=${JOB_CODE:-${nodes##*exit code }} ;;
  esac
}

# job_listen DESCRIPTOR: passes on what srun and the ranks say, and tells of it: "fault ..." for each error of
# srun, "word" once a rank has spoken, "end" when all is said.
job_listen() {
  local line spoken=
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\n' "$line" >&2
    case $line in
      "srun: error: "*) echo "fault $line" >&"$1" ;;
      srun* | slurmstepd*) ;;
      *)
        if [ -z "$spoken" ]; then echo word >&"$1"; fi
        spoken=1
        ;;
    esac
  done
  echo end >&"$1"
}

# What else srun says of a start that failed, from the descriptor $1, for ORRERY_END_S at most. Once all nodes
# but one are heard of, that one has a moment: srun itself would wait for a node that is gone until Slurm gives it up.
# Fails unless srun ends.
job_hear_out() {
  local kind words heard rest moment='' now until
  until=$(($(job_ms) + ORRERY_END_S * 1000))
  while :; do
    now=$(job_ms) rest=$((until - now))
    read -ra heard <<<"$JOB_HEARD"
    if [ ${#heard[@]} = $((${#JOB_NODES[@]} - 1)) ]; then
      moment=${moment:-$((now + 300))}
      if [ $((moment - now)) -lt $rest ]; then rest=$((moment - now)); fi
    fi
    if [ $rest -le 0 ]; then return 1; fi
    kind=
    read -r -t "$((rest / 1000)).$(printf %03d $((rest % 1000)))" -u "$1" kind words
    case $kind in
      end) return 0 ;;
      fault) job_hear "$words" ;;
    esac
  done
}

# The ranks of one start, on JOB_NODES. A start in which nobody has said a word after ORRERY_START_S is none:
# Slurm's PMIx may wait for a node of before.
job_step() {
  local code list pid in fifo kind words spoken='' until
  list=$(IFS=,; echo "${JOB_NODES[*]}")
  fifo=$(mktemp -u) && mkfifo "$fifo" && exec {in}<>"$fifo" && rm -f "$fifo"
  JOB_HEARD=" " JOB_CODE=
  until=$((SECONDS + ORRERY_START_S))
  srun --mpi="$ORRERY_MPI" --kill-on-bad-exit=1 --overlap --nodes=${#JOB_NODES[@]} \
    --ntasks=$((${#JOB_NODES[@]} * JOB_TASKS)) --nodelist="$list" "$@" 2> >(job_listen "$in") &
  pid=$!
  while :; do
    kind=
    read -r -t 5 -u "$in" kind words
    case $kind in
      end) break ;;
      word) spoken=1 ;;
      fault)
        job_hear "$words"
        job_hear_out "$in" || kill -9 $pid 2>/dev/null
        break
        ;;
      *)
        kill -0 $pid 2>/dev/null || break
        if [ -z "$spoken" ] && [ $SECONDS -gt $until ]; then
          echo "job $SLURM_JOB_ID: no rank has started after $ORRERY_START_S s: given up" >&2
          kill -9 $pid 2>/dev/null
          break
        fi
        ;;
    esac
  done
  exec {in}>&-
  { wait $pid; } 2>/dev/null # without the shell's own words on a srun that was killed
  code=$?
  while kill -0 $pid 2>/dev/null; do # a signal to this shell ends a wait, too
    wait $pid
    code=$?
  done
  if [ $code = 137 ]; then code=${JOB_CODE:-137}; fi
  return "$code"
}

# What is left of a start whose srun is gone: its ranks on nodes that live, and its hold on the folder.
job_end_step() {
  local step
  for step in $(squeue --noheader --steps --jobs="$SLURM_JOB_ID" --format=%i 2>/dev/null); do
    case $step in
      *.batch | *.extern | *.interactive) ;;
      *) timeout 30 scancel --signal=KILL "$step" 2>/dev/null & ;; # waits for nodes that are gone
    esac
  done
  if [ "$(job_holder "$1")" = "$SLURM_JOB_ID" ]; then rm -f "$1/run.lock"; fi
}

# What the nodes that are well have in memory (ORRERY_COPIES, ckpt.copies_every) becomes the run's newest
# checkpoint, if it is newer than that on disk: each node brings the parts that it has, in place; holes are where
# others wrote. The reader knows every extent's checksum: what is not whole after all gives way to the one before.
# The first node runs this script and has rank 0's folder, with the manifest.
job_gather() {
  local dir=$1 copies=$2 step tmp node good=()
  step=$(find "$copies"/rank-000000/step-* -maxdepth 0 -type d 2>/dev/null | sort | tail -n 1)
  step=${step##*/}
  if [ -e "$copies/rank-000000/$step/manifest.json" ] && [[ $step > $(cat "$dir/ckpt/latest" 2>/dev/null) ]]; then
    tmp=$dir/ckpt/.tmp-$step-gathered
    rm -rf "$tmp" "$dir/ckpt/$step"
    mkdir -p "$tmp"
    cp "$copies/rank-000000/$step"/*.json "$tmp"
  else
    step=
  fi
  while read -r node; do
    [[ $JOB_BAD == *" $node "* ]] || good+=("$node")
  done < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
  # shellcheck disable=SC2016 # expanded on each node
  srun --overlap --mpi=none --quiet --nodes=${#good[@]} --ntasks=${#good[@]} --ntasks-per-node=1 --nodelist="$(IFS=,; echo "${good[*]}")" \
    bash -c '[ -z "$1" ] || for f in "$0"/rank-*/{,.tmp-}"$1"/*.safetensors; do
        [ -e "$f" ] || continue
        dd if="$f" of="$2/${f##*/}" bs=4096 conv=notrunc,sparse status=none
        truncate -s ">$(stat -c %s "$f")" "$2/${f##*/}"
      done
      rm -rf "$0"' "$copies" "$step" "${tmp:-}" </dev/null || step=
  if [ -z "$step" ]; then return 0; fi
  mv "$tmp" "$dir/ckpt/$step" && echo "$step" >"$dir/ckpt/.latest" && mv "$dir/ckpt/.latest" "$dir/ckpt/latest"
  echo "job $SLURM_JOB_ID: $step put together from the memory of ${good[*]}" >&2
}

# job_start DIR ARGUMENT...: one start of the ranks, and inside an allocation with spares as many more as it
# takes; the code of the last. A start that brings a new checkpoint is none that failed.
job_start() {
  local dir=$1 code failures=0 before copies=/dev/shm/orrery-$SLURM_JOB_ID keep=()
  shift
  if [ -z "${ORRERY_SPARES:-}" ]; then
    job_srun "$ORRERY" train "$@"
    return
  fi
  JOB_TASKS=${SLURM_NTASKS_PER_NODE:-1} JOB_UNIT=${ORRERY_SEGMENT:-1}
  JOB_TP=$(job_key dist tp) JOB_CP=$(job_key dist cp) JOB_BATCH=$(job_key train batch)
  if [ -n "${ORRERY_COPIES:-}" ]; then
    keep=(--set "ckpt.copies_every=$ORRERY_COPIES" --set "ckpt.copies_dir=$copies" --set "ckpt.copies_shift=$JOB_TASKS")
  fi
  while :; do
    job_choose || return 1
    job_check_domains || return 2
    before=$(cat "$dir/ckpt/latest" 2>/dev/null)
    echo "job $SLURM_JOB_ID: starts on ${JOB_NODES[*]}" >&2
    job_step "$ORRERY" train "$@" "${keep[@]}"
    code=$?
    case $code in
      0 | 2 | 4 | 85)
        if [ ${#keep[@]} -gt 0 ]; then
          timeout 30 srun --overlap --mpi=none --quiet --nodes=${#JOB_NODES[@]} --ntasks=${#JOB_NODES[@]} \
            --ntasks-per-node=1 --nodelist="$(IFS=,; echo "${JOB_NODES[*]}")" rm -rf "$copies"
        fi
        return $code
        ;;
    esac
    [ "$(job_state)" = RUNNING ] || return $code # cancelled, or queued again by Slurm
    job_end_step "$dir"
    job_check_all
    if [ ${#keep[@]} -gt 0 ]; then job_gather "$dir" "$copies"; fi
    if [ "$(cat "$dir/ckpt/latest" 2>/dev/null)" = "$before" ]; then failures=$((failures + 1)); else failures=0; fi
    if [ $failures -ge "$ORRERY_RETRIES" ]; then return $code; fi
    echo "job $SLURM_JOB_ID: failed with exit code $code: starts again in its allocation" >&2
  done
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
  job_start "$dir" "$@"
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

# RUNNING, COMPLETING, ...
job_state() {
  scontrol show job --oneliner "$SLURM_JOB_ID" | sed -n 's/.* JobState=\([A-Z_]*\) .*/\1/p'
}

# The same job, with the same number, waits for its nodes again; Slurm lets it start after the
# cluster's cred_expire (120 s unless told). SLURM_RESTART_COUNT counts. A job that was cancelled
# (scancel) stays so, and one that Slurm has requeued itself is not asked about twice.
job_requeue() {
  local state
  state=$(job_state)
  if [ "$state" = RUNNING ]; then
    echo "job $SLURM_JOB_ID: $1: queued again (start $((${SLURM_RESTART_COUNT:-0} + 1)))" >&2
    scontrol requeue "$SLURM_JOB_ID"
  else
    echo "job $SLURM_JOB_ID: $1: Slurm has it as $state, and so it stays" >&2
  fi
}
