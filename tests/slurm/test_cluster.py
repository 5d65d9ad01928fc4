"""Jobs under a real Slurm of four nodes: they train, and come back from whatever ends them.

The moments of preemption and loss are random; the seed is printed, and --seed repeats it."""
import argparse
import json
import os
import random
import subprocess
import sys
import unittest

from cluster import ENDED, Cluster

SECONDS = 9 # of the undisturbed run: longer than it takes Slurm to preempt twice
LIMITED_SECONDS = 32 # of a job that is stopped within 30
FOUR = ["--nodes=4", "--ntasks-per-node=1", "--gpus-per-node=1", "--cpus-per-task=1"]
ONE = ["--nodes=1", "--ntasks-per-node=1", "--gpus-per-node=1", "--cpus-per-task=1"]
args = None
cluster = None


def setUpModule():
    global cluster
    cluster = Cluster(args.source, args.build)


def tearDownModule():
    cluster.close()
    if args.keep:
        print(f"kept: {cluster.root}", file=sys.stderr)
    else:
        cluster.remove()


class TestJobs(unittest.TestCase):
    """In the order in which they stand here: what disturbs whole nodes comes last."""

    @classmethod
    def setUpClass(cls):
        cls.random = random.Random(args.seed)
        # as many steps as fill that time here: a faster machine must not be through too soon
        cluster.ended(cluster.train("probe", FOUR, ["train.steps=60", "dist.tp=2"]), "probe")
        cls.lasts(max(200, int(SECONDS * 1e3 / cluster.step_ms("probe"))))
        # What mostly waits does so beside the other tests. A minute is the shortest limit; Slurm looks every 30 s, and
        # sends a signal asked for 30 s before the end when it comes before its next look.
        cluster.run(cluster.words("alone", ["train.steps=300", "ckpt.every=0"]))
        cls.limited = cls.limit(int(LIMITED_SECONDS * 1e3 / cluster.step_ms("alone")))
        cls.wrong = cluster.train("wrong", FOUR, ["dist.tp=3"])
        cluster.env["ORRERY_RETRIES"] = "2"
        cls.broken = cluster.train("broken", FOUR, [*cls.settings, f"data.train=[{cluster.path('nowhere')}]"])
        del cluster.env["ORRERY_RETRIES"]
        cls.shared = cluster.train("shared", ONE, ["train.steps=1000000"])
        cluster.wait("the first job trains", 60, lambda: cluster.steps("shared") > 10)
        cls.intruder = cluster.submit("intruder", ONE, ["slurm/pretrain.sbatch", *cluster.words("shared", [])[2:]])
        number = cluster.train("calm", FOUR, cls.settings)
        cls.calm = cluster.ended(number, "calm")

    @classmethod
    def lasts(cls, steps):
        """From here on the jobs to compare have that many steps."""
        cls.steps = steps
        cls.settings = [f"train.steps={steps}", f"ckpt.every={steps // 40}", "dist.tp=2"]

    @staticmethod
    def limit(steps):
        """Submits a job that has a minute; its name, number and steps."""
        name = f"limit{steps}"
        number = cluster.train(name, [*ONE, "--time=1", "--signal=USR1@30"], [f"train.steps={steps}", "ckpt.every=0"])
        return name, number, steps

    @staticmethod
    def has_ended(number):
        return cluster.job(number)["JobState"] in ENDED

    def moment(self, name, number):
        """A random number of steps beyond those that a run has taken; waits for them, or for the job's end."""
        target = cluster.steps(name) + self.random.randrange(self.steps // 20, self.steps // 7)
        cluster.wait(f"{name} reaches step {target}", 120, lambda: cluster.steps(name) >= target or self.has_ended(number))

    def assert_ends_as_calm(self, name, disturb):
        """A job that disturb(name, number) has met ends with the bits of an undisturbed one. One that was through
        before (the machine has become faster than its probe) is tried again, longer, with its undisturbed twin."""
        calm = "calm"
        number = cluster.train(name, FOUR, self.settings)
        while not disturb(name, number):
            cluster.ended(number, name)
            self.lasts(2 * self.steps)
            calm, name = f"calm{self.steps}", f"{name}{self.steps}"
            cluster.ended(cluster.train(calm, FOUR, self.settings), calm)
            number = cluster.train(name, FOUR, self.settings)
        job = cluster.ended(number, name)
        self.assertEqual(len(cluster.numbers(name)), self.steps)
        self.assertEqual(cluster.numbers(calm), cluster.numbers(name))
        self.assertEqual(cluster.weights(calm, self.steps), cluster.weights(name, self.steps))
        return name, job

    def test_a_second_job_on_the_same_run_folder_is_refused_and_leaves_no_trace(self):
        first, second = self.shared, self.intruder
        text = cluster.wait("the second job is refused", 90, lambda: "choose another run.dir" in (t := cluster.log("intruder")) and t)
        self.assertRegex(text, rf"process \d+ on \S+, job {first} is training here")
        before = cluster.steps("shared")
        job = cluster.wait("it ends", 60, lambda: (j := cluster.job(second))["JobState"] == "FAILED" and j)
        self.assertEqual((job["Restarts"], job["ExitCode"]), ("0", "4:0"))
        self.assertFalse(os.path.exists(cluster.path("shared", "failed-starts")))
        cluster.wait("the first job goes on", 60, lambda: cluster.steps("shared") > before)
        # cancelled is cancelled, though the ranks save and ask to come back
        cluster.run(["scancel", first])
        cluster.wait("it is gone", 60, lambda: not cluster.run(["squeue", "-h", f"-j{first}"], check=False).stdout)

    def test_a_job_on_four_nodes_trains_with_tp_2_and_dp_2(self):
        self.assertEqual(self.calm["NodeList"], "node[1-4]")
        self.assertIn("rank 0 of 4 (tp 2, cp 1, dp 2)", cluster.log("calm"))
        self.assertEqual(len(cluster.numbers("calm")), self.steps)

    def test_a_base_is_fine_tuned_and_an_nvl72_job_fits_its_domain(self):
        words = cluster.words("tuned", ["train.steps=5", "ckpt.every=2", "optim.warmup_steps=1", "optim.decay_steps=1"])
        tuned = cluster.submit("tuned", FOUR, ["slurm/finetune.sbatch", words[2], cluster.path("calm"), *words[3:]])
        # --segment is of a newer Slurm than the tests': all other lines are submitted as they are
        with open(os.path.join(args.source, "slurm/pretrain-nvl72.sbatch"), encoding="utf-8") as f:
            lines = [line for line in f if not line.startswith("#SBATCH --segment")]
        with open(cluster.path("nvl72.sbatch"), "w", encoding="utf-8") as f:
            f.writelines(lines)
        four = ["--nodes=2", "--ntasks-per-node=2", "--gpus-per-node=2", "--cpus-per-task=1"]
        fits = cluster.train("rack", four, ["dist.tp=4"], cluster.path("nvl72.sbatch"))
        spills = cluster.train("spills", four, ["dist.tp=3"], cluster.path("nvl72.sbatch"))
        cluster.ended(tuned, "tuned")
        self.assertIn(f"weights from {cluster.path('calm')}", cluster.log("tuned"))
        cluster.ended(fits, "rack")
        self.assertIn("rank 0 of 4 (tp 4, cp 1, dp 1)", cluster.log("rack"))
        cluster.wait("the job is refused", 60, lambda: cluster.job(spills)["JobState"] == "FAILED")
        self.assertIn("does not divide 8, the GPUs of a segment", cluster.log("spills"))

    def test_a_configuration_that_is_wrong_is_not_tried_again(self):
        job = cluster.wait("the job ends", 60, lambda: (j := cluster.job(self.wrong))["JobState"] == "FAILED" and j)
        self.assertEqual((job["Restarts"], job["ExitCode"]), ("0", "2:0"), cluster.log("wrong"))

    def test_a_job_that_fails_without_progress_gives_up(self):
        job = cluster.wait("the job gives up", 60, lambda: (j := cluster.job(self.broken))["JobState"] == "FAILED" and j)
        words = cluster.log("broken")
        self.assertEqual(job["Restarts"], "1", words)
        self.assertEqual(sum("queued again (start" in line for line in words.splitlines()), 1, words)
        self.assertIn("2 times in a row without a new checkpoint", words)

    def test_a_trained_model_is_evaluated_by_a_job(self):
        clips, tokens = cluster.path("clips"), cluster.path("codes")
        short = [w for s in ("run.device=cpu", "train.steps=2", "optim.warmup_steps=1", "optim.decay_steps=1", "train.batch=2",
                               "eval.every=0")
                 for w in ("--set", s)]
        made = cluster.run([cluster.orrery, "data", "generate", "--scene", "tabletop", "--out", clips, "--episodes", "4",
                            "--seed", "1", "--forks", "2"], check=False)
        if made.returncode != 0 and "MuJoCo" in made.stderr:
            self.skipTest("this build has no simulator to make clips with frames")
        self.assertEqual(made.returncode, 0, made.stderr)
        cluster.run([cluster.orrery, "train", "configs/demo_rich_tokenizer.yaml", *short, "--set", f"data.train=[{clips}]", "--set",
                     f"run.dir={cluster.path('coder')}"])
        cluster.run([cluster.orrery, "data", "tokenize", clips, "--tokenizer", cluster.path("coder", "ckpt"), "--out", tokens])
        cluster.run([cluster.orrery, "train", "configs/demo_rich_dynamics.yaml", *short, "--set", f"data.train=[{tokens}]", "--set",
                     f"tokenizer.checkpoint={cluster.path('coder')}", "--set", f"run.dir={cluster.path('world')}"])
        number = cluster.submit("eval", ["--cpus-per-task=1"], ["slurm/eval.sbatch", cluster.path("world", "ckpt"), clips,
                                                                "--clips", "4", "--horizon", "4", "--device", "cpu"])
        cluster.ended(number, "eval")
        with open(cluster.path("world", "eval.json"), encoding="utf-8") as f:
            self.assertEqual(len(json.load(f)["psnr"]), 4)
        self.assertTrue(os.path.exists(cluster.path("world", "strip.png")))

    def test_an_array_of_layouts_ends_in_one_table_and_one_plot(self):
        with open(cluster.path("cases.txt"), "w", encoding="utf-8") as f:
            f.write("# nodes tp cp zero clips\n1 1 1 0 1\n2 1 1 1 1\n4 2 1 1 2\n")
        cluster.env["ORRERY_CASES"] = cluster.path("cases.txt")
        cluster.submit("scaling", ["--array=1-3", *FOUR], ["slurm/scaling.sbatch", cluster.path("scaling"), "--device",
                                                             "cpu", "--warmup", "1", "--steps", "1"])
        cluster.wait("all cases are timed", 240, lambda: not cluster.run(["squeue", "-h", "--name=scaling"]).stdout)
        with open(cluster.path("scaling", "scaling.md"), encoding="utf-8") as f:
            rows = [line.split("|")[1:6] for line in f][2:]
        self.assertEqual([[int(x) for x in r] for r in rows],
                         [[1, 1, 0, 1, 1], [1, 1, 1, 2, 2], [2, 1, 1, 4, 4]], cluster.log("scaling"))
        with open(cluster.path("scaling", "scaling.svg"), encoding="utf-8") as f:
            self.assertEqual(f.read().count("<polyline"), 2)
        self.assertNotIn("keeps all its nodes", cluster.log("scaling"))

    def test_srun_without_pmix_is_told_what_is_missing(self):
        done = cluster.run(["srun", "--nodes=4", "--mpi=none", cluster.orrery, "train",
                            cluster.path("small.yaml")], check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--mpi=pmix", done.stderr)
        self.assertEqual(done.stderr.count("error: world"), 4, done.stderr)

    def test_a_job_at_its_time_limit_saves_and_goes_on_where_it_was(self):
        name, number, steps = self.limited
        while int(cluster.ended(number, name)["Restarts"]) == 0: # a machine faster than expected
            name, number, steps = self.limit(2 * steps)
        restarts = int(cluster.job(number)["Restarts"])
        log = cluster.log(name)
        self.assertEqual(log.count("stopped on request after step"), restarts)
        stopped = int(log.split("stopped on request after step ")[1].split(";")[0])
        self.assertIn(f"at step {stopped}\n", log)
        self.assertEqual(len(cluster.numbers(name)), steps)

    def preempt_twice(self, name, number):
        for count in (1, 2):
            self.moment(name, number)
            high = cluster.submit(f"{name}-high{count}", ["--partition=high", "--nodes=4", "--exclusive"],
                                  ["--wrap=sleep 0.5"])
            cluster.ended(high, f"{name}-high{count}")
            again = lambda: cluster.log(name).count("resumed from") == count
            cluster.wait("the preempted job starts again", 120, lambda: again() or self.has_ended(number))
            if not again():
                return False
        return True

    def test_a_job_preempted_twice_ends_with_the_bits_of_an_undisturbed_one(self):
        name, job = self.assert_ends_as_calm("preempted", self.preempt_twice)
        self.assertEqual(job["Restarts"], "2", cluster.log(name))

    def lose_a_node(self, name, number):
        node = f"node{self.random.randrange(1, 5)}"
        self.moment(name, number)
        cluster.do("kill", node)
        requeued = lambda: cluster.job(number)["Restarts"] == "1"
        cluster.wait("Slurm requeues the job", 120, lambda: requeued() or self.has_ended(number))
        cluster.do("revive", node)
        return requeued()

    def test_a_job_that_loses_a_node_ends_with_the_bits_of_an_undisturbed_one(self):
        name, _ = self.assert_ends_as_calm("lost", self.lose_a_node)
        self.assertIn("resumed from", cluster.log(name))


def main():
    global args
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, help="root of the checkout")
    parser.add_argument("--build", required=True, help="folder of the build")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder")
    args, rest = parser.parse_known_args()
    able = subprocess.run([os.path.join(args.source, "slurm/local-cluster"), "check", "/tmp"], capture_output=True,
                          text=True, check=False)
    if able.returncode != 0:
        print("skipped:", able.stderr.strip())
        return 77
    print(f"seed {args.seed}: repeat with --seed {args.seed}", file=sys.stderr)
    order = [name for name in vars(TestJobs) if name.startswith("test_")]
    unittest.defaultTestLoader.sortTestMethodsUsing = lambda a, b: order.index(a) - order.index(b)
    return 0 if unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2).result.wasSuccessful() else 1


sys.exit(main())
