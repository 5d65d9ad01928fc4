#!/usr/bin/env python3
"""Whether long sessions are their files: several people play at once in the smallest world, with keys as people press
them and a way back each; every file is then played again in another process with one thread and with two, and eight
of them in one batch. By hand: it takes minutes.

usage: sessions.py BIN_DIR [--sessions N] [--minutes M] [--fps F]

One line of JSON; every frame that a person saw has to have the hash that each replay gives it.
"""
import argparse
import json
import pathlib
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "live"))
from ahead import keys  # noqa: E402
from client import BINARY  # noqa: E402
import served  # noqa: E402


def person(client, who, frames, out):
    """Plays `frames` frames, goes back a quarter of them at the half; out[who]: hashes by frame and the session file."""
    presses, back = keys(frames + frames // 4 + 1, 2, seed=who), frames // 2
    seen = {}
    f = client.begin(clip=who % 3, seed=who, temperature=3)
    first = f.number
    client.do("go", fps=1000)
    tick, gone_back, now = 0, False, None
    while f.number - first < frames:
        seen[f.number] = f.hash
        tick += 1
        want = tuple(map(float, presses[min(tick, len(presses) - 1)]))
        if want != now:
            client.act(*want)
            now = want
        if f.number - first >= back and not gone_back:
            gone_back = True
            client.do("pause")
            client.do("back", frame=f.number - frames // 4)
            while f.number > first + back - frames // 8:  # what was on its way
                f = client.frame()
            seen = {n: h for n, h in seen.items() if n < f.number}
            seen[f.number] = f.hash
            client.do("go", fps=1000)
        f = client.frame()
    client.do("pause")
    client.do("save")
    out[who] = (seen, client.file())


def replayed(i, file, threads):
    """Hash by frame number, as another process makes them."""
    out = served.root / f"{i}-{threads}.hashes"
    code, said = served.orrery("rollout", served.root / "dynamics", "--session", file, "--hashes", out, "--device", "cpu",
                               "--threads", threads)
    assert code == 0 and "to the bit" in said, said
    return dict((int(n), h) for n, h in (line.split() for line in out.read_text().splitlines()))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bin", type=pathlib.Path)
    p.add_argument("--sessions", type=int, default=10)
    p.add_argument("--minutes", type=float, default=10)
    p.add_argument("--fps", type=float, default=24)
    a = p.parse_args()
    frames, begin, out = round(a.minutes * 60 * a.fps), time.monotonic(), {}
    server = served.Server("--sessions", a.sessions)
    people = [threading.Thread(target=person, args=(server.client(), i, frames, out)) for i in range(a.sessions)]
    for t in people:
        t.start()
    for t in people:
        t.join()
    assert server.stop() == 0, server.said
    assert len(out) == a.sessions, f"{len(out)} of {a.sessions} sessions came to their end"
    played, files, checked = time.monotonic() - begin, [], 0
    for i in range(a.sessions):
        seen, file = out[i]
        files.append(served.root / f"{i}.orrery")
        files[i].write_bytes(file)
        one, two = (replayed(i, files[i], threads) for threads in (1, 2))
        assert one == two, f"session {i}: one thread and two differ"
        wrong = [n for n, h in seen.items() if one[n] != h]
        assert not wrong, f"session {i}: frame {wrong[0]} is another, {len(wrong)} of {len(seen)} are"
        checked += len(seen)
    server = served.Server("--sessions", 8)
    batch = [server.client() for _ in range(min(8, a.sessions))]
    for c, file in zip(batch, files):
        c.send(BINARY, bytes([3, 1, 0, 0, 0, 0, 0, 0]) + file.read_bytes())
    for i, c in enumerate(batch):
        end = c.hear("replayed", "error")
        assert end.get("equal") is True, f"session {i} in a batch: {end}"
    assert server.stop() == 0, server.said
    print(json.dumps({"bench": "sessions", "sessions": a.sessions, "frames": frames, "compared": checked, "equal": True,
                      "kb_an_hour": round(max(len(f) for _, f in out.values()) / 1e3 * 60 / a.minutes, 1),
                      "played_s": round(played), "all_s": round(time.monotonic() - begin)}))


if __name__ == "__main__":
    main()
