// labels: quick
// The CPU time a process may use: cores by affinity, quotas of both versions of control groups.
#define _GNU_SOURCE // sched_setaffinity
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cores.h"
#include "tests/base/folder.h"

typedef struct {
  const char *name, *text; // of a file; ended by NULL
} file;

// The quota of a process that sees these files.
static double quota_in(const char *dir, const file *files) {
  char root[128];
  snprintf(root, sizeof root, "%s/system", dir);
  assert_ok(orr_fs_remove_tree(root));
  for (; files->name; files++) folder_store(root, files->name, files->text);
  return orr_cores_quota(root);
}

#define QUOTA(state, ...) quota_in(*(state), (const file[]){__VA_ARGS__, {NULL, NULL}})
#define V2_AT(place, top)                                                                          \
  {                                                                                                \
    "proc/self/mountinfo",                                                                         \
        "21 20 0:19 / /proc rw shared:1 - proc proc rw\n"                                          \
        "30 21 0:26 " top " " place " rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"        \
  }
#define V1_AT(place, top)                                                                          \
  {                                                                                                \
    "proc/self/mountinfo",                                                                         \
        "33 21 0:29 " top " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"                  \
        "34 21 0:30 " top " " place " rw shared:1 master:2 - cgroup cgroup rw,cpu,cpuacct\n"       \
  }

static void assert_quota(double got, double want) {
  if (!(got == want || fabs(got - want) < 1e-9)) fail_msg("quota %g, wanted %g", got, want);
}

static void test_without_groups_there_is_no_quota(void **state) {
  assert_quota(QUOTA(state, {"empty", ""}), INFINITY);
  assert_quota(QUOTA(state, V2_AT("/sys/fs/cgroup", "/"), {"proc/self/cgroup", "0::/\n"}),
               INFINITY);
  assert_quota(QUOTA(state, V2_AT("/sys/fs/cgroup", "/"), {"proc/self/cgroup", "0::/a\n"},
                     {"sys/fs/cgroup/a/cpu.max", "max 100000\n"}),
               INFINITY);
  assert_quota(QUOTA(state, V1_AT("/sys/fs/cgroup/cpu", "/"), {"proc/self/cgroup", "4:cpu:/a\n"},
                     {"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n"},
                     {"sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"}),
               INFINITY);
}

static void test_the_smallest_quota_on_the_way_up_counts(void **state) {
  const file mount = V2_AT("/sys/fs/cgroup", "/"), member = {"proc/self/cgroup", "0::/a/b/c\n"},
             loose = {"sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n"},
             tight = {"sys/fs/cgroup/a/cpu.max", "150000 50000\n"};
  assert_quota(QUOTA(state, mount, member, loose), 8.0);
  assert_quota(QUOTA(state, mount, member, loose, tight), 3.0);
  assert_quota(QUOTA(state, mount, member, {"sys/fs/cgroup/ab/cpu.max", "1000 100000\n"}, tight),
               3.0); // somebody else's group
}

static void test_a_container_sees_its_group_as_the_top(void **state) {
  // a namespace of its own
  assert_quota(QUOTA(state, V2_AT("/sys/fs/cgroup", "/"), {"proc/self/cgroup", "0::/\n"},
                     {"sys/fs/cgroup/cpu.max", "200000 100000\n"}),
               2.0);
  // the host's names
  assert_quota(QUOTA(state, V1_AT("/sys/fs/cgroup/cpu,cpuacct", "/docker/0123"),
                     {"proc/self/cgroup", "5:memory:/x\n4:cpuacct,cpu:/docker/0123\n"},
                     {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n"},
                     {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}),
               2.5);
  assert_quota(QUOTA(state, V1_AT("/sys/fs/cgroup/cpu", "/docker/0123"),
                     {"proc/self/cgroup", "4:cpu:/docker/0123/job\n"},
                     {"sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "150000\n"},
                     {"sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n"}),
               1.5);
  // moved out of its namespace
  assert_quota(QUOTA(state, V2_AT("/sys/fs/cgroup", "/"), {"proc/self/cgroup", "0::/../other\n"},
                     {"sys/fs/cgroup/cpu.max", "200000 100000\n"}),
               2.0);
}

static void test_mounts_are_found_wherever_they_are(void **state) {
  assert_quota(QUOTA(state, V2_AT("/mnt/my\\040groups", "/"), {"proc/self/cgroup", "0::/a\n"},
                     {"mnt/my groups/a/cpu.max", "50000 100000\n"}),
               0.5);
  assert_quota(QUOTA(state, V1_AT("/cg/time", "/"), {"proc/self/cgroup", "7:cpu,cpuacct:/a/b\n"},
                     {"cg/time/a/cpu.cfs_quota_us", "300000\n"},
                     {"cg/time/a/cpu.cfs_period_us", "100000\n"}),
               3.0);
}

static void test_both_versions_may_limit(void **state) {
  const file mounts = {"proc/self/mountinfo",
                       "34 21 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                       "35 21 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"},
             member = {"proc/self/cgroup", "4:cpu:/a\n0::/b\n"},
             quota = {"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "400000\n"},
             period = {"sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"};
  assert_quota(QUOTA(state, mounts, member, quota, period), 4.0);
  assert_quota(QUOTA(state, mounts, member, quota, period,
                     {"sys/fs/cgroup/unified/b/cpu.max", "100000 100000\n"}),
               1.0);
}

static void test_other_groups_mounted_here_do_not_count(void **state) {
  assert_quota(QUOTA(state,
                     {"proc/self/mountinfo", "34 21 0:30 /x /x rw - cgroup2 cgroup2 rw\n"
                                             "35 21 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
                                             "36 21 0:30 /xy /xy rw - cgroup2 cgroup2 rw\n"},
                     {"proc/self/cgroup", "0::/mine\n"}, {"x/cpu.max", "1000 100000\n"},
                     {"xy/cpu.max", "1000 100000\n"},
                     {"sys/fs/cgroup/mine/cpu.max", "100000 100000\n"}),
               1.0);
}

static void test_damaged_files_are_no_limit(void **state) {
  static const char *const texts[] = {"", "100000", "x 100000\n", "-5 100000\n", "5 0\n", "\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    assert_quota(QUOTA(state, V2_AT("/c", "/"), {"proc/self/cgroup", "0::/\n\n:\n1:\n"},
                       {"c/cpu.max", texts[i]}),
                 INFINITY);
  assert_quota(QUOTA(state, {"proc/self/mountinfo", " - \n1 2 - cgroup2\n1 - cgroup2 x y\n\n"}),
               INFINITY);
}

static void test_threads_are_whole_and_at_least_one(void **state) {
  (void)state;
  assert_int_equal(orr_cores_threads(0.3), 1);
  assert_int_equal(orr_cores_threads(1.9), 1);
  assert_int_equal(orr_cores_threads(1.0 / 3 + 1.0 / 3 + 1.0 / 3), 1);
  assert_int_equal(orr_cores_threads(4.0 - 1e-9), 4);
  assert_true(orr_cores_usable() >= 1);
}

static void test_processes_share_cores_and_quota(void **state) {
  (void)state;
  static uint16_t sharers[ORR_CORES_MAX];
  const orr_cores_mask a = {.word = {0x0f}}, b = {.word = {0xfc, [100] = 1}}; // 2 and 3 are shared
  orr_cores_add(sharers, &a);
  orr_cores_add(sharers, &b);
  assert_quota(orr_cores_share(&a, sharers, 2, INFINITY), 3.0);
  assert_quota(orr_cores_share(&b, sharers, 2, INFINITY), 6.0);
  assert_quota(orr_cores_share(&b, sharers, 2, 4.0), 2.0);
}

static void test_a_bound_process_has_the_cores_it_is_bound_to(void **state) {
  (void)state;
  cpu_set_t before, one;
  orr_cores_mask mine;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  orr_cores_allowed(&mine);
  assert_int_equal(orr_cores_count(&mine), CPU_COUNT(&before));
  CPU_ZERO(&one);
  for (int c = 0; c < CPU_SETSIZE && CPU_COUNT(&one) == 0; c++)
    if (CPU_ISSET(c, &before)) CPU_SET(c, &one);
  assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
  orr_cores_allowed(&mine);
  assert_int_equal(orr_cores_count(&mine), 1);
  assert_int_equal(orr_cores_usable(), 1);
  assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_without_groups_there_is_no_quota),
      cmocka_unit_test(test_the_smallest_quota_on_the_way_up_counts),
      cmocka_unit_test(test_a_container_sees_its_group_as_the_top),
      cmocka_unit_test(test_mounts_are_found_wherever_they_are),
      cmocka_unit_test(test_both_versions_may_limit),
      cmocka_unit_test(test_other_groups_mounted_here_do_not_count),
      cmocka_unit_test(test_damaged_files_are_no_limit),
      cmocka_unit_test(test_threads_are_whole_and_at_least_one),
      cmocka_unit_test(test_processes_share_cores_and_quota),
      cmocka_unit_test(test_a_bound_process_has_the_cores_it_is_bound_to),
  };
  return cmocka_run_group_tests_name("base/cores", tests, folder_setup, folder_teardown);
}
