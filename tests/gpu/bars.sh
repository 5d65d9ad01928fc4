# shellcheck shell=bash
# The summary of suite.sh: the last result of every piece, and which bars are met. A bar that is missed
# fails nothing: it is an answer. One without its pieces is null.

# One line a piece, with its last result, in the order in which they first ran.
last_results() {
  awk -F '\t' '!($2 in line) { order[++n] = $2 } { line[$2] = $0 } END { for (i = 1; i <= n; i++) print line[order[i]] }' \
    "$OUT/results"
}

count() { # RESULT
  last_results | grep -c "^$1" || true
}

number() { # PIECE FIELD: the last one of that name in its log
  sed -n 's/.*"'"$2"'": *\([-+.0-9eE]*\).*/\1/p' "$OUT/$1.log" 2>/dev/null | tail -1
}

off() { # PIECE: how far losses are from the others
  sed -n 's/.*losses differ by \([0-9.e+-]*\) .*/\1/p' "$OUT/$1.log" 2>/dev/null | tail -1
}

ratio() { # A B
  awk -v a="$1" -v b="$2" 'BEGIN { if (a > 0 && b > 0) printf "%.3f", a / b }'
}

# The smallest share of the copy rate, over the ops of a bench that have one.
least_of_copy() { # PIECE
  grep -o '"of_copy": *[0-9.eE+-]*' "$OUT/$1.log" 2>/dev/null | sed 's/.*: *//' | sort -g | head -1
}

all_passed() { # PIECE...: 1, 0, or nothing where one has not run
  local name
  for name in "$@"; do
    case $(result_of "$name") in
      passed) ;;
      failed) echo 0 && return ;;
      *) return ;;
    esac
  done
  echo 1
}

BARS=0
bar() { # NAME VALUE least|most LIMIT
  local met=null
  if [ -n "$2" ]; then
    met=$(awk -v v="$2" -v way="$3" -v l="$4" 'BEGIN { print ((way == "least" ? v >= l : v <= l) ? "true" : "false") }')
  fi
  [ $BARS = 0 ] || printf ','
  BARS=$((BARS + 1))
  printf '\n  {"name": "%s", "value": %s, "%s": %s, "met": %s}' "$1" "${2:-null}" "$3" "$4" "$met"
}

bars() {
  BARS=0
  bar losses_fp32 "$(off losses_fp32)" most 1e-5
  bar losses_bf16 "$(off losses_bf16)" most 1e-2
  bar bits_repeat "$(all_passed rerun_fp32 rerun_bf16 rerun_eager rerun_untuned resume)" least 1
  bar ranks "$(all_passed ranks_dp ranks_tp ranks_cp)" least 1
  bar speed_small "$(ratio "$(number bench_step_small tokens_per_s)" "$(number reference_step_small tokens_per_s)")" least 1.3
  bar speed_1b "$(ratio "$(number bench_step_1b tokens_per_s)" "$(number reference_step_1b tokens_per_s)")" least 1.15
  bar mfu_of_sheet_1b "$(number bench_step_1b mfu_sheet)" least 0.50
  bar least_of_copy_1b "$(least_of_copy bench_ops_1b)" least 0.85
  bar rollout_frames_per_s "$(number bench_rollout frames_per_s)" least 30
  bar rollout_p99_ms "$(number bench_rollout ms_p99)" most 42
}

summary() {
  {
    last_results | awk -F '\t' '{ printf "%-10s %-34s %5s s  %s\n", $1, $2, $3, $4 }'
    bars | sed -n 's/.*"name": "\([^"]*\)", "value": \([^,]*\), "\([a-z]*\)": \([^,]*\), "met": \([a-z]*\)}.*/bar \5 \1 \2 \3 \4/p' |
      awk '{ printf "bar %-6s %-34s %s, wanted at %s %s\n", ($2 == "true" ? "met" : $2 == "false" ? "missed" : "open"), $3, $4, $5, $6 }'
  } >"$OUT/summary.txt"
  {
    printf '{"suite": "gpu", "device": "%s", "passed": %d, "failed": %d, "skipped": %d, "unfinished": %d, "pieces": [' \
      "$DEVICE" "$(count passed)" "$(count failed)" "$(count skipped)" "$(count unfinished)"
    last_results | awk -F '\t' '{
      printf "%s\n  {\"name\": \"%s\", \"slice\": \"%s\", \"result\": \"%s\", \"seconds\": %d, \"words\": \"%s\"}",
        (NR > 1 ? "," : ""), $2, $5, $1, $3, $4
    }'
    printf '\n], "slices": ['
    awk -F '\t' '{ printf "%s{\"name\": \"%s\", \"seconds\": %d}", (NR > 1 ? ", " : ""), $1, $2 }' "$OUT/slices" 2>/dev/null
    printf '], "bars": ['
    bars
    printf '\n], "benches": ['
    grep -h '^{"bench"' "$OUT"/bench_*.log 2>/dev/null | paste -sd, - || true
    printf ']}\n'
  } >"$OUT/summary.json"
  printf '%d passed, %d failed, %d skipped, %d unfinished: %s\n' "$(count passed)" "$(count failed)" \
    "$(count skipped)" "$(count unfinished)" "$OUT/summary.txt" | tee -a "$OUT/summary.txt"
}
