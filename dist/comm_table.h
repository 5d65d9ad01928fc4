// What an implementation of the collectives provides. Private to dist/ (and its tests).
#ifndef DIST_COMM_TABLE_H
#define DIST_COMM_TABLE_H

#include "dist/comm.h"
#include "dist/recorder.h"

// A NULL request means: return when it is done. Arguments have been checked; size is above 1 or the
// implementation is `self`.
typedef struct {
  const char *name;
  orr_code (*all_reduce)(dist_comm *c, void *buf, int64_t count, dist_dtype t, dist_op op,
                         dist_request *r);
  orr_code (*reduce_scatter)(dist_comm *c, const void *send, void *recv, int64_t count,
                             dist_dtype t, dist_op op, dist_request *r);
  orr_code (*all_gather)(dist_comm *c, const void *send, void *recv, int64_t count, dist_dtype t,
                         dist_request *r);
  orr_code (*all_to_all)(dist_comm *c, const void *send, const int64_t *send_counts,
                         const int64_t *send_at, void *recv, const int64_t *recv_counts,
                         const int64_t *recv_at, dist_dtype t);
  orr_code (*broadcast)(dist_comm *c, void *buf, int64_t count, dist_dtype t, int root,
                        dist_request *r);
  orr_code (*barrier)(dist_comm *c);
  orr_code (*wait)(dist_comm *c, dist_request *r);
  orr_code (*test)(dist_comm *c, dist_request *r, bool *done);
  orr_code (*reserve)(dist_comm *c, size_t bytes); // dist_comm_reserve; NULL = needs nothing
  size_t (*reserved)(const dist_comm *c);
  orr_code (*fault)(dist_comm *c); // dist_world_fault, and from here on NULL = nothing to do
  void (*abort)(dist_comm *c);     // from any thread: ends what is under way; destroy may follow
  orr_code (*register_memory)(dist_comm *c, void *p, size_t bytes);
  void (*unregister_memory)(dist_comm *c, void *p);
  void (*destroy)(dist_comm *c); // frees impl
} dist_table;

struct dist_comm {
  const dist_table *table;
  dist_axis axis;
  int rank, size;
  dist_traffic traffic;
  dist_recorder *recorder; // borrowed; NULL = none
  int64_t sequence;        // collectives so far
  dist_comm *counter;      // whose `sequence` counts: NULL = this one's
  void *impl;              // the implementation's own
};

// Local. One rank: copies and nothing else. ORR_ENOMEM.
orr_code dist_comm_self_create(dist_axis axis, dist_comm **out);
// Local. From here on this rank is inside of the job's end, for the recorder.
void dist_leave_begin(dist_comm *all);
// Local for `self`, else Collective over the comm. Takes NULL.
void dist_comm_destroy(dist_comm *c);
size_t dist_dtype_bytes(dist_dtype t);

#endif
