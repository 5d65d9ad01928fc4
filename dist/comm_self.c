// Collectives of one rank: copies. Requests are done when they are started.
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "dist/comm_table.h"

static void copy(const void *from, void *to, int64_t count, dist_dtype t) {
  if (from != to && count > 0) memmove(to, from, (size_t)count * dist_dtype_bytes(t));
}

static orr_code self_all_reduce(dist_comm *c, void *buf, int64_t count, dist_dtype t, dist_op op,
                                dist_request *r) {
  return ORR_OK;
}

static orr_code self_reduce_scatter(dist_comm *c, const void *send, void *recv, int64_t count,
                                    dist_dtype t, dist_op op, dist_request *r) {
  copy(send, recv, count, t);
  return ORR_OK;
}

static orr_code self_all_gather(dist_comm *c, const void *send, void *recv, int64_t count,
                                dist_dtype t, dist_request *r) {
  copy(send, recv, count, t);
  return ORR_OK;
}

static orr_code self_all_to_all(dist_comm *c, const void *send, const int64_t *send_counts,
                                const int64_t *send_at, void *recv, const int64_t *recv_counts,
                                const int64_t *recv_at, dist_dtype t) {
  size_t bytes = dist_dtype_bytes(t);
  ORR_CHECK(send_counts[0] == recv_counts[0], ORR_EINVAL,
            "all_to_all: sends %" PRId64 " elements to itself but receives %" PRId64,
            send_counts[0], recv_counts[0]);
  copy((const char *)send + (size_t)send_at[0] * bytes, (char *)recv + (size_t)recv_at[0] * bytes,
       send_counts[0], t);
  return ORR_OK;
}

static orr_code self_broadcast(dist_comm *c, void *buf, int64_t count, dist_dtype t, int root,
                               dist_request *r) {
  return ORR_OK;
}

static orr_code self_barrier(dist_comm *c) {
  return ORR_OK;
}

static orr_code self_wait(dist_comm *c, dist_request *r) {
  return ORR_OK;
}

static orr_code self_test(dist_comm *c, dist_request *r, bool *done) {
  *done = true;
  return ORR_OK;
}

orr_code dist_comm_self_create(dist_axis axis, dist_comm **out) {
  static const dist_table table = {
      .name = "self",
      .all_reduce = self_all_reduce,
      .reduce_scatter = self_reduce_scatter,
      .all_gather = self_all_gather,
      .all_to_all = self_all_to_all,
      .broadcast = self_broadcast,
      .barrier = self_barrier,
      .wait = self_wait,
      .test = self_test,
  };
  dist_comm *c = orr_calloc(1, sizeof *c);
  ORR_CHECK(c, ORR_ENOMEM, "%s axis: out of memory for its communicator", dist_axis_name(axis));
  c->table = &table;
  c->axis = axis;
  c->size = 1;
  *out = c;
  return ORR_OK;
}
