"""crowd.py ORRERY RUN --data DIR [CONNECTIONS]: what somebody who plays notices while so many connections come to the
server, half of them asking for a socket and half saying nothing. By hand: it measures the clock, so it is no test."""
import pathlib
import re
import resource
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "live"))
from client import Client  # noqa: E402

HANDSHAKE = ("GET /play/1 HTTP/1.1\r\nHost: 127.0.0.1:{0}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def flood(port, count):
    """Connections that stay open until all have come."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    there, refused = [], 0
    for i in range(count):
        s = socket.socket()
        s.settimeout(0.005)  # one that finds no place in the queue is given up
        try:
            s.connect(("127.0.0.1", port))
            if i % 2:
                s.sendall(HANDSHAKE.format(port).encode())
            there.append(s)
        except OSError:
            refused += 1
            s.close()
    print(len(there), refused)


def steps(c, until):
    ms = []
    while not until(ms):
        begin = time.monotonic()
        c.step(len(ms) % 3 - 1, 1)
        ms.append(1e3 * (time.monotonic() - begin))
        time.sleep(0.005)  # messages have a rate
    ms.sort()
    return ms


def say(what, ms):
    print(f"{what}: {len(ms)} steps, p50 {ms[len(ms) // 2]:.2f} ms, p99 {ms[int(0.99 * len(ms))]:.2f} ms, most {ms[-1]:.1f} ms")


def main():
    orrery, run, _, data = sys.argv[1:5]
    count = int(sys.argv[5]) if len(sys.argv) > 5 else 10000
    server = subprocess.Popen([orrery, "play", run, "--data", data, "--port", "0", "--device", "cpu", "--threads", "1", "--sessions", "2"],
                              stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if found := re.search(r"play: http://\S+:(\d+)/", line):
            break
    port = int(found[1])
    c = Client(port)
    c.begin(clip=0)
    say("before", steps(c, lambda ms: len(ms) == 2000))
    crowd = subprocess.Popen([sys.executable, __file__, "--flood", str(port), str(count)], stdout=subprocess.PIPE, text=True)
    say("during", steps(c, lambda ms: crowd.poll() is not None))
    print("connections that came, that were given up:", crowd.communicate()[0].strip())
    say("after", steps(c, lambda ms: len(ms) == 2000))
    with Client(port) as d:  # there is room again
        d.begin(clip=1)
    server.terminate()
    server.wait()


if __name__ == "__main__":
    if sys.argv[1] == "--flood":
        flood(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
