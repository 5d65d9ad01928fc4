#!/usr/bin/env bash
# Everything that wants a GPU, in slices of ten minutes at most: parity of every op with the CPU,
# training against the CPU's losses, reruns to the bit, resuming, several ranks over NCCL on one card,
# the benches beside PyTorch, and compute-sanitizer. Needs the built programs, the driver and CUDA's
# libraries; no cmake, no ctest, and Python only for --reference.
#
#   tests/gpu/suite.sh [--slice NAME] [--only PATTERN] [--device cuda|cpu] [--ops PREFIX] [--no-bench]
#                      [--reference DIR] [--again] [--limit S] [--slice-s S] [--patience N]
#                      [BIN_DIR [OUT_DIR]]
#   tests/gpu/suite.sh --list
#
# BIN_DIR (build/release) holds orrery, gpu_clips, the test programs PREFIX* (gpu_), and where they were
# built train_setup_test_device and dist_test_nccl_gpu_*. OUT_DIR (a new folder in the working directory)
# gets a log for each piece, summary.txt and summary.json, which also says which of the bars are met.
#
# Without --slice all slices run, one after the other. A slice that is called again with the same OUT_DIR
# goes on with what has not passed yet (--again: with everything). Every piece has a time limit of its own
# (--limit S: none has more; --patience N: N times as much), and a slice ends after 600 s (--slice-s S).
#
# Exit code 0: all that could run has passed; 1: something failed; 3: nothing failed, but a slice ran out
# of time and wants to be called again. What could not run here is named as skipped, with the reason.
# --device cpu tries the suite itself on a machine without a GPU. --reference: a folder with the model in
# PyTorch, world_model.py and rollout.py, which end with a line of JSON; steps and rollouts are then timed
# beside them where python3 has torch.
set -uo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/gpu/pieces.sh
. "$HERE/pieces.sh"
# shellcheck source=tests/gpu/bars.sh
. "$HERE/bars.sh"

# In the order of a first hour on a card; the sanitizers take their time after it.
SLICES='ops training ranks bench_small bench_1b rollout memcheck racecheck'
DEVICE=cuda PREFIX=gpu_ ONLY='*' REFERENCE='' BENCH=true AGAIN=false MOST_S=100000 PATIENCE=1 SLICE_S=600 WANTED=$SLICES
while [ $# -gt 0 ]; do
  case $1 in
    --device) DEVICE=$2 && shift 2 ;;
    --ops) PREFIX=$2 && shift 2 ;;
    --only) ONLY=$2 && shift 2 ;;
    --slice) WANTED=$2 && shift 2 ;;
    --list) echo "$SLICES" && exit 0 ;;
    --no-bench) BENCH=false && shift ;;
    --again) AGAIN=true && shift ;;
    --limit) MOST_S=$2 && shift 2 ;;
    --patience) PATIENCE=$2 && shift 2 ;;
    --slice-s) SLICE_S=$2 && shift 2 ;;
    --reference) REFERENCE=$(readlink -f "$2") && shift 2 ;;
    -*) sed -n '2,24s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) break ;;
  esac
done
for SLICE in $WANTED; do
  case " $SLICES " in *" $SLICE "*) ;; *) echo "suite: no slice '$SLICE', there are: $SLICES" >&2 && exit 2 ;; esac
done
BIN=$(readlink -f "${1:-build/release}")
OUT=${2:-gpu-suite-$(date +%Y%m%d-%H%M%S)}
[ -x "$BIN/orrery" ] || { echo "suite: no program $BIN/orrery; give the folder of the built programs" >&2; exit 2; }
mkdir -p "$OUT/work" && OUT=$(readlink -f "$OUT")
touch "$OUT/results"
ORRERY=$BIN/orrery
WORK=$OUT/work
THREADS=0
[ "$DEVICE" = cuda ] || THREADS=1 # two ranks beside whatever else runs on such a machine
export DEVICE PREFIX BIN OUT ORRERY WORK REFERENCE THREADS
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none
# a piece may be a function: a shell of its own runs it, so that `timeout` can end it with all it started
# shellcheck disable=SC2046
export -f $(declare -F | awk '{ print $3 }')

# -- pieces ------------------------------------------------------------------------------------

record() { # RESULT NAME SECONDS WORDS
  printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$SLICE" >>"$OUT/results"
  printf '%-10s %-34s %5s s  %s\n' "$1" "$2" "$3" "$4"
}

wanted() {
  # shellcheck disable=SC2254
  case $1 in $ONLY) return 0 ;; esac
  return 1
}

# The last word on a piece, of this call or of one before.
result_of() { # NAME
  awk -F '\t' -v name="$1" '$2 == name { r = $1 } END { print r }' "$OUT/results"
}

last_line() { # LOG: of words that a line of JSON can hold
  # shellcheck disable=SC1003
  grep -v '^$' "$1" | tail -1 | tr '\t"\\' '   ' | cut -c1-200
}

# piece LIMIT NAME COMMAND...: runs it; the last line of its log goes with a failure.
piece() {
  local own=$1 name=$2 begin=$SECONDS log=$OUT/$2.log limit code
  shift 2
  wanted "$name" || return 0
  if ! $AGAIN && [ "$(result_of "$name")" = passed ]; then return 0; fi
  own=$((own * PATIENCE))
  [ "$own" -le "$MOST_S" ] || own=$MOST_S
  limit=$((SLICE_END - SECONDS))
  if [ $limit -le $((SLICE_S / 20)) ]; then
    record unfinished "$name" 0 "no time was left: call slice $SLICE again"
    return 0
  fi
  [ $limit -lt "$own" ] || limit=$own
  timeout -k 10 "$limit" bash -c '"$@"' suite "$@" >"$log" 2>&1 </dev/null
  code=$?
  if [ $code = 0 ]; then
    record passed "$name" $((SECONDS - begin)) ""
  elif [ $code != 124 ] && [ $code != 137 ]; then
    record failed "$name" $((SECONDS - begin)) "$(last_line "$log")"
  elif [ "$limit" = "$own" ]; then
    record failed "$name" $((SECONDS - begin)) "not done in $limit s"
  else
    record unfinished "$name" $((SECONDS - begin)) "the slice ended: call slice $SLICE again"
  fi
}

skipped() { # NAME WORDS
  if wanted "$1" && [ "$(result_of "$1")" != passed ]; then record skipped "$1" 0 "$2"; fi
}

# -- slices ------------------------------------------------------------------------------------

slice_ops() {
  local program found=false
  piece 120 machine machine
  for program in $(op_programs); do
    found=true
    piece 120 "op_$(basename "$program")" test_program "$program"
  done
  if ! $found; then record failed ops 0 "no test programs $PREFIX* in $BIN"; fi
}

slice_training() {
  if [ -x "$BIN/train_setup_test_device" ]; then
    piece 200 train_setup_test_device test_program "$BIN/train_setup_test_device"
  fi
  piece 200 losses_fp32 against_cpu fp32 1e-5
  piece 200 losses_bf16 against_cpu bf16 1e-2
  piece 120 rerun_fp32 again fp32
  piece 120 rerun_bf16 again bf16
  if [ "$DEVICE" = cpu ]; then
    skipped rerun_eager "a CPU has no graphs"
    skipped rerun_untuned "a CPU has no trials"
  else
    piece 120 rerun_eager plainly run.capture=false
    piece 120 rerun_untuned plainly run.tune=false
  fi
  piece 120 resume resumed
}

slice_ranks() {
  local axis ranks found=false
  if ! command -v mpirun >/dev/null; then
    for axis in dp tp cp; do skipped "ranks_$axis" "no mpirun on this machine"; done
    return
  fi
  for axis in dp tp cp; do piece 120 "ranks_$axis" split $axis; done
  for ranks in 2 4; do
    [ -x "$BIN/dist_test_nccl_gpu_$ranks" ] || continue
    found=true
    piece 120 "nccl_$ranks" nccl_test $ranks
  done
  $found || skipped nccl "no programs dist_test_nccl_gpu_* in $BIN"
}

sanitizer() { # TOOL
  local program
  if ! command -v compute-sanitizer >/dev/null; then
    skipped "$1" "no compute-sanitizer on this machine"
    return
  fi
  for program in $(op_programs); do
    piece 300 "$1_$(basename "$program")" compute-sanitizer --tool "$1" --error-exitcode 9 "$program"
  done
}

slice_memcheck() { sanitizer memcheck; }
slice_racecheck() { sanitizer racecheck; }

reference() { # LIMIT NAME SCRIPT ARGUMENT...: the same in PyTorch, where it is
  local limit=$1 name=$2
  shift 2
  if [ -z "$REFERENCE" ]; then
    skipped "$name" "no --reference DIR"
  elif ! python3 -c 'import torch' 2>/dev/null; then
    skipped "$name" "python3 has no torch"
  else
    piece "$limit" "$name" python3 "$REFERENCE/$1" bench --device "$DEVICE" --dtype bf16 "${@:2}"
  fi
}

bench() { # PRESET
  if ! $BENCH; then
    skipped "bench_$1" "--no-bench"
    return
  fi
  if [ "$DEVICE" = cpu ] && [ "$1" = 1b ]; then
    skipped bench_1b "too long on a CPU"
    return
  fi
  piece 240 "bench_step_$1" "$ORRERY" bench step --preset "$1" --device "$DEVICE" --precision bf16 \
    --steps 20 --warmup 5
  reference 240 "reference_step_$1" world_model.py --preset "$1" --compile
  piece 200 "bench_ops_$1" "$ORRERY" bench ops --preset "$1" --device "$DEVICE"
  piece 120 "bench_eager_$1" "$ORRERY" bench step --preset "$1" --device "$DEVICE" --precision bf16 \
    --steps 20 --warmup 5 --eager
}

slice_bench_small() { bench small; }
slice_bench_1b() { bench 1b; }

slice_rollout() {
  if ! $BENCH; then
    skipped bench_rollout "--no-bench"
    return
  fi
  if "$ORRERY" bench rollout --help >/dev/null 2>&1; then
    piece 240 bench_rollout "$ORRERY" bench rollout --preset 1b --device "$DEVICE"
    reference 240 reference_rollout rollout.py --preset 1b --compile
  else
    skipped bench_rollout "this build has no 'bench rollout'"
  fi
  piece 120 bench_comm "$ORRERY" bench comm --device "$DEVICE"
}

for SLICE in $WANTED; do
  begin=$SECONDS
  if ! inputs >"$OUT/inputs.log" 2>&1; then
    record failed inputs 0 "$(last_line "$OUT/inputs.log")"
    continue
  fi
  SLICE_END=$((SECONDS + SLICE_S))
  "slice_$SLICE"
  printf '%s\t%s\n' "$SLICE" $((SECONDS - begin)) >>"$OUT/slices"
done
summary
[ "$(count passed)" -gt 0 ] && [ "$(count failed)" = 0 ] || exit 1
[ "$(count unfinished)" = 0 ] || exit 3
