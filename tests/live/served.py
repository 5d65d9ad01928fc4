"""A tiny trained world, and `orrery play` serving it: what the tests of the server stand on. Their scripts are given
the folder of the programs as their first word."""
import atexit
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from client import Client

BIN = pathlib.Path(sys.argv[1]).resolve()
root = None  # of the world


def make_world():
    """Once for a script."""
    global root
    if root:
        return
    root = pathlib.Path(tempfile.mkdtemp(prefix="orrery-live-"))
    atexit.register(shutil.rmtree, root, True)
    subprocess.run([BIN / "live_tiny_world", root], check=True)


def orrery(*words):
    """Exit code and what was said."""
    p = subprocess.run([BIN / "orrery", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


class Server:
    def __init__(self, *words, model="dynamics", data="clips", port=0):
        make_world()
        clips = ["--data", root / data] if data else []
        self.process = subprocess.Popen(
            [str(w) for w in (BIN / "orrery", "play", root / model, *clips, "--port", port, "--threads", 1, "--device", "cpu", *words)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.said, self.url = "", None
        for line in self.process.stderr:
            self.said += line
            if found := re.search(r"play: (http://\S+)", line):
                self.url = found[1]
                break
        if not self.url:
            self.process.stderr.close()
            raise AssertionError(f"exit code {self.process.wait()}: {self.said}")
        self.port = int(re.search(r":(\d+)/", self.url)[1])

    def client(self, *args, **more):
        return Client(self.port, *args, **more)

    def stop(self):
        """Exit code; what it said goes to `said`."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            self.said += self.process.stderr.read()
            self.process.stderr.close()
            self.process.wait()
        return self.process.returncode


class Served(unittest.TestCase):
    """One server for all cases of the class, with `words` of its own."""
    words = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.words)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0, cls.server.said

    def client(self, *args, **more):
        c = self.server.client(*args, **more)
        self.addCleanup(c.close)
        return c


def main():
    unittest.main(argv=sys.argv[:1])
