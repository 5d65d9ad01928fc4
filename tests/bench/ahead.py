"""ahead.py ORRERY RUN --data DIR [FRAMES]: frames a second of a program that asks for one after another and does
something of its own between them, as long as a frame takes to decode, with frames ahead and without. Keys are held as
people hold them. By hand: it measures the clock, so it is no test."""
import pathlib
import random
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "live"))
from client import Client  # noqa: E402


def keys(frames):
    """The action of each frame, and whether it is that of the frame before."""
    rng, now, left = random.Random(2), (0, 0), 0
    for _ in range(frames):
        held = left > 0
        if not held:
            before, left = now, rng.randint(3, 20)
            while now == before:
                now = rng.choice(((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1)))
        left -= 1
        yield now, held


def play(orrery, run, data, frames, between, *words):
    """Hashes, milliseconds of the frames under a held key, and the median time to decode."""
    server = subprocess.Popen([orrery, "play", run, "--data", data, "--port", "0", "--device", "cpu", *words], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if found := re.search(r"play: http://\S+:(\d+)/", line):
            break
    c = Client(int(found[1]))
    c.begin(clip=0)
    c.do("go", each="input")
    hashes, ms, decode = [], [], []
    for action, held in keys(frames):
        begin = time.monotonic()
        c.act(*action)
        f = c.frame()
        time.sleep(between / 1e3)
        hashes.append(f.hash)
        decode += [f.decode] if f.decode else []
        ms += [1e3 * (time.monotonic() - begin)] if held else []
    c.close()
    server.terminate()
    server.wait()
    return hashes, sorted(ms), sorted(decode)[len(decode) // 2]


def main():
    orrery, run, _, data = sys.argv[1:5]
    frames = int(sys.argv[5]) if len(sys.argv) > 5 else 600
    between = play(orrery, run, data, 60, 0, "--no-ahead")[2]
    without = play(orrery, run, data, frames, between, "--no-ahead")
    ahead = play(orrery, run, data, frames, between)
    rate = [1e3 / ms[len(ms) // 2] for ms in (without[1], ahead[1])]
    print(f"{frames} frames, {len(ahead[1])} of them under a held key, {between:.1f} ms to decode and as long between them")
    print(f"without {rate[0]:.1f} frames/s, ahead {rate[1]:.1f}: {rate[1] / rate[0]:.2f} x (medians); frames equal: {without[0] == ahead[0]}")


if __name__ == "__main__":
    main()
