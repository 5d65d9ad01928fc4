# shellcheck shell=bash
# What the pieces of suite.sh do. A function here runs in a shell of its own, under a time limit, with the
# suite's settings in its environment.

# A test program that skips everything says so; that is no pass.
test_program() {
  local words
  words=$("$@" 2>&1)
  local code=$?
  printf '%s\n' "$words"
  if grep -q '^\[  SKIPPED' <<<"$words"; then echo "skipped what it should test" && return 1; fi
  return $code
}

# The card, the driver, and which libraries a program would find.
machine() {
  nvidia-smi --query-gpu=name,compute_cap,memory.total,driver_version --format=csv,noheader 2>/dev/null || true
  uname -srm
  echo "LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}"
  ldconfig -p 2>/dev/null | grep -E 'lib(cublasLt|cudnn|nvrtc|nccl|cuda)\.so\.' || echo "none of CUDA's libraries in the loader's cache"
  "$ORRERY" bench step --preset small --clips 1 --steps 1 --warmup 0 --device "$DEVICE" --precision bf16
}

op_programs() {
  find "$BIN" -maxdepth 1 -name "$PREFIX*" -type f -perm -u+x ! -name gpu_clips | sort
}

# -- training ----------------------------------------------------------------------------------

# Clips, and a small dynamics model whose frames are long enough for cuDNN; once for all slices.
inputs() {
  [ -e "$WORK/small.yaml" ] && return
  "$BIN/gpu_clips" "$WORK/clips" || return 1
  cat >"$WORK/small.yaml" <<YAML
run: {threads: $THREADS, precision: fp32, seed: 3}
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
  rm -rf "${WORK:?}/$name" # of a piece that was cut off
  words=("$ORRERY" train "$WORK/small.yaml" --set "run.dir=$WORK/$name" "${words[@]}")
  if [ "$ranks" = 1 ]; then
    "${words[@]}"
  else
    # NCCL refuses two ranks of one host on one GPU: each gets a host of its own, over the loopback
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

on_device() { # PRECISION: the run that others are held against; a slice may come without those before it
  [ -e "$WORK/gpu_$1/ckpt/step-00000020/manifest.json" ] || train "gpu_$1" 1 "run.precision=$1" "run.device=$DEVICE"
}

against_cpu() { # PRECISION TOLERANCE
  train "cpu_$1" 1 "run.precision=$1" run.device=cpu && on_device "$1" && compare "gpu_$1" "cpu_$1" "$2"
}

again() { # PRECISION
  on_device "$1" && train "again_$1" 1 "run.precision=$1" "run.device=$DEVICE" && same_weights "gpu_$1" "again_$1"
}

# Without graphs, and without trials of algorithms: neither may change a bit.
plainly() { # SETTING
  on_device bf16 && train "${1%%=*}" 1 "run.device=$DEVICE" run.precision=bf16 "$1" &&
    same_weights gpu_bf16 "${1%%=*}"
}

resumed() { # from the middle of a run that went on
  on_device bf16 &&
    train resumed 1 "run.device=$DEVICE" run.precision=bf16 --resume "$WORK/gpu_bf16/ckpt/step-00000010" &&
    grep -q 'at step 10' "$OUT/resume.log" && same_weights gpu_bf16 resumed
}

split() { # AXIS
  on_device fp32 && train "$1" 2 "run.device=$DEVICE" "dist.$1=2" && compare "$1" gpu_fp32 1e-5
}

nccl_test() { # RANKS: the tests of dist/ over NCCL
  # shellcheck disable=SC2016
  test_program mpirun -n "$1" sh -c \
    'NCCL_HOSTID=$OMPI_COMM_WORLD_RANK NCCL_SOCKET_IFNAME=lo exec "$1"' sh "$BIN/dist_test_nccl_gpu_$1"
}
