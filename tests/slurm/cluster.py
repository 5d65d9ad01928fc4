"""A cluster of slurm/local-cluster, the jobs on it, and what runs leave."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "faults"))
from runs import Runs  # noqa: E402

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")
PATIENCE = 20


class Cluster(Runs):
    def __init__(self, source, build):
        super().__init__(source, build, "orrery-slurm-")
        self.tool = os.path.join(source, "slurm/local-cluster")
        self.slurm = self.path("slurm")
        self.env["SLURM_CONF"] = self.path("slurm", "slurm.conf")
        self.do("start")

    def close(self):
        self.do("stop")

    def do(self, command, *words):
        """A command of slurm/local-cluster. It leaves daemons running, so its output is a file, not a pipe."""
        with open(os.path.join(self.root, "cluster.log"), "a+", encoding="utf-8") as log:
            done = subprocess.run([self.tool, command, self.slurm, *words], env=self.env, stdout=log, stderr=log,
                                  stdin=subprocess.DEVNULL, timeout=600, check=False)
            if done.returncode != 0:
                log.seek(0)
                raise AssertionError(f"local-cluster {command}: {log.read()}")

    # -- jobs ------------------------------------------------------------------------------------

    def submit(self, name, options, words):
        """sbatch OPTIONS WORDS; its output goes to NAME.log. Returns the job's number."""
        out = self.run(["sbatch", "--parsable", f"--output={self.path(name + '.log')}", f"--job-name={name}",
                        *options, *words])
        return out.stdout.strip()

    def train(self, name, options, settings, file="slurm/pretrain.sbatch"):
        return self.submit(name, options, [file, *self.words(name, settings)[2:]])

    def job(self, number):
        """Slurm's words on a job: JobState, Restarts, NodeList, ..."""
        text = self.run(["scontrol", "show", "job", number]).stdout
        return dict(re.findall(r"(\w+)=(\S*)", text))

    def log(self, name):
        try:
            with open(self.path(name + ".log"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait(self, what, seconds, condition):
        """Until condition() is true. The time only ends a test that would wait for ever: a machine may be
        PATIENCE times slower than an idle one."""
        until = time.monotonic() + PATIENCE * seconds
        while time.monotonic() < until:
            value = condition()
            if value:
                return value
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within {PATIENCE * seconds} s\n{self.run(['squeue', '-l']).stdout}"
                             f"{self.run(['sinfo', '-l']).stdout}")

    def ended(self, number, name, seconds=100):
        """Waits for the end of a job and wants it COMPLETED."""
        job = self.wait(f"job {number} ({name}) ends", seconds,
                        lambda: (j := self.job(number))["JobState"] in ENDED and j)
        if job["JobState"] != "COMPLETED":
            raise AssertionError(f"job {number} ({name}): {job['JobState']}\n{self.log(name)}")
        return job
