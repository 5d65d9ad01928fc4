"""The program on the smallest data set, in a folder of its own: the base of test cases whose script is given the
folder of the programs as its first word."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BIN = pathlib.Path(sys.argv[1])


def process_of(rank, launcher):
    """The process id of a rank that `launcher` (mpirun) started."""
    for entry in pathlib.Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == launcher and f"OMPI_COMM_WORLD_RANK={rank}\0" in (entry / "environ").read_text():
                return int(entry.name)
        except (OSError, ValueError, IndexError):
            continue
    return None


class SmallRun(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="orrery-test-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        subprocess.run([BIN / "slurm_small_set", self.root], check=True)

    def command(self, name, *settings, program="orrery"):
        """Words that train with results in root/name."""
        words = [BIN / program, "train", self.root / "small.yaml"]
        for s in (f"run.dir={self.root / name}", *settings):
            words += ["--set", s]
        return words

    def lines(self, name, file="metrics.jsonl"):
        return [json.loads(line) for line in (self.root / name / file).read_text().splitlines()]

    def losses(self, name):
        return [line["loss"] for line in self.lines(name)]
