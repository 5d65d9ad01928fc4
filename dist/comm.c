// The table's front: checks, traffic counters, and what is built from other collectives.
#include "dist/comm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dist/comm_table.h"
#include "dist/world.h"

int dist_comm_rank(const dist_comm *c) {
  return c->rank;
}

int dist_comm_size(const dist_comm *c) {
  return c->size;
}

dist_traffic dist_comm_traffic(const dist_comm *c) {
  return c->traffic;
}

size_t dist_dtype_bytes(dist_dtype t) {
  static const size_t bytes[] = {
      [DIST_F32] = 4, [DIST_BF16] = 2, [DIST_F64] = 8, [DIST_I64] = 8, [DIST_U8] = 1};
  return bytes[t];
}

const char *dist_collective_name(dist_collective c) {
  static const char *const names[] = {[DIST_ALL_REDUCE] = "all_reduce",
                                      [DIST_REDUCE_SCATTER] = "reduce_scatter",
                                      [DIST_ALL_GATHER] = "all_gather",
                                      [DIST_ALL_TO_ALL] = "all_to_all",
                                      [DIST_BROADCAST] = "broadcast",
                                      [DIST_BARRIER] = "barrier",
                                      [DIST_DEVICE_WAIT] = "wait for the device",
                                      [DIST_SPLIT] = "split of the ranks",
                                      [DIST_LEAVE] = "end of the job"};
  return names[c];
}

orr_code dist_comm_register(dist_comm *c, void *p, size_t bytes) {
  return c->table->register_memory && bytes > 0 ? c->table->register_memory(c, p, bytes) : ORR_OK;
}

void dist_comm_unregister(dist_comm *c, void *p) {
  if (c->table->unregister_memory) c->table->unregister_memory(c, p);
}

size_t dist_staging_bytes(dist_collective what, dist_dtype t, int64_t count, int size) {
  if (t != DIST_BF16 || size == 1) return 0;
  if (what == DIST_ALL_REDUCE) return (size_t)count * sizeof(float);
  if (what == DIST_REDUCE_SCATTER) return (size_t)(count * (size + 1)) * sizeof(float); // + result
  return 0;
}

orr_code dist_comm_reserve(dist_comm *c, size_t bytes) {
  return c->table->reserve ? c->table->reserve(c, bytes) : ORR_OK;
}

size_t dist_comm_reserved(const dist_comm *c) {
  return c->table->reserved ? c->table->reserved(c) : 0;
}

void dist_comm_destroy(dist_comm *c) {
  if (!c) return;
  if (c->table->destroy) c->table->destroy(c);
  orr_free(c);
}

// Begins a call: until `leave` the recorder says that this rank is inside of it. A started one
// (`r` not NULL) stays unfinished there until it is awaited.
static int64_t enter(dist_comm *c, dist_collective collective, int64_t count, dist_dtype t,
                     dist_request *r) {
  const dist_call call = {.collective = collective,
                          .axis = c->axis,
                          .type = t,
                          .count = count,
                          .sequence = ++(c->counter ? c->counter : c)->sequence,
                          .on_device = c->counter != NULL};
  int64_t now = orr_clock_ns(), ticket = dist_recorder_enter(c->recorder, &call, now);
  if (r) *r = (dist_request){.call = call, .ticket = ticket};
  return now;
}

static orr_code leave(dist_comm *c, orr_code rc, int64_t start_ns, bool finished) {
  int64_t now = orr_clock_ns();
  dist_recorder_leave(c->recorder, finished, now);
  c->traffic.ms += (double)(now - start_ns) * 1e-6;
  return rc;
}

// Leaves a call that moved `elements`.
static orr_code account(dist_comm *c, orr_code rc, int64_t elements, dist_dtype t, int64_t start_ns,
                        const dist_request *r) {
  c->traffic.calls++;
  c->traffic.bytes += elements * (int64_t)dist_dtype_bytes(t);
  return leave(c, rc, start_ns, !r || !r->impl);
}

void dist_device_wait_begin(dist_world *w) {
  enter(w->axis[DIST_AXIS_WORLD], DIST_DEVICE_WAIT, 0, DIST_U8, NULL);
}

void dist_leave_begin(dist_comm *all) {
  enter(all, DIST_LEAVE, 0, DIST_U8, NULL);
}

void dist_device_wait_end(dist_world *w) {
  dist_recorder_leave(w->recorder, true, orr_clock_ns());
}

static orr_code check_count(const dist_comm *c, const char *what, int64_t count) {
  ORR_CHECK(count >= 0, ORR_EINVAL, "%s axis: %s of %" PRId64 " elements", dist_axis_name(c->axis),
            what, count);
  return ORR_OK;
}

orr_code dist_all_reduce(dist_comm *c, void *buf, int64_t count, dist_dtype t, dist_op op) {
  ORR_TRY(check_count(c, "all_reduce", count));
  int64_t start = enter(c, DIST_ALL_REDUCE, count, t, NULL);
  return account(c, c->table->all_reduce(c, buf, count, t, op, NULL), count, t, start, NULL);
}

orr_code dist_reduce_scatter(dist_comm *c, const void *send, void *recv, int64_t count,
                             dist_dtype t, dist_op op) {
  ORR_TRY(check_count(c, "reduce_scatter", count));
  int64_t start = enter(c, DIST_REDUCE_SCATTER, count, t, NULL);
  return account(c, c->table->reduce_scatter(c, send, recv, count, t, op, NULL), count * c->size, t,
                 start, NULL);
}

orr_code dist_all_gather(dist_comm *c, const void *send, void *recv, int64_t count, dist_dtype t) {
  ORR_TRY(check_count(c, "all_gather", count));
  int64_t start = enter(c, DIST_ALL_GATHER, count, t, NULL);
  return account(c, c->table->all_gather(c, send, recv, count, t, NULL), count * c->size, t, start,
                 NULL);
}

orr_code dist_all_to_all(dist_comm *c, const void *send, const int64_t *send_counts,
                         const int64_t *send_at, void *recv, const int64_t *recv_counts,
                         const int64_t *recv_at, dist_dtype t) {
  int64_t sent = 0;
  for (int i = 0; i < c->size; i++) {
    ORR_TRY(check_count(c, "all_to_all (send)", send_counts[i]));
    ORR_TRY(check_count(c, "all_to_all (receive)", recv_counts[i]));
    sent += send_counts[i];
  }
  int64_t start = enter(c, DIST_ALL_TO_ALL, sent, t, NULL);
  orr_code rc = c->table->all_to_all(c, send, send_counts, send_at, recv, recv_counts, recv_at, t);
  return account(c, rc, sent, t, start, NULL);
}

static orr_code check_broadcast(const dist_comm *c, int64_t count, int root) {
  ORR_TRY(check_count(c, "broadcast", count));
  ORR_CHECK(root >= 0 && root < c->size, ORR_EINVAL, "%s axis: broadcast from rank %d of %d",
            dist_axis_name(c->axis), root, c->size);
  return ORR_OK;
}

orr_code dist_broadcast(dist_comm *c, void *buf, int64_t count, dist_dtype t, int root) {
  ORR_TRY(check_broadcast(c, count, root));
  int64_t start = enter(c, DIST_BROADCAST, count, t, NULL);
  return account(c, c->table->broadcast(c, buf, count, t, root, NULL), count, t, start, NULL);
}

orr_code dist_barrier(dist_comm *c) {
  int64_t start = enter(c, DIST_BARRIER, 0, DIST_U8, NULL);
  return account(c, c->table->barrier(c), 0, DIST_U8, start, NULL);
}

orr_code dist_all_reduce_start(dist_comm *c, void *buf, int64_t count, dist_dtype t, dist_op op,
                               dist_request *r) {
  *r = (dist_request){.impl = NULL};
  ORR_TRY(check_count(c, "all_reduce", count));
  int64_t start = enter(c, DIST_ALL_REDUCE, count, t, r);
  return account(c, c->table->all_reduce(c, buf, count, t, op, r), count, t, start, r);
}

orr_code dist_reduce_scatter_start(dist_comm *c, const void *send, void *recv, int64_t count,
                                   dist_dtype t, dist_op op, dist_request *r) {
  *r = (dist_request){.impl = NULL};
  ORR_TRY(check_count(c, "reduce_scatter", count));
  int64_t start = enter(c, DIST_REDUCE_SCATTER, count, t, r);
  return account(c, c->table->reduce_scatter(c, send, recv, count, t, op, r), count * c->size, t,
                 start, r);
}

orr_code dist_all_gather_start(dist_comm *c, const void *send, void *recv, int64_t count,
                               dist_dtype t, dist_request *r) {
  *r = (dist_request){.impl = NULL};
  ORR_TRY(check_count(c, "all_gather", count));
  int64_t start = enter(c, DIST_ALL_GATHER, count, t, r);
  return account(c, c->table->all_gather(c, send, recv, count, t, r), count * c->size, t, start, r);
}

orr_code dist_broadcast_start(dist_comm *c, void *buf, int64_t count, dist_dtype t, int root,
                              dist_request *r) {
  *r = (dist_request){.impl = NULL};
  ORR_TRY(check_broadcast(c, count, root));
  int64_t start = enter(c, DIST_BROADCAST, count, t, r);
  return account(c, c->table->broadcast(c, buf, count, t, root, r), count, t, start, r);
}

orr_code dist_wait(dist_comm *c, dist_request *r) {
  if (!r->impl) return ORR_OK;
  int64_t start = orr_clock_ns();
  dist_recorder_resume(c->recorder, &r->call, &r->ticket, start);
  orr_code rc = c->table->wait(c, r);
  r->impl = NULL;
  return leave(c, rc, start, true);
}

orr_code dist_test(dist_comm *c, dist_request *r, bool *done) {
  *done = true;
  if (!r->impl) return ORR_OK;
  // Looking computes, too: MPI adds up what has come.
  int64_t start = orr_clock_ns();
  dist_recorder_resume(c->recorder, &r->call, &r->ticket, start);
  orr_code rc = c->table->test(c, r, done);
  if (*done || rc != ORR_OK) r->impl = NULL;
  return leave(c, rc, start, *done);
}

void dist_texts_free(char **texts, int n) {
  for (int i = 0; texts && i < n; i++) orr_free(texts[i]);
  orr_free(texts);
}

// Counts and places of dist_gather_text: every rank sends to the root alone.
typedef struct {
  int64_t *bytes; // [size] of each rank's text, with its terminating 0
  int64_t *send_counts, *recv_counts, *at, *send_at; // [size]
  char *all;                                         // on the root: the texts one after another
} text_exchange;

static void text_exchange_release(text_exchange *e) {
  orr_free(e->all);
  orr_free(e->bytes); // the other arrays lie after it
}

static orr_code text_exchange_init(text_exchange *e, const dist_comm *c) {
  size_t size = (size_t)c->size;
  int64_t *v = orr_calloc(5 * size, sizeof *v);
  *e = (text_exchange){.bytes = v};
  ORR_CHECK(v, ORR_ENOMEM, "%s axis: out of memory: cannot gather texts", dist_axis_name(c->axis));
  e->send_counts = v + size;
  e->recv_counts = v + 2 * size;
  e->at = v + 3 * size;
  e->send_at = v + 4 * size; // all 0: every block but the root's is empty
  return ORR_OK;
}

// Room on the root for everyone's text, all of it, so that nothing can fail once the exchange has
// begun; nothing to do elsewhere.
static orr_code text_exchange_room(text_exchange *e, const dist_comm *c, int root, char ***texts) {
  int64_t total = 0;
  if (c->rank != root) return ORR_OK;
  *texts = orr_calloc((size_t)c->size, sizeof **texts);
  bool room = *texts != NULL;
  for (int i = 0; i < c->size && room; i++) {
    e->at[i] = total;
    e->recv_counts[i] = e->bytes[i];
    total += e->bytes[i];
    (*texts)[i] = orr_malloc((size_t)e->bytes[i]);
    room = (*texts)[i] != NULL;
  }
  e->all = room ? orr_malloc((size_t)total) : NULL;
  ORR_CHECK(e->all, ORR_ENOMEM, "rank %d: out of memory for the texts of %d ranks", root, c->size);
  return ORR_OK;
}

orr_code dist_gather_text(dist_comm *c, const char *text, int root, char ***texts) {
  text_exchange e = {0};
  int64_t bytes = (int64_t)strlen(text) + 1;
  *texts = NULL;
  orr_code rc = text_exchange_init(&e, c);
  ORR_TRY_GOTO(dist_agree(c, rc, "gather texts"), release);
  ORR_TRY_GOTO(dist_all_gather(c, &bytes, e.bytes, 1, DIST_I64), release);
  rc = text_exchange_room(&e, c, root, texts);
  ORR_TRY_GOTO(dist_agree(c, rc, "gather texts"), release);
  e.send_counts[root] = bytes;
  rc = dist_all_to_all(c, text, e.send_counts, e.send_at, e.all, e.recv_counts, e.at, DIST_U8);
  if (rc != ORR_OK) goto release;
  for (int i = 0; i < c->size && *texts; i++) {
    memcpy((*texts)[i], e.all + e.at[i], (size_t)e.bytes[i]);
  }
release:
  text_exchange_release(&e);
  if (rc != ORR_OK) {
    dist_texts_free(*texts, c->size);
    *texts = NULL;
  }
  return rc;
}

// The outcome of the lowest failing rank, as it is broadcast.
typedef struct {
  int64_t code;
  char message[ORR_STATUS_MESSAGE_MAX];
} verdict;

orr_code dist_agree(dist_comm *c, orr_code mine, const char *what) {
  if (c->size == 1) return mine;
  verdict v = {.code = mine};
  int64_t lowest = mine == ORR_OK ? c->size : c->rank;
  snprintf(v.message, sizeof v.message, "rank %d: %s: %s", c->rank, what, orr_status_message());
  ORR_TRY(dist_all_reduce(c, &lowest, 1, DIST_I64, DIST_MIN));
  if (lowest == c->size) return ORR_OK;
  ORR_TRY(dist_broadcast(c, &v, (int64_t)sizeof v, DIST_U8, (int)lowest));
  orr_status_set(v.message);
  return (orr_code)v.code;
}
