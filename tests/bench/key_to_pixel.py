"""key_to_pixel.py ORRERY RUN --data DIR [PRESSES [WORDS OF play...]]: how long from a key press to the pixels that answer it, in the page
of `orrery play` in a headless Chromium on this machine. By hand: it measures the clock, so it is no test."""
import pathlib
import random
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "live"))
from browser import Browser  # noqa: E402

WIDTH = 10  # ms of a bar


def serve(orrery, run, data, more):
    p = subprocess.Popen([orrery, "play", run, "--data", data, "--port", "0", "--device", "cpu", *more], stderr=subprocess.PIPE, text=True)
    for line in p.stderr:
        if found := re.search(r"play: (http://\S+)", line):
            return p, found[1]
    raise SystemExit(f"no server: exit code {p.wait()}")


def press(browser, presses):
    """Holds keys for as long as people do, one after another."""
    rng = random.Random(1)
    for i in range(presses):
        code = rng.choice(("KeyW", "KeyA", "KeyS", "KeyD"))
        before = browser.evaluate("orrery.latencies.length")
        browser.key(code, True)
        time.sleep(rng.uniform(0.06, 0.25))
        browser.key(code, False)
        time.sleep(rng.uniform(0.06, 0.25))
        if i % 100 == 99:
            print(f"{i + 1} presses, the last made {browser.evaluate('orrery.latencies.length') - before} measurements", file=sys.stderr)


def main():
    orrery, run, _, data = sys.argv[1:5]
    presses = int(sys.argv[5]) if len(sys.argv) > 5 else 500
    server, url = serve(orrery, run, data, sys.argv[6:])
    browser = Browser()
    try:
        browser.open(url)
        browser.wait("orrery.connected && !document.getElementById('enter').disabled")
        browser.press("Space")
        browser.wait("orrery.frames > 20")
        press(browser, presses)
        ms = sorted(browser.evaluate("orrery.latencies"))
        figures = browser.evaluate("[orrery.frames, document.getElementById('rate').textContent, document.getElementById('missed').textContent]")
    finally:
        browser.close()
        server.terminate()
        server.wait()
    at = [ms[min(len(ms) - 1, int(share * len(ms)))] for share in (0.5, 0.9, 0.99)]
    print(f"{presses} presses, {len(ms)} changes of action answered, {figures[0]} frames ({figures[1]} a second, {figures[2]} missed)")
    print("key to pixel: p50 %.0f ms, p90 %.0f ms, p99 %.0f ms, most %.0f ms" % (*at, ms[-1]))
    end = int(at[2] // WIDTH + 1) * WIDTH
    for low in range(0, end, WIDTH):
        n = sum(low <= x < low + WIDTH for x in ms)
        print(f"{low:4d} ms {'#' * round(60 * n / len(ms))} {n}")
    print(f"{end:4d} ms and more: {sum(x >= end for x in ms)}")


if __name__ == "__main__":
    main()
