#!/usr/bin/env bash
# The GPU suite on a machine without a GPU: with the CPU as its device every piece of training passes,
# and what fails, is missing, differs or hangs fails the suite by name, within its limits.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(readlink -f "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin"
ln -s "$build/orrery" "$build/gpu_clips" "$dir/bin/"
printf '#!/bin/sh\nexit 0\n' >"$dir/bin/sound_op" && chmod +x "$dir/bin/sound_op"

suite() { # OUT WORDS...: no limit but those that a test asks for, for the machine may be busy
  local out=$1
  shift
  "$here/suite.sh" --device cpu --no-bench --patience 100 --slice-s 100000 "$@" "$dir/bin" "$dir/$out" >"$dir/$out.txt" 2>&1
}
expect() { # WORDS FILE
  grep -q "$1" "$2" || { echo "no '$1' in:" && cat "$2" && exit 1; }
}

suite all --ops sound_ || { cat "$dir/all.txt" "$dir"/all/*.log && exit 1; }
for name in op_sound_op losses_fp32 losses_bf16 rerun_fp32 rerun_bf16 resume ranks_dp ranks_tp ranks_cp; do
  expect "^passed  *$name " "$dir/all/summary.txt"
done
expect '^skipped  *bench_1b .*--no-bench' "$dir/all/summary.txt"
expect '^skipped  *rerun_eager ' "$dir/all/summary.txt"
expect '20 steps, losses differ by' "$dir/all/ranks_tp.log"
python3 - "$dir/all/summary.json" <<'PY'
import json, sys
s = json.load(open(sys.argv[1]))
assert s["failed"] == 0 and s["passed"] > 8, s
assert len(s["pieces"]) == s["passed"] + s["skipped"], s
assert {p["name"]: p["result"] for p in s["pieces"]}["ranks_cp"] == "passed", s
assert {p["name"]: p["slice"] for p in s["pieces"]}["ranks_cp"] == "ranks", s
assert len(s["slices"]) == 8, s
bars = {b["name"]: b for b in s["bars"]}
assert bars["losses_fp32"]["met"] is True and bars["losses_fp32"]["value"] <= 1e-5, s
assert bars["bits_repeat"]["met"] is None and bars["ranks"]["met"] is True, s  # no graphs to rerun without
assert bars["speed_1b"] == {"name": "speed_1b", "value": None, "least": 1.15, "met": None}, s
PY

# what hangs is ended: by its own limit, which fails it, or by its slice's end, which does not; the slice
# goes on from there when it is called again, and what has passed is not run again
code_of() { # WORDS...: the suite's exit code
  local code=0
  suite "$@" || code=$?
  echo $code
}
printf '#!/bin/sh\nsleep 300\n' >"$dir/bin/slow_op" && chmod +x "$dir/bin/slow_op"
[ "$(code_of limit --ops slow_ --slice ops --only 'op_*' --limit 2)" = 1 ] || { echo "a hang passed" && exit 1; }
expect '^failed  *op_slow_op .* not done in 2 s' "$dir/limit/summary.txt"
cp "$dir/bin/sound_op" "$dir/bin/slow_a"
[ "$(code_of cut --ops slow_ --slice ops --only 'op_slow_a')" = 0 ] || { cat "$dir/cut.txt" && exit 1; }
[ "$(code_of cut --ops slow_ --slice ops --only 'op_*' --slice-s 3)" = 3 ] || { cat "$dir/cut.txt" && exit 1; }
expect '^passed  *op_slow_a ' "$dir/cut/summary.txt"
expect '^unfinished op_slow_op .*call slice ops again' "$dir/cut/summary.txt"
cp "$dir/bin/sound_op" "$dir/bin/slow_op"
printf '#!/bin/sh\nexit 1\n' >"$dir/bin/slow_a" # passed before
[ "$(code_of cut --ops slow_ --slice ops --only 'op_*')" = 0 ] || { cat "$dir/cut.txt" && exit 1; }
expect '^passed  *op_slow_op ' "$dir/cut/summary.txt"
[ "$(code_of cut --ops slow_ --slice ops --only 'op_*' --again)" = 1 ] || { echo "--again kept a result" && exit 1; }
[ "$(code_of what --slice operations)" = 2 ] || { echo "an unknown slice passed" && exit 1; }

# a failing program, no programs at all, and a run that goes another way
cp /bin/false "$dir/bin/broken_op"
if suite broken --ops broken_ --only 'op_*'; then echo "a failing op passed" && exit 1; fi
expect '^failed  *op_broken_op ' "$dir/broken/summary.txt"
if suite none --ops absent_ --only 'op_*'; then echo "no op programs passed" && exit 1; fi
expect 'no test programs absent_' "$dir/none/summary.txt"
rm "$dir/bin/orrery"
cat >"$dir/bin/orrery" <<SH
#!/bin/sh
case "\$*" in *again_fp32*) exec "$build/orrery" "\$@" --set run.seed=4 ;; esac
exec "$build/orrery" "\$@"
SH
chmod +x "$dir/bin/orrery"
if suite other --ops sound_ --only '*_fp32'; then echo "another run passed for the same" && exit 1; fi
expect '^failed  *rerun_fp32 ' "$dir/other/summary.txt"
expect '^passed  *losses_fp32 ' "$dir/other/summary.txt"
echo "the suite passes, fails and skips as it should"
