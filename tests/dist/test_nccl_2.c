// labels: quick mpi; ranks: 2; needs: played_nccl
// dist/comm_nccl.c on a device and an NCCL that the host plays over MPI: exact sums, order between
// the streams, errors.
#include <stdlib.h>

#include "tests/dist/played/nccl_host.h"
#include "tests/dist/nccl.h"
#include "tests/dist/played/streams.h"

static orr_code split_device(dist_world *w) {
  return dist_world_split_device(w, &(dist_device){.stream = device_stream()});
}

static void test_a_rank_without_the_library_ends_the_split_on_all_ranks(void **state) {
  dist_world *w = *state;
  assert_ok(dist_world_split(w, 1, 1, 0));
  if (w->grid.rank == 1) nccl_host_arm(NCCL_HOST_OPEN, 1);
  assert_int_equal(split_device(w), ORR_EUNSUPPORTED);
  assert_non_null(strstr(orr_status_message(), "rank 1: open NCCL: libnccl.so.2 does not open"));
  if (w->grid.rank == 0) nccl_host_arm(NCCL_HOST_JOIN, 1);
  assert_int_equal(split_device(w), ORR_ECOMM);
  assert_non_null(strstr(orr_status_message(), "rank 0: join the ranks over NCCL: world axis"));
  assert_non_null(strstr(orr_status_message(), "NCCL says: unhandled system error"));
  nccl_host_arm(NCCL_HOST_CALL, 0);
  assert_null(w->nccl);
}

static void test_a_call_that_fails_says_axis_operation_and_nccls_words(void **state) {
  dist_world *w = *state;
  dist_comm *c = split(w, DIST_AXIS_DP);
  float v[4] = {0};
  nccl_host_arm(NCCL_HOST_CALL, 1);
  assert_int_equal(dist_all_reduce(c, v, 4, DIST_F32, DIST_SUM), ORR_ECOMM);
  assert_string_equal(orr_status_message(),
                      "dp axis: all_reduce: NCCL says: unhandled system error");
}

static void test_what_fails_under_way_is_seen_and_aborted(void **state) {
  dist_world *w = *state;
  dist_comm *c = split(w, DIST_AXIS_DP);
  float v[4] = {0};
  const int before = nccl_host_aborted();
  assert_int_equal(dist_world_fault(w), ORR_OK);
  nccl_host_arm(NCCL_HOST_LATER, 1);
  assert_ok(dist_all_reduce(c, v, 4, DIST_F32, DIST_SUM));
  assert_int_equal(dist_world_fault(w), ORR_ECOMM);
  assert_string_equal(orr_status_message(), "dp axis: a collective under way: NCCL says: remote "
                                            "process exited or there was a network error");
  dist_world_leave_device(w); // would wait for ever if it destroyed the communicator
  assert_int_equal(nccl_host_aborted() - before, 1);
  assert_int_equal(nccl_host_comms(), 0);
}

// A sum captured on the compute stream, which the communicator of tp then has a graph of.
static cudaGraphExec_t captured_sum(dist_comm *c, float *v) {
  cudaGraph_t graph = NULL;
  cudaGraphExec_t exec = NULL;
  assert_int_equal(cudaStreamBeginCapture(device_stream(), cudaStreamCaptureModeThreadLocal), 0);
  assert_ok(dist_all_reduce(c, v, 4, DIST_F32, DIST_SUM));
  assert_int_equal(cudaStreamEndCapture(device_stream(), &graph), 0);
  assert_int_equal(cudaGraphInstantiate(&exec, graph, cudaGraphInstantiateFlagUseNodePriority), 0);
  return exec;
}

// NCCL ends a communicator when the graphs that captured it have ended. So an abort, which the
// watchdog makes while a step is in its graph, must come back without.
static void test_giving_up_does_not_wait_for_graphs_and_leaving_does(void **state) {
  dist_world *w = *state;
  dist_comm *c = split(w, DIST_AXIS_TP);
  float v[4] = {1, 1, 1, 1};
  const int before = nccl_host_aborted();
  cudaGraphExec_t exec = captured_sum(c, v);
  assert_int_equal(cudaGraphLaunch(exec, device_stream()), 0);
  assert_true(device_finish());
  assert_true(v[0] == 2.0f);
  dist_world_give_up_device(w); // nothing has failed
  assert_int_equal(nccl_host_aborted() - before, 0);
  nccl_host_arm(NCCL_HOST_LATER, 1);
  assert_ok(dist_all_reduce(c, v, 4, DIST_F32, DIST_SUM));
  ORR_FAIL(ORR_EIO, "why the run ends");
  dist_world_give_up_device(w);
  assert_string_equal(orr_status_message(), "why the run ends");
  assert_true(nccl_host_aborted() > before);
  assert_true(nccl_host_comms() > 0); // the graph lives
  assert_int_equal(cudaGraphExecDestroy(exec), 0);
  dist_world_leave_device(w);
  assert_int_equal(nccl_host_comms(), 0);
}

static void expect_told(const char *name, const char *value) {
  const char *told = getenv(name);
  assert_true((told == NULL) == (value == NULL));
  if (value) assert_string_equal(told, value);
}

static void test_nccl_is_told_what_the_configuration_decides(void **state) {
  dist_world *w = *state;
  setenv("NCCL_NVLS_ENABLE", "1", 1); // the user's own
  unsetenv("NCCL_LAUNCH_ORDER_IMPLICIT");
  assert_ok(dist_world_split(w, 1, 1, 0));
  assert_ok(split_device(w));
  expect_told("NCCL_NVLS_ENABLE", "0");
  expect_told("NCCL_LAUNCH_ORDER_IMPLICIT", NULL); // one communicator at a time
  assert_ok(dist_world_split(w, 2, 1, 0));
  assert_ok(dist_world_split_device(w, &(dist_device){.stream = device_stream(), .nvls = true}));
  expect_told("NCCL_NVLS_ENABLE", "2");
  expect_told("NCCL_LAUNCH_ORDER_IMPLICIT", "1");
}

static void test_buffers_are_registered_until_the_device_is_left(void **state) {
  dist_world *w = *state;
  dist_comm *c = split(w, DIST_AXIS_REPLICA);
  char memory[2][64];
  assert_ok(dist_comm_register(c, memory[0], 64));
  assert_ok(dist_comm_register(c, memory[1], 64));
  assert_ok(dist_comm_register(w->axis[DIST_AXIS_DP], memory[1], 64)); // nothing to do over MPI
  assert_int_equal(nccl_host_buffers(), 2);
  dist_comm_unregister(c, memory[0]);
  assert_int_equal(nccl_host_buffers(), 1);
  dist_world_leave_device(w);
  assert_int_equal(nccl_host_buffers(), 0);
  assert_int_equal(nccl_host_comms(), 0);
}

// One numbering an axis: a report compares what ranks called by their numbers.
static void test_device_and_host_count_their_calls_together(void **state) {
  dist_world *w = *state;
  dist_comm *c = split(w, DIST_AXIS_DP);
  dist_recording seen;
  float v[4] = {0};
  assert_ok(dist_barrier(w->axis[DIST_AXIS_DP]));
  assert_ok(dist_all_reduce(c, v, 4, DIST_F32, DIST_SUM));
  dist_device_wait_begin(w);
  dist_device_wait_end(w);
  assert_true(device_finish());
  dist_recorder_read(w->recorder, 1, &seen);
  const dist_call *last = &seen.records[seen.n - 2].call;
  assert_int_equal(last->axis, DIST_AXIS_DP);
  assert_true(last->on_device);
  assert_int_equal(last->sequence, 2);
  assert_false(seen.records[seen.n - 3].call.on_device);
  assert_int_equal(seen.records[seen.n - 1].call.collective, DIST_DEVICE_WAIT);
  assert_int_equal(seen.records[seen.n - 1].call.axis, DIST_AXIS_WORLD);
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      NCCL_TESTS(w),
      cmocka_unit_test_prestate(test_a_rank_without_the_library_ends_the_split_on_all_ranks, w),
      cmocka_unit_test_prestate(test_a_call_that_fails_says_axis_operation_and_nccls_words, w),
      cmocka_unit_test_prestate(test_what_fails_under_way_is_seen_and_aborted, w),
      cmocka_unit_test_prestate(test_giving_up_does_not_wait_for_graphs_and_leaving_does, w),
      cmocka_unit_test_prestate(test_nccl_is_told_what_the_configuration_decides, w),
      cmocka_unit_test_prestate(test_buffers_are_registered_until_the_device_is_left, w),
      cmocka_unit_test_prestate(test_device_and_host_count_their_calls_together, w),
  };
  return cmocka_run_group_tests_name("dist/comm_nccl", tests, NULL, NULL);
}

int main(void) {
  return nccl_main(2, all_tests);
}
