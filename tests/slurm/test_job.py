"""What job.sh makes of the ways in which a training start ends, with commands that only play Slurm and the program:
when a job asks to be queued again, and whose failures count."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv[1])
# `config print` names the run's folder; `train` does as PLAY says and ends with the code in CODE.
PROGRAM = """#!/bin/sh
if [ "$1" = config ]; then printf 'run:\\n  dir: "%s"\\n' "$RUN_DIR"; exit 0; fi
eval "$PLAY"
exit "$CODE"
"""
SRUN = """#!/bin/sh
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""
SCONTROL = """#!/bin/sh
case $1 in
  show) echo "JobId=$4 JobState=RUNNING Reason=None" ;;
  requeue) echo "$2" >>"$REQUEUED" ;;
esac
"""


class Job(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="orrery-job-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.run_dir = self.root / "run"
        (self.run_dir / "ckpt").mkdir(parents=True)
        for name, text in (("orrery", PROGRAM), ("srun", SRUN), ("scontrol", SCONTROL)):
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)
        self.requeued = self.root / "requeued"

    def start(self, job, code, play=":", retries=3):
        """One start of job `job`; its exit code and whether it was queued again."""
        self.requeued.write_text("")
        env = {"PATH": f"{self.root}:{os.environ['PATH']}", "RUN_DIR": str(self.run_dir), "PLAY": play, "CODE": str(code),
               "REQUEUED": str(self.requeued), "SLURM_JOB_ID": str(job), "ORRERY": str(self.root / "orrery"),
               "ORRERY_MPI": "pmix", "ORRERY_RETRIES": str(retries)}
        done = subprocess.run(["bash", "-c", ". slurm/job.sh; job_train my.yaml"], cwd=SOURCE, env=env, timeout=60,
                              stderr=subprocess.PIPE, text=True, check=False)
        self.said = done.stderr
        return done.returncode, self.requeued.read_text().split() == [str(job)]

    def failures(self):
        file = self.run_dir / "failed-starts"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    def test_failures_in_a_row_end_the_job_and_a_checkpoint_forgives_them(self):
        self.assertEqual(self.start(7, 1), (1, True))
        self.assertEqual(self.failures(), ["7 1"])
        self.assertEqual(self.start(7, 1, f"echo step-9 >{self.run_dir}/ckpt/latest"), (1, True))
        self.assertEqual(self.failures(), [])
        for n, again in ((1, True), (2, True), (3, False)):
            self.assertEqual(self.start(7, 137), (137, again))
            self.assertEqual(self.failures(), [f"7 {n}"])
        self.assertIn("3 times in a row", self.said)
        self.assertEqual(self.start(7, 85), (85, True))
        self.assertEqual(self.failures(), [])

    def test_a_refused_duplicate_ends_and_leaves_no_trace(self):
        (self.run_dir / "run.lock").write_text('{"held": true, "host": "node1", "pid": 5, "job": "7", "beat": 3}\n')
        self.assertEqual(self.start(7, 1), (1, True))
        for _ in range(4):
            self.assertEqual(self.start(8, 4, f"echo step-9 >{self.run_dir}/ckpt/latest"), (4, False))
            self.assertIn("another run holds", self.said)
            self.assertEqual(self.failures(), ["7 1"])
        self.assertEqual(self.start(7, 1, retries=2), (1, False))  # its second failure, no other's

    def test_a_job_whose_earlier_start_still_holds_the_folder_waits_for_it(self):
        (self.run_dir / "run.lock").write_text('{"held": true, "host": "node1", "pid": 5, "job": "7", "beat": 3}\n')
        self.assertEqual(self.start(7, 4), (4, True))
        self.assertEqual(self.failures(), [])

    def test_another_jobs_failures_are_its_own(self):
        self.assertEqual(self.start(7, 1), (1, True))
        for _ in range(3):
            self.start(8, 1)
        self.assertEqual(self.failures(), ["7 1", "8 3"])
        self.assertEqual(self.start(7, 1), (1, True))
        self.assertEqual(self.start(8, 0), (0, False))
        self.assertEqual(self.failures(), ["7 2"])

    def test_a_wrong_configuration_ends_the_job_and_leaves_no_count(self):
        self.assertEqual(self.start(7, 1), (1, True))
        self.assertEqual(self.start(8, 1), (1, True))
        self.assertEqual(self.start(8, 2), (2, False))
        self.assertEqual(self.failures(), ["7 1"])
        self.assertEqual(self.start(7, 2), (2, False))
        self.assertFalse((self.run_dir / "failed-starts").exists())

    def test_a_file_of_before_counts_for_nobody(self):
        (self.run_dir / "failed-starts").write_text("2\n")
        self.assertEqual(self.start(7, 1), (1, True))
        self.assertEqual(self.failures(), ["7 1"])


unittest.main(argv=sys.argv[:1], verbosity=2)
