#!/usr/bin/env bash
# Everything that wants a GPU, in one go: parity of every op with the CPU, training against the CPU's
# losses, reruns to the bit, resuming, several ranks over NCCL on one card, compute-sanitizer, and the
# benches. Needs the built programs, the driver and CUDA's libraries; no cmake, no ctest, no Python.
#
#   tests/gpu/suite.sh [--only PATTERN] [--device cuda|cpu] [--ops PREFIX] [--no-bench]
#                      [--reference FILE] [BIN_DIR [OUT_DIR]]
#
# BIN_DIR (build/release) holds orrery, gpu_clips, the test programs PREFIX* (gpu_), and where
# they were built train_setup_test_device and dist_test_nccl_gpu_*. OUT_DIR
# (a new folder in the working directory) gets a log for each piece, summary.txt and summary.json.
# Exit code 0: nothing failed. What could not run here is named as skipped, with the reason.
# --device cpu tries the suite itself on a machine without a GPU. --reference: the model in PyTorch,
# a script whose `bench` takes --preset, --device, --dtype and --compile and ends with a line of JSON;
# steps are then timed beside it where python3 has torch.
set -uo pipefail

DEVICE=cuda
PREFIX=gpu_
ONLY='*'
REFERENCE=
BENCH=true
while [ $# -gt 0 ]; do
  case $1 in
    --device) DEVICE=$2 && shift 2 ;;
    --ops) PREFIX=$2 && shift 2 ;;
    --only) ONLY=$2 && shift 2 ;;
    --no-bench) BENCH=false && shift ;;
    --reference) REFERENCE=$2 && shift 2 ;;
    -*) sed -n '2,16s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) break ;;
  esac
done
BIN=$(readlink -f "${1:-build/release}")
OUT=${2:-gpu-suite-$(date +%Y%m%d-%H%M%S)}
[ -x "$BIN/orrery" ] || { echo "suite: no program $BIN/orrery; give the folder of the built programs" >&2; exit 2; }
mkdir -p "$OUT" && OUT=$(readlink -f "$OUT")
ORRERY=$BIN/orrery
WORK=$OUT/work
rm -rf "$WORK" && mkdir -p "$WORK"
: >"$OUT/results"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none

# -- pieces ----------------------------------------------------------------------------------

record() { # RESULT NAME SECONDS WORDS
  printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$OUT/results"
  printf '%-7s %-34s %5s s  %s\n' "$1" "$2" "$3" "$4"
}

wanted() {
  # shellcheck disable=SC2254
  case $1 in $ONLY) return 0 ;; esac
  return 1
}

# piece NAME COMMAND...: runs it; the last line of its log goes with a failure.
piece() {
  local name=$1 begin=$SECONDS log=$OUT/$1.log
  shift
  wanted "$name" || return 0
  if "$@" >"$log" 2>&1; then
    record passed "$name" $((SECONDS - begin)) ""
  else
    # shellcheck disable=SC1003
    record failed "$name" $((SECONDS - begin)) "$(grep -v '^$' "$log" | tail -1 | tr '\t"\\' '   ' | cut -c1-200)"
  fi
}

skipped() { # NAME WORDS
  if wanted "$1"; then record skipped "$1" 0 "$2"; fi
}

# A test program that skips everything says so; that is no pass.
test_program() {
  local words
  words=$("$@" 2>&1)
  local code=$?
  printf '%s\n' "$words"
  if grep -q '^\[  SKIPPED' <<<"$words"; then echo "skipped what it should test" && return 1; fi
  return $code
}

# -- the machine -----------------------------------------------------------------------------

machine() {
  nvidia-smi --query-gpu=name,compute_cap,memory.total,driver_version --format=csv,noheader 2>/dev/null || true
  uname -srm
  "$ORRERY" bench step --preset small --clips 1 --steps 1 --warmup 0 --device "$DEVICE" --precision bf16
}

# -- ops -------------------------------------------------------------------------------------

op_programs() {
  find "$BIN" -maxdepth 1 -name "$PREFIX*" -type f -perm -u+x ! -name gpu_clips | sort
}

ops() {
  local program found=false
  for program in $(op_programs); do
    found=true
    piece "op_$(basename "$program")" test_program "$program"
  done
  if ! $found; then record failed ops 0 "no test programs $PREFIX* in $BIN"; fi
}

sanitizer() {
  local tool program name
  if ! command -v compute-sanitizer >/dev/null; then
    skipped memcheck "no compute-sanitizer on this machine"
    skipped racecheck "no compute-sanitizer on this machine"
    return
  fi
  for tool in memcheck racecheck; do
    for program in $(op_programs); do
      name=$(basename "$program")
      piece "${tool}_$name" compute-sanitizer --tool "$tool" --error-exitcode 9 "$program"
    done
  done
}

# -- training --------------------------------------------------------------------------------

config() { # a small dynamics model whose frames are long enough for cuDNN
  cat >"$WORK/small.yaml" <<YAML
run: {threads: 0, precision: fp32, seed: 3}
train: {stage: dynamics, steps: 20, batch: 2}
optim: {lr_peak: 0.003, warmup_steps: 4, decay_steps: 4, ema_decay: 0.9}
data: {frames: 4, train: [$WORK/clips]}
tokenizer: {rows: 6, cols: 6, levels: [8, 8]}
model: {rows: 6, cols: 6, codes: 64, registers: 3, width: 128, heads: 2, kv_heads: 2, hidden: 192,
        layers: 2, time_every: 2, actions: 2, branches: [worlds]}
ckpt: {every: 10, keep: 10}
YAML
}

train() { # NAME RANKS SETTING|--resume PATH...
  local name=$1 ranks=$2 words=()
  shift 2
  while [ $# -gt 0 ]; do
    case $1 in
      --resume) words+=("$1" "$2") && shift 2 ;;
      *) words+=(--set "$1") && shift ;;
    esac
  done
  words=("$ORRERY" train "$WORK/small.yaml" --set "run.dir=$WORK/$name" "${words[@]}")
  if [ "$ranks" = 1 ]; then
    "${words[@]}"
  else
    # NCCL refuses two ranks of one host on one GPU: each gets a host of its own, on the loopback
    # shellcheck disable=SC2016
    mpirun -n "$ranks" sh -c 'NCCL_HOSTID=$OMPI_COMM_WORLD_RANK NCCL_SOCKET_IFNAME=lo exec "$@"' sh \
      "${words[@]}" --set dist.share_devices=true
  fi
}

losses() { # NAME: step and loss, one a line
  sed -n 's/.*"step": *\([0-9]*\).*"loss": *\([-+.0-9eE]*\).*/\1 \2/p' "$WORK/$1/metrics.jsonl"
}

compare() { # NAME OTHER TOLERANCE: relative, over all steps
  losses "$1" >"$WORK/a" && losses "$2" >"$WORK/b"
  paste -d ' ' "$WORK/a" "$WORK/b" | awk -v limit="$3" '
    NF != 4 || $1 != $3 { print "the runs have other steps: " $0; bad = 1; exit 1 }
    { off = ($2 - $4) / ($4 == 0 ? 1 : $4); if (off < 0) off = -off; if (off > worst) worst = off; n++ }
    END {
      if (bad) exit 1
      if (n < 20) { print n " steps, wanted 20"; exit 1 }
      printf "%d steps, losses differ by %.2e of the other, allowed %.0e\n", n, worst, limit
      exit !(worst <= limit)
    }'
}

same_weights() { # NAME OTHER: the last checkpoint, to the bit
  local file found=false
  for file in "$WORK/$1/ckpt/step-00000020"/*.safetensors; do
    found=true
    cmp "$file" "$WORK/$2/ckpt/step-00000020/$(basename "$file")" || return 1
  done
  $found || { echo "no checkpoint of step 20 in $WORK/$1"; return 1; }
}

# The NCCL tests of dist/, by the number of their ranks, and whole training runs.
nccl_tests() {
  local ranks found=false
  for ranks in 2 4; do
    [ -x "$BIN/dist_test_nccl_gpu_$ranks" ] || continue
    found=true
    # shellcheck disable=SC2016
    piece "nccl_$ranks" test_program mpirun -n $ranks sh -c \
      'NCCL_HOSTID=$OMPI_COMM_WORLD_RANK NCCL_SOCKET_IFNAME=lo exec "$1"' sh "$BIN/dist_test_nccl_gpu_$ranks"
  done
  $found || skipped nccl "no programs dist_test_nccl_gpu_* in $BIN"
}

against_cpu() { # PRECISION TOLERANCE
  train "cpu_$1" 1 "run.precision=$1" run.device=cpu && train "gpu_$1" 1 "run.precision=$1" "run.device=$DEVICE" &&
    compare "gpu_$1" "cpu_$1" "$2"
}

again() { # PRECISION
  train "again_$1" 1 "run.precision=$1" "run.device=$DEVICE" && same_weights "gpu_$1" "again_$1"
}

# Without graphs, and without trials of algorithms: neither may change a bit.
plainly() { # SETTING
  train "${1%%=*}" 1 "run.device=$DEVICE" run.precision=bf16 "$1" && same_weights gpu_bf16 "${1%%=*}"
}

resumed() { # from the middle of a run that went on
  train resumed 1 "run.device=$DEVICE" run.precision=bf16 --resume "$WORK/gpu_bf16/ckpt/step-00000010" &&
    grep -q 'at step 10' "$OUT/resume.log" && same_weights gpu_bf16 resumed
}

split() { # AXIS
  train "$1" 2 "run.device=$DEVICE" "dist.$1=2" && compare "$1" gpu_fp32 1e-5
}

training() {
  if ! "$BIN/gpu_clips" "$WORK/clips" >"$OUT/clips.log" 2>&1; then
    record failed clips 0 "$(tail -1 "$OUT/clips.log")"
    return
  fi
  config
  if [ -x "$BIN/train_setup_test_device" ]; then piece train_setup_test_device test_program "$BIN/train_setup_test_device"; fi
  piece losses_fp32 against_cpu fp32 1e-5
  piece losses_bf16 against_cpu bf16 1e-2
  piece rerun_fp32 again fp32
  piece rerun_bf16 again bf16
  if [ "$DEVICE" = cpu ]; then
    skipped rerun_eager "a CPU has no graphs"
    skipped rerun_untuned "a CPU has no trials"
  else
    piece rerun_eager plainly run.capture=false
    piece rerun_untuned plainly run.tune=false
  fi
  piece resume resumed
  if ! command -v mpirun >/dev/null; then
    for axis in dp tp cp; do skipped "ranks_$axis" "no mpirun on this machine"; done
    return
  fi
  for axis in dp tp cp; do piece "ranks_$axis" split $axis; done
  nccl_tests
}

# -- benches ---------------------------------------------------------------------------------

tokens_per_s() { # LOG
  sed -n 's/.*"tokens_per_s": *\([0-9.eE+]*\).*/\1/p' "$1" | tail -1
}

beside_reference() { # PRESET: the same step in PyTorch, then the two rates
  python3 "$REFERENCE" bench --preset "$1" --device "$DEVICE" --dtype bf16 --compile || return 1
  awk -v ours="$(tokens_per_s "$OUT/bench_step_$1.log")" -v theirs="$(tokens_per_s "$OUT/reference_$1.log")" 'BEGIN {
    if (!(ours > 0 && theirs > 0)) { print "no rates to compare: " ours ", " theirs; exit 1 }
    printf "%s tokens/s, PyTorch %s: %.3f times as many\n", ours, theirs, ours / theirs }'
}

bench() {
  local preset
  if ! $BENCH; then
    skipped bench "--no-bench"
    return
  fi
  for preset in small 1b; do
    if [ "$DEVICE" = cpu ] && [ $preset = 1b ]; then
      skipped bench_1b "too long on a CPU"
      continue
    fi
    piece bench_ops_$preset "$ORRERY" bench ops --preset $preset --device "$DEVICE"
    piece bench_step_$preset "$ORRERY" bench step --preset $preset --device "$DEVICE" --precision bf16 \
      --steps 20 --warmup 5
    if [ -z "$REFERENCE" ]; then
      skipped reference_$preset "no --reference FILE"
    elif ! python3 -c 'import torch' 2>/dev/null; then
      skipped reference_$preset "python3 has no torch"
    else
      piece reference_$preset beside_reference $preset
    fi
  done
  piece bench_comm "$ORRERY" bench comm --device "$DEVICE"
}

# -- summary ---------------------------------------------------------------------------------

summary() {
  awk -F '\t' '{ printf "%-7s %-34s %5s s  %s\n", $1, $2, $3, $4 }' "$OUT/results" >"$OUT/summary.txt"
  {
    printf '{"suite": "gpu", "device": "%s", "passed": %d, "failed": %d, "skipped": %d, "pieces": [' "$DEVICE" \
      "$(count passed)" "$(count failed)" "$(count skipped)"
    awk -F '\t' '{
      printf "%s\n  {\"name\": \"%s\", \"result\": \"%s\", \"seconds\": %d, \"words\": \"%s\"}",
        (NR > 1 ? "," : ""), $2, $1, $3, $4
    }' "$OUT/results"
    printf '\n], "benches": ['
    grep -h '^{"bench"' "$OUT"/bench_*.log 2>/dev/null | paste -sd, - || true
    printf ']}\n'
  } >"$OUT/summary.json"
  printf '%d passed, %d failed, %d skipped: %s\n' "$(count passed)" "$(count failed)" "$(count skipped)" \
    "$OUT/summary.txt" | tee -a "$OUT/summary.txt"
}

count() {
  grep -c "^$1" "$OUT/results" || true
}

piece machine machine
ops
training
sanitizer
bench
summary
[ "$(count passed)" -gt 0 ] && [ "$(count failed)" = 0 ]
