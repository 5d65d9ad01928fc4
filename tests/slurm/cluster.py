"""A cluster of slurm/local-cluster, the jobs on it, and what runs leave behind."""
import json
import os
import re
import subprocess
import tempfile
import time

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")


class Cluster:
    """Slurm, a data set and a configuration (small.yaml) in a temporary folder."""

    def __init__(self, source, build):
        self.source = source
        self.root = tempfile.mkdtemp(prefix="orrery-slurm-")
        self.tool = os.path.join(source, "slurm/local-cluster")
        self.slurm = os.path.join(self.root, "slurm")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "PMI", "OMPI_COMM"))}
        self.env.update(SLURM_CONF=os.path.join(self.slurm, "slurm.conf"), ORRERY=os.path.join(build, "orrery"),
                        OMPI_MCA_mpi_yield_when_idle="1", OMPI_ALLOW_RUN_AS_ROOT="1",
                        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", HWLOC_HIDE_ERRORS="2")
        self.run([os.path.join(build, "slurm_small_set"), self.root])
        self.do("start")

    def close(self):
        self.do("stop")

    def run(self, words, check=True):
        done = subprocess.run(words, cwd=self.source, env=self.env, capture_output=True, text=True, timeout=300,
                              check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr}{done.stdout}")
        return done

    def do(self, command, *words):
        """A command of slurm/local-cluster. It leaves daemons behind, so its output is a file, not a pipe."""
        with open(os.path.join(self.root, "cluster.log"), "a+", encoding="utf-8") as log:
            done = subprocess.run([self.tool, command, self.slurm, *words], env=self.env, stdout=log, stderr=log,
                                  stdin=subprocess.DEVNULL, timeout=120, check=False)
            if done.returncode != 0:
                log.seek(0)
                raise AssertionError(f"local-cluster {command}: {log.read()}")

    def path(self, *names):
        return os.path.join(self.root, *names)

    # -- jobs ------------------------------------------------------------------------------------

    def submit(self, name, options, words):
        """sbatch OPTIONS WORDS; its output goes to NAME.log. Returns the job's number."""
        out = self.run(["sbatch", "--parsable", f"--output={self.path(name + '.log')}", f"--job-name={name}",
                        *options, *words])
        return out.stdout.strip()

    def train(self, name, options, settings, file="slurm/pretrain.sbatch"):
        sets = [w for s in (f"run.dir={self.path(name)}", *settings) for w in ("--set", s)]
        return self.submit(name, options, [file, self.path("small.yaml"), *sets])

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
        """Until condition() is true; the time is there to end a test that would wait for ever."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {seconds} s\n{self.run(['squeue', '-l']).stdout}"
                             f"{self.run(['sinfo', '-l']).stdout}")

    def ended(self, number, name, seconds=240):
        """Waits for the end of a job and wants it COMPLETED."""
        job = self.wait(f"job {number} ({name}) ends", seconds,
                        lambda: (j := self.job(number))["JobState"] in ENDED and j)
        if job["JobState"] != "COMPLETED":
            raise AssertionError(f"job {number} ({name}): {job['JobState']}\n{self.log(name)}")
        return job

    # -- runs ------------------------------------------------------------------------------------

    def steps(self, name):
        """Lines in a run's metrics, while it may be writing them."""
        try:
            with open(self.path(name, "metrics.jsonl"), "rb") as f:
                return f.read().count(b"\n")
        except FileNotFoundError:
            return 0

    def numbers(self, name):
        """What does not depend on time, as text: step, loss, rate, norm of every line of the metrics."""
        kept = []
        with open(self.path(name, "metrics.jsonl"), encoding="utf-8") as f:
            for i, line in enumerate(f):
                if json.loads(line)["step"] != i + 1:
                    raise AssertionError(f"{name}: line {i + 1} of its metrics is {line}")
                kept.append(line.split(', "tokens_per_s"')[0])
        return kept

    def weights(self, run, step):
        """The bytes of the model's and the optimizer's files of a checkpoint."""
        folder = self.path(run, "ckpt", f"step-{step:08d}")
        contents = {}
        for name in sorted(os.listdir(folder)):
            if name.endswith(".safetensors"):
                with open(os.path.join(folder, name), "rb") as f:
                    contents[name] = f.read()
        return contents
