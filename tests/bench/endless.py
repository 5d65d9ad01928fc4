"""endless.py ORRERY RUN --data DIR [FRAMES]: memory and time a frame of one session that goes on and on under changing
keys. By hand: it measures the clock, so it is no test."""
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "live"))
from client import Client  # noqa: E402


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def main():
    orrery, run, _, data = sys.argv[1:5]
    frames = int(sys.argv[5]) if len(sys.argv) > 5 else 200000
    server = subprocess.Popen([orrery, "play", run, "--data", data, "--port", "0", "--device", "cpu", "--threads", "1", "--no-ahead"],
                              stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if found := re.search(r"play: http://\S+:(\d+)/", line):
            break
    c = Client(int(found[1]))
    c.begin(clip=0)
    c.do("go", fps=1000)
    begin, last, number, kept = time.monotonic(), time.monotonic(), 0, []
    decode = []
    while number < frames:
        f = c.frame()
        decode.append(f.decode)
        if f.number // 20 != number // 20:
            c.act((f.number // 20) % 3 - 1, (f.number // 60) % 3 - 1)
        if f.number // (frames // 10) != number // (frames // 10):
            decode.sort()
            kept.append(resident(server.pid))
            print(f"frame {f.number}: {kept[-1]} KiB, {decode[len(decode) // 2]:.3f} ms to decode (median), "
                  f"{1e3 * (time.monotonic() - last) / (frames // 10):.3f} ms a frame in all", flush=True)
            last, decode = time.monotonic(), []
        number = f.number
    c.do("save")
    print(f"{frames} frames in {time.monotonic() - begin:.0f} s; memory {kept[-1] / kept[0] - 1:+.2%} since a tenth of them; "
          f"session file {len(c.file())} bytes")
    server.terminate()
    server.wait()


if __name__ == "__main__":
    main()
