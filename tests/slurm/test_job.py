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
if [ "$1" = config ]; then
  printf 'run:\\n  dir: "%s"\\ntrain:\\n  batch: 12\\ndist:\\n  tp: %s\\n  cp: 1\\n' "$RUN_DIR" "${TP:-1}"; exit 0
fi
eval "$PLAY"
exit "$CODE"
"""
# A node that is named in the file dead does not answer: at once, or by silence (MUTE); one in the file slow takes a second.
# A command runs once, or, where it is asked for, once a node.
SRUN = """#!/bin/sh
each=
while [ "${1#--}" != "$1" ]; do
  case $1 in
    --nodelist=*) nodes=$(echo "${1#--nodelist=}" | tr , ' ') ;;
    --ntasks-per-node=1) each=1 ;;
  esac
  shift
done
for node in $nodes; do
  if grep -qx "$node" "$DEAD" 2>/dev/null; then
    [ -z "$MUTE" ] || exec sleep "$MUTE"
    echo "srun: error: $node is gone" >&2; exit 1
  fi
  if grep -qx "$node" "$SLOW" 2>/dev/null; then sleep 1; fi
done
[ -z "$each" ] || for SLURMD_NODENAME in $nodes; do export SLURMD_NODENAME; "$@"; done
[ -n "$each" ] || NODES="$nodes" exec "$@"
"""
SCONTROL = """#!/bin/sh
case $1 in
  show) if [ "$2" = hostnames ]; then echo "$3" | tr , '\\n'; else echo "JobId=$4 JobState=RUNNING Reason=None"; fi ;;
  requeue) echo "$2" >>"$REQUEUED" ;;
esac
"""


SMI = """#!/bin/sh
[ -n "$DOMAINS" ] && echo "        ClusterUUID : $(echo "$DOMAINS" | tr , '\\n' | sed -n "s/$SLURMD_NODENAME=//p")"
"""


class Job(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="orrery-job-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.run_dir = self.root / "run"
        (self.run_dir / "ckpt").mkdir(parents=True)
        for name, text in (("orrery", PROGRAM), ("srun", SRUN), ("scontrol", SCONTROL), ("squeue", "#!/bin/sh\n"),
                           ("nvidia-smi", SMI)):
            (self.root / name).write_text(text)
            (self.root / name).chmod(0o755)
        self.requeued = self.root / "requeued"

    def start(self, job, code, play=":", retries=3, env=None):
        """One start of job `job`; its exit code and whether it was queued again."""
        self.requeued.write_text("")
        env = {**(env or {}), "PATH": f"{self.root}:{os.environ['PATH']}", "RUN_DIR": str(self.run_dir), "PLAY": play, "CODE": str(code),
               "REQUEUED": str(self.requeued), "SLURM_JOB_ID": str(job), "ORRERY": str(self.root / "orrery"),
               "ORRERY_MPI": "pmix", "ORRERY_RETRIES": str(retries)}
        done = subprocess.run(["bash", "-c", ". slurm/job.sh; job_train my.yaml"], cwd=SOURCE, env=env, timeout=60,
                              stderr=subprocess.PIPE, text=True, check=False)
        self.said = done.stderr
        return done.returncode, self.requeued.read_text().split() == [str(job)]

    def start_on(self, nodes, spares, play, code=0, **more):
        """One job on an allocation of nodes, of which some are spares."""
        env = {"SLURM_JOB_NODELIST": ",".join(nodes), "SLURM_JOB_NUM_NODES": str(len(nodes)), "ORRERY_SPARES": str(spares),
               "SLURM_NTASKS_PER_NODE": "1", "DEAD": str(self.root / "dead"), "SLOW": str(self.root / "slow"),
               "ORRERY_HEALTH": "true", "ORRERY_CHECK_S": "2",
               "ORRERY_END_S": "30", "ORRERY_START_S": "60", "STARTS": str(self.root / "starts"), **more}
        return self.start(7, code, f'echo "$NODES" >>"$STARTS"; {play}', env=env)

    def starts(self):
        return (self.root / "starts").read_text().splitlines()

    def test_a_job_with_a_spare_starts_again_in_its_allocation(self):
        play = 'if [ $(wc -l <"$STARTS") = 1 ]; then echo b >"$DEAD"; exit 1; fi'
        self.assertEqual(self.start_on(["a", "b", "c"], 1, play), (0, False))
        self.assertEqual(self.starts(), ["a b", "a c"])
        self.assertIn("b does not answer", self.said)

    def test_only_a_node_whose_ranks_ended_without_a_word_is_not_waited_for(self):
        (self.root / "slow").write_text("d\n")
        play = ('if [ $(wc -l <"$STARTS") = 1 ]; then echo b >"$DEAD"; echo "srun: error: a: task 0: Exited" >&2; exit 1; fi')
        self.assertEqual(self.start_on(["a", "b", "c", "d"], 2, play, MUTE="200", ORRERY_CHECK_S="150"), (0, False))
        self.assertEqual(self.starts(), ["a b", "a c"])
        self.assertIn("b does not answer", self.said)
        self.assertNotIn("d does not answer", self.said)

    def test_ranks_that_stop_on_request_are_queued_again_with_their_code(self):
        play = 'echo "srun: error: a: task 0: Exited with exit code 85" >&2; if [ -n "$LATE" ]; then exec sleep 100; fi'
        self.assertEqual(self.start_on(["a", "b", "c"], 1, play, 85), (85, True))
        # srun waits for a node that is gone: its code is that of those that ended
        self.assertEqual(self.start_on(["a", "b", "c"], 1, play, 85, LATE="1", ORRERY_END_S="1"), (85, True))

    def test_nodes_that_srun_names_together_are_heard_of(self):
        play = ('if [ $(wc -l <"$STARTS") = 1 ]; then echo c >"$DEAD"; echo "srun: error: a,b: tasks 0-1: Killed" >&2; exit 1; fi')
        self.assertEqual(self.start_on(["a", "b", "c", "d"], 1, play, MUTE="200", ORRERY_CHECK_S="150"), (0, False))
        self.assertEqual(self.starts(), ["a b c", "a b d"])

    def test_without_enough_nodes_it_is_queued_again_unless_it_may_shrink(self):
        play = 'if [ $(wc -l <"$STARTS") = 1 ]; then echo b >"$DEAD"; exit 1; fi'
        self.assertEqual(self.start_on(["a", "b", "c", "d", "e"], 0, play), (1, True))
        self.assertIn("4 of 5 nodes are well, and 5 are wanted", self.said)
        (self.root / "dead").unlink()
        (self.root / "starts").unlink()
        # 3 nodes and not 4: tp 3 divides them
        self.assertEqual(self.start_on(["a", "b", "c", "d", "e", "f"], 0, play, ORRERY_FEWEST="2", TP="3"), (0, False))
        self.assertEqual(self.starts(), ["a b c d e f", "a c d"])

    def test_an_allocation_whose_starts_bring_nothing_gives_up(self):
        self.assertEqual(self.start_on(["a", "b"], 0, "exit 1"), (1, True))
        self.assertEqual(len(self.starts()), 3)

    def test_ranks_of_one_group_in_two_domains_are_refused(self):
        domains = "a=u1,b=u1,c=u2,d=u2"
        self.assertEqual(self.start_on(["a", "b", "c", "d"], 0, ":", TP="2", DOMAINS=domains), (0, False))
        (self.root / "starts").unlink()
        self.assertEqual(self.start_on(["a", "c", "b", "d"], 0, ":", TP="2", DOMAINS=domains), (2, False))
        self.assertIn("2 ranks lie on a and c, which are in different NVLink domains (ClusterUUID u1 and u2)", self.said)
        self.assertFalse((self.root / "starts").exists())

    def test_segments_go_by_the_rule(self):
        wanted = {1: 1, 5: 5, 18: 18, 19: 1, 20: 10, 32: 16, 34: 17, 36: 18, 48: 16, 54: 18, 64: 16}
        words = "; ".join(f"job_segment {n}" for n in wanted)
        done = subprocess.run(["bash", "-c", f". slurm/job.sh; {words}"], cwd=SOURCE, stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual([int(n) for n in done.stdout.split()], list(wanted.values()))

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
