"""Jobs under a real Slurm of four nodes: they train, and come back from whatever ends them.

The moments of preemption and loss are random; the seed is printed, and --seed repeats it."""
import argparse
import os
import random
import shutil
import sys
import unittest

from cluster import Cluster

STEPS = 900
FOUR = ["--nodes=4", "--ntasks-per-node=1", "--gpus-per-node=1", "--cpus-per-task=1"]
SETTINGS = [f"train.steps={STEPS}", "ckpt.every=50", "dist.tp=2", "run.device=cpu"]
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
        shutil.rmtree(cluster.root)


class TestJobs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.random = random.Random(args.seed)
        number = cluster.train("calm", FOUR, SETTINGS)
        cls.calm = cluster.ended(number, "calm")

    def moment(self, name):
        """A random number of steps beyond those that a run has taken; waits for them."""
        target = cluster.steps(name) + self.random.randrange(60, STEPS // 4)
        cluster.wait(f"{name} reaches step {target}", 120, lambda: cluster.steps(name) >= target)

    def assert_same_run(self, name):
        calm, disturbed = cluster.numbers("calm"), cluster.numbers(name)
        self.assertEqual(len(disturbed), STEPS)
        self.assertEqual(calm, disturbed)
        self.assertEqual(cluster.weights("calm", STEPS), cluster.weights(name, STEPS))

    def test_a_job_on_four_nodes_trains_with_tp_2_and_dp_2(self):
        self.assertEqual(self.calm["NodeList"], "node[1-4]")
        self.assertIn("rank 0 of 4 (tp 2, cp 1, dp 2)", cluster.log("calm"))
        self.assertEqual(len(cluster.numbers("calm")), STEPS)

    def test_a_job_preempted_twice_ends_with_the_bits_of_an_undisturbed_one(self):
        number = cluster.train("preempted", FOUR, SETTINGS)
        for count in (1, 2):
            self.moment("preempted")
            high = cluster.submit(f"high{count}", ["--partition=high", "--nodes=4", "--exclusive"],
                                  ["--wrap=sleep 0.5"])
            cluster.ended(high, f"high{count}")
            cluster.wait("the preempted job starts again", 120,
                         lambda: cluster.log("preempted").count("resumed from") == count)
        job = cluster.ended(number, "preempted")
        self.assertEqual(job["Restarts"], "2")
        self.assert_same_run("preempted")

    def test_a_job_that_loses_a_node_ends_with_the_bits_of_an_undisturbed_one(self):
        node = f"node{self.random.randrange(1, 5)}"
        number = cluster.train("lost", FOUR, SETTINGS)
        self.moment("lost")
        cluster.do("kill", node)
        cluster.wait("Slurm requeues the job", 120, lambda: cluster.job(number)["Restarts"] == "1")
        cluster.do("revive", node)
        cluster.ended(number, "lost")
        self.assertIn("resumed from", cluster.log("lost"))
        self.assert_same_run("lost")

    def test_a_job_at_its_time_limit_saves_and_goes_on_where_it_was(self):
        steps = 20000
        while True: # a minute is the shortest limit: more steps where they are faster than expected
            name = f"limit{steps}"
            one = ["--nodes=1", "--ntasks-per-node=1", "--cpus-per-task=1", "--time=1", "--signal=USR1@10"]
            number = cluster.train(name, one, [f"train.steps={steps}", "ckpt.every=0", "run.device=cpu"])
            job = cluster.ended(number, name)
            if int(job["Restarts"]) > 0:
                break
            steps *= 2
        log = cluster.log(name)
        self.assertEqual(log.count("stopped on request after step"), int(job["Restarts"]))
        stopped = int(log.split("stopped on request after step ")[1].split(";")[0])
        self.assertIn(f"at step {stopped}\n", log)
        self.assertEqual(len(cluster.numbers(name)), steps)

    def test_srun_without_pmix_is_told_what_is_missing(self):
        done = cluster.run(["srun", "--nodes=4", "--mpi=none", cluster.env["ORRERY"], "train",
                            cluster.path("small.yaml")], check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--mpi=pmix", done.stderr)
        self.assertEqual(done.stderr.count("error: world"), 4, done.stderr)


def main():
    global args
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, help="root of the checkout")
    parser.add_argument("--build", required=True, help="folder of the build")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder")
    args, rest = parser.parse_known_args()
    if os.getuid() != 0 or not shutil.which("slurmctld", path=os.environ["PATH"] + ":/usr/sbin"):
        print("skipped: a cluster needs root (mount namespaces) and Debian's slurm-wlm and munge")
        return 77
    print(f"seed {args.seed}: repeat with --seed {args.seed}", file=sys.stderr)
    return 0 if unittest.main(argv=[sys.argv[0], *rest], exit=False, verbosity=2).result.wasSuccessful() else 1


sys.exit(main())
