"""How well `orrery plan` foretells: steps of models and layouts that are in no machine file, timed and foretold.

  tests/bench/foretold.py --build build/release [--machine ONE.json] [--machine2 TWO.json] [--steps N] [--rounds N]

ONE.json: `orrery bench machine --threads 1 --out ONE.json`; TWO.json: the same under `mpirun -n 2`. On one rank with one
thread the thread's computing time is compared, so that a machine may be busy; between two ranks it must be quiet: the
shortest of --rounds medians counts, all pairs in turn.
Prints a row a pair, and the median and the worst error. Not a test: nothing is judged here."""
import argparse
import json
import os
import statistics
import subprocess

# width, heads, hidden, layers, frames, side, clips, codes
MODELS = [(96, 3, 288, 4, 12, 6, 4, 600), (160, 5, 480, 6, 8, 8, 4, 1000), (192, 6, 576, 4, 16, 6, 4, 512),
          (320, 5, 960, 4, 12, 8, 2, 1000), (448, 7, 1344, 3, 8, 8, 2, 2048), (640, 10, 1920, 2, 8, 6, 2, 1000)]
ALONE = [("", []), ("micro-batches of half", ["train.micro_batch=HALF"]), ("recompute cheap", ["train.recompute=cheap"]),
         ("recompute all", ["train.recompute=all"])]
TWO = [("dp 2", []), ("dp 2 zero 1", ["dist.zero=1"]), ("dp 2 zero 2", ["dist.zero=2"]), ("dp 2 zero 3", ["dist.zero=3"]),
       ("tp 2", ["dist.tp=2"]), ("cp 2", ["dist.cp=2"])]


def settings(model):
    width, heads, hidden, layers, frames, side, clips, codes = model
    keys = {"model.width": width, "model.heads": heads, "model.kv_heads": heads, "model.hidden": hidden,
            "model.layers": layers, "data.frames": frames, "model.rows": side, "model.cols": side, "train.batch": clips,
            "model.codes": codes, "model.time_every": 2, "run.threads": 1}
    return [f"{k}={v}" for k, v in keys.items()]


def pairs(args):
    """(ranks, width, layout's name, settings)."""
    for model in MODELS:
        for ranks, layouts in ((1, ALONE if args.machine else []), (2, TWO if args.machine2 else [])):
            for name, more in layouts:
                if name == "tp 2" and model[1] % 2 != 0:
                    continue
                yield ranks, model[0], name, settings(model) + [s.replace("HALF", str(model[6] // 2)) for s in more]


def measure(args, ranks, keys):
    """Milliseconds that a step took, and that were foretold."""
    words = [w for s in keys for w in ("--set", s)]
    start = [] if ranks == 1 else ["mpirun", "-n", str(ranks), "--oversubscribe"]
    done = subprocess.run([*start, os.path.join(args.build, "orrery"), "bench", "step", "--precision", "fp32", "--steps", args.steps,
                           "--machine", args.machine if ranks == 1 else args.machine2, *words],
                          stdout=subprocess.PIPE, text=True, check=True)
    j = json.loads(done.stdout.splitlines()[-1])
    return j["cpu_ms"] if ranks == 1 else j["step_ms"], j["foretold_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--machine")
    parser.add_argument("--machine2")
    parser.add_argument("--steps", default="7")
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    seen = {}
    for _ in range(args.rounds):
        for ranks, width, name, keys in pairs(args):
            took, foretold = measure(args, ranks, keys)
            seen.setdefault((ranks, width, name), (foretold, []))[1].append(took)
    errors = []
    for (ranks, width, name), (foretold, all_took) in seen.items():
        off = foretold / min(all_took) - 1.0
        errors.append((abs(off), ranks))
        print(f"width {width:4d} {ranks} rank{'s' if ranks > 1 else ' '} {name:22s} took {min(all_took):9.2f} ms, "
              f"foretold {foretold:9.2f} ms, {100 * off:+6.1f} %", flush=True)
    for ranks in sorted({r for _, r in errors}):
        some = [e for e, r in errors if r == ranks]
        print(f"{ranks} rank(s), {len(some)} pairs: median error {100 * statistics.median(some):.1f} %, "
              f"worst {100 * max(some):.1f} %")


main()
