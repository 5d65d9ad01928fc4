#!/usr/bin/env python3
"""No room calls upward, through a declaration of its own either: python3 tests/check/symbols.py BUILD_DIR

What a room's library leaves undefined must be defined in a room of a lower floor (tests/check/layering.py), in a
folder below, or outside the project."""
import glob
import os
import subprocess
import sys


from layering import FLOOR, ROOMS


def place_of(library):
    """(folder, room or None) of liborr_train_model.a or liborr_base.a."""
    name = os.path.basename(library)[len("liborr_"):-len(".a")]
    folder, _, room = name.partition("_")
    return folder, room or None


def symbols_of(library):
    """(defined, undefined) names of an archive."""
    text = subprocess.run(["nm", "--extern-only", "-P", library], capture_output=True, text=True, check=True).stdout
    defined, undefined = set(), set()
    for line in text.splitlines():
        parts = line.split()
        if len(parts) >= 2 and len(parts[1]) == 1:
            (undefined if parts[1] in "Uw" else defined).add(parts[0])
    return defined, undefined - defined


def may_call(caller, callee):
    """Whether code in one (folder, room) may call what is in another."""
    if caller == callee:
        return True
    if caller[0] == callee[0]:
        rooms = ROOMS[caller[0]]
        return rooms[callee[1]] < rooms[caller[1]]
    return FLOOR[callee[0]] < FLOOR[caller[0]]


def findings(tables):
    """tables: {(folder, room): (defined, undefined)} -> words for each call upward or between siblings."""
    home = {symbol: place for place, (defined, _) in tables.items() for symbol in defined}
    return [f"{'/'.join(filter(None, place))}: calls {symbol} of {'/'.join(filter(None, home[symbol]))}"
            for place, (_, undefined) in sorted(tables.items(), key=str) for symbol in sorted(undefined)
            if symbol in home and not may_call(place, home[symbol])]


def self_test():
    """A call down is sound, one up and one to a sibling are found."""
    tables = {("train", "run"): ({"train_run"}, {"train_step", "orr_fail", "malloc"}),
              ("train", "step"): ({"train_step"}, {"train_run"}),
              ("train", "infer"): ({"train_infer"}, {"train_run"}),
              ("base", None): ({"orr_fail"}, set())}
    found = findings(tables)
    return len(found) == 2 and found[0].startswith("train/infer: calls train_run") and found[1].startswith("train/step: calls train_run")


def main():
    if not self_test():
        print("the check itself does not find a call upward")
        return 1
    libraries = [p for p in glob.glob(os.path.join(sys.argv[1], "liborr_*.a"))
                 if place_of(p)[0] in FLOOR and (place_of(p)[1] is None or place_of(p)[1] in ROOMS.get(place_of(p)[0], {}))]
    if not libraries and not os.path.exists(os.path.join(sys.argv[1], "orrery")):
        print("skipped: nothing has been built yet, whose symbols could be read: ./run build")
        return 77
    if not libraries:
        print(f"no libraries in {sys.argv[1]}")
        return 1
    found = findings({place_of(p): symbols_of(p) for p in libraries})
    print(*found, sep="\n")
    print(f"{len(libraries)} libraries, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
