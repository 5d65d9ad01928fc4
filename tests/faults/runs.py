"""Training runs of the smallest model in a temporary folder, and what they leave."""
import json
import os
import shutil
import subprocess
import tempfile


class Runs:
    """A data set and a configuration (small.yaml) in a folder of their own; environment for the program."""

    def __init__(self, source, build, prefix):
        self.source = source
        self.orrery = os.path.join(build, "orrery")
        self.root = tempfile.mkdtemp(prefix=prefix)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "PMI", "OMPI_COMM"))}
        self.env.update(ORRERY=self.orrery, OMPI_MCA_mpi_yield_when_idle="1", OMPI_ALLOW_RUN_AS_ROOT="1",
                        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1",
                        OMPI_MCA_hwloc_base_binding_policy="none", OMPI_MCA_btl_vader_single_copy_mechanism="none",
                        HWLOC_HIDE_ERRORS="2")
        self.run([os.path.join(build, "slurm_small_set"), self.root])

    def remove(self):
        shutil.rmtree(self.root)

    def path(self, *names):
        return os.path.join(self.root, *names)

    def run(self, words, check=True):
        done = subprocess.run(words, cwd=self.source, env=self.env, capture_output=True, text=True, timeout=600,
                              check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr}{done.stdout}")
        return done

    def words(self, name, settings):
        """The command line of a run in its own folder."""
        sets = [w for s in (f"run.dir={self.path(name)}", "run.device=cpu", *settings) for w in ("--set", s)]
        return [self.orrery, "train", self.path("small.yaml"), *sets]

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

    def step_ms(self, name):
        """The median of a run's steps."""
        with open(self.path(name, "metrics.jsonl"), encoding="utf-8") as f:
            times = sorted(json.loads(line)["step_ms"] for line in f)
        return times[len(times) // 2]

    def checkpoints(self, name):
        """Steps whose folders have a name of a committed checkpoint."""
        try:
            names = os.listdir(self.path(name, "ckpt"))
        except FileNotFoundError:
            return []
        return sorted(int(n[5:]) for n in names if n.startswith("step-") and n[5:].isdigit())

    def weights(self, name, step):
        """The bytes of the model's and the optimizer's files of a checkpoint."""
        folder = self.path(name, "ckpt", f"step-{step:08d}")
        contents = {}
        for file in sorted(os.listdir(folder)):
            if file.endswith(".safetensors"):
                with open(os.path.join(folder, file), "rb") as f:
                    contents[file] = f.read()
        return contents
