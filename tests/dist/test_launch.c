// labels: quick; needs: mpi
// Launchers are recognised by their environment; a world smaller than the launcher's is an error.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "dist/comm.h"
#include "dist/world.h"
#include "dist/launch.h"

static const char *const variables[] = {
    "OMPI_COMM_WORLD_SIZE", "PMI_RANK",     "PMI_SIZE",    "PMIX_RANK", "SLURM_STEP_ID",
    "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_NTASKS"};

static int clear_environment(void **state) {
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
  return 0;
}

// Pairs of name and value, ended by NULL.
static int ranks_with(const char *const *pairs) {
  const char *launcher = NULL;
  clear_environment(NULL);
  for (; *pairs; pairs += 2) setenv(pairs[0], pairs[1], 1);
  int ranks = dist_launch_ranks(&launcher);
  assert_non_null(launcher);
  clear_environment(NULL);
  return ranks;
}

#define RANKS_WITH(...) ranks_with((const char *const[]){__VA_ARGS__, NULL})

static void test_each_launcher_tells_its_ranks(void **state) {
  assert_int_equal(RANKS_WITH(NULL), 1);
  assert_int_equal(RANKS_WITH("OMPI_COMM_WORLD_SIZE", "6"), 6);
  assert_int_equal(RANKS_WITH("PMI_RANK", "0", "PMI_SIZE", "5"), 5);
  assert_int_equal(RANKS_WITH("PMIX_RANK", "0"), 0);
  assert_int_equal(RANKS_WITH("SLURM_STEP_ID", "0", "SLURM_STEP_NUM_TASKS", "8"), 8);
  assert_int_equal(RANKS_WITH("SLURM_PROCID", "0", "SLURM_NTASKS", "8"), 8);
}

static void test_a_job_without_a_started_step_counts_as_alone(void **state) {
  assert_int_equal(RANKS_WITH("SLURM_NTASKS", "8"), 1); // salloc's shell
  assert_int_equal(RANKS_WITH("SLURM_PROCID", "0", "SLURM_NTASKS", "1"), 1);
}

static void test_mpirun_inside_a_slurm_job_counts_its_own_ranks(void **state) {
  assert_int_equal(RANKS_WITH("OMPI_COMM_WORLD_SIZE", "2", "SLURM_STEP_ID", "0",
                              "SLURM_STEP_NUM_TASKS", "1", "SLURM_NTASKS", "8"),
                   2);
}

static void test_a_step_of_a_larger_job_counts_its_own_tasks(void **state) {
  assert_int_equal(RANKS_WITH("SLURM_STEP_ID", "3", "SLURM_STEP_NUM_TASKS", "4", "SLURM_PROCID",
                              "0", "SLURM_NTASKS", "8"),
                   4);
}

static void test_values_that_are_no_counts_are_ignored(void **state) {
  assert_int_equal(RANKS_WITH("OMPI_COMM_WORLD_SIZE", ""), 1);
  assert_int_equal(RANKS_WITH("OMPI_COMM_WORLD_SIZE", "-4"), 1);
  assert_int_equal(RANKS_WITH("SLURM_PROCID", "0", "SLURM_NTASKS", "99999999999999"), 1);
}

static void test_alone_the_world_has_one_rank_and_mpi_is_never_started(void **state) {
  dist_world *w = NULL;
  int initialized = 1;
  assert_int_equal(dist_world_open(&w), ORR_OK);
  assert_int_equal(w->grid.ranks, 1);
  assert_int_equal(w->node_ranks, 1);
  assert_int_equal(w->node_rank, 0);
  for (int i = 0; i < DIST_AXES; i++) assert_int_equal(dist_comm_size(w->axis[i]), 1);
  MPI_Initialized(&initialized);
  assert_false(initialized);
  assert_int_equal(dist_world_split(w, 2, 1, 0), ORR_EINVAL);
  assert_int_equal(dist_world_split(w, 1, 1, 1), ORR_OK);
  dist_world_close(w);
  dist_world_close(NULL);
}

// Last: MPI can be started once in a process.
static void test_one_rank_where_slurm_started_eight_is_an_error_with_the_remedy(void **state) {
  dist_world *w = NULL;
  setenv("SLURM_PROCID", "0", 1);
  setenv("SLURM_NTASKS", "8", 1);
  assert_int_equal(dist_world_open(&w), ORR_ECOMM);
  assert_null(w);
  const char *message = orr_status_message();
  assert_non_null(strstr(message, "world of 1 rank, but Slurm started 8"));
  assert_non_null(strstr(message, "srun --mpi=pmix"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_launcher_tells_its_ranks),
      cmocka_unit_test(test_a_job_without_a_started_step_counts_as_alone),
      cmocka_unit_test(test_mpirun_inside_a_slurm_job_counts_its_own_ranks),
      cmocka_unit_test(test_a_step_of_a_larger_job_counts_its_own_tasks),
      cmocka_unit_test(test_values_that_are_no_counts_are_ignored),
      cmocka_unit_test(test_alone_the_world_has_one_rank_and_mpi_is_never_started),
      cmocka_unit_test(test_one_rank_where_slurm_started_eight_is_an_error_with_the_remedy),
  };
  return cmocka_run_group_tests(tests, clear_environment, NULL);
}
