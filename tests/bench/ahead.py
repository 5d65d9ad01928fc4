#!/usr/bin/env python3
"""What frames ahead bring: somebody presses keys as people do and waits for each frame, with frames ahead and without.

usage: ahead.py BIN_DIR RUN DATA [--think MS] [--frames N] [--rounds N] [--press X] [--play=OPTION]

A client shows a frame for --think ms (a screen, a network, a policy) and then says which keys are held; keys are
held for a third of a second in the middle, and changed one at a time. Whole sessions take turns, so that a busy minute
meets both. One line of JSON: frames a second over all frames and over those whose action was held, medians; every
frame of both has to have the same hash.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients"))
import numpy as np
import orrery_env


def keys(frames, components, seed=1, fps=24.0):
    """[frames, components] in -1, 0, 1: holds of a lognormal length."""
    random, rows, now = np.random.default_rng(seed), [], np.zeros(components, np.float32)
    while len(rows) < frames:
        now = now.copy()
        now[random.integers(components)] = random.choice([-1.0, 0.0, 1.0])
        rows += [now] * max(1, round(fps * float(random.lognormal(np.log(1 / 3), 0.6))))
    return np.array(rows[:frames])


def play(address, actions, think):
    """Hashes and seconds of every frame, and how many had been decoded ahead."""
    env, hashes, seconds, ahead = orrery_env.OrreryEnv(address, horizon=len(actions) + 1), [], [], 0
    try:
        env.reset(options={"clip": 0, "seed": 1})
        time.sleep(0.2)
        last = time.perf_counter()
        for action in actions:
            time.sleep(think)
            hashes.append(env.step(action)[4]["hash"])
            ahead += env.worlds.shown[0].ahead
            now = time.perf_counter()
            seconds.append(now - last)
            last = now
    finally:
        env.close()
    return hashes, seconds, ahead


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bin", type=pathlib.Path)
    p.add_argument("run"), p.add_argument("data")
    p.add_argument("--think", type=float, default=10.0)
    p.add_argument("--frames", type=int, default=200)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--press", type=float, default=1.0, help="what a key that is held says")
    p.add_argument("--play", action="append", default=[], help="an option of orrery play, as --play=--isa=avx2")
    a = p.parse_args()
    actions = None
    rates = {True: [], False: []}
    held_rates = {True: [], False: []}
    same, taken = set(), {}
    for _ in range(a.rounds):
        for ahead in (True, False):
            options = [*a.play, *([] if ahead else ["--no-ahead"])]
            with orrery_env.serve(a.run, a.data, 1, options, program=a.bin / "orrery") as address:
                if actions is None:
                    world = orrery_env.World(address)
                    actions = a.press * keys(a.frames, len(world.components))
                    world.close()
                hashes, seconds, taken[ahead] = play(address, actions, a.think / 1e3)
            # held: the frame before had the action, and so had the one before it
            held = [t for t in range(2, a.frames) if (actions[t] == actions[t - 1]).all() and
                    (actions[t - 1] == actions[t - 2]).all()]
            same.add(tuple(hashes))
            rates[ahead].append(a.frames / sum(seconds))
            held_rates[ahead].append(len(held) / sum(seconds[t] for t in held))
    middle = lambda rows: {"ahead": round(statistics.median(rows[True]), 2), "not": round(statistics.median(rows[False]), 2),
                           "ratio": round(statistics.median(x / y for x, y in zip(rows[True], rows[False])), 3)}
    print(json.dumps({"bench": "ahead", "think_ms": a.think, "frames": a.frames, "held": len(held), "rounds": a.rounds,
                      "frames_per_s": middle(rates), "frames_per_s_held": middle(held_rates),
                      "taken_ahead": taken[True], "equal_hashes": len(same) == 1}))
    return len(same) != 1


if __name__ == "__main__":
    sys.exit(main())
