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
    """The data set is made once for all cases of a class; each has a folder of its own for its runs."""

    @staticmethod
    def folder(add_cleanup):
        folder = tempfile.TemporaryDirectory(prefix="orrery-test-")
        add_cleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    @classmethod
    def setUpClass(cls):
        cls.data = cls.folder(cls.addClassCleanup)
        subprocess.run([BIN / "slurm_small_set", cls.data], check=True)

    def setUp(self):
        self.root = self.folder(self.addCleanup)

    @classmethod
    def words(cls, dir, *settings, program="orrery"):
        """A command that trains with results in this folder."""
        words = [BIN / program, "train", cls.data / "small.yaml"]
        for s in (f"run.dir={dir}", *settings):
            words += ["--set", s]
        return words

    def command(self, name, *settings, program="orrery"):
        return self.words(self.root / name, *settings, program=program)

    def lines(self, name, file="metrics.jsonl"):
        return [json.loads(line) for line in (self.root / name / file).read_text().splitlines()]

    def losses(self, name):
        return [line["loss"] for line in self.lines(name)]
