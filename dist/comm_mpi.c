// Collectives over MPI. Counts above INT_MAX go in pieces. bf16 sums are made in float32: the
// operands are widened into a staging buffer, summed there and rounded once.
//
// A `flight` is one collective on its way: its MPI requests and its staging buffer. Flights are
// kept and used again, so a warm step allocates nothing. Ranks must issue collectives of one comm
// in the same order; calls come from one thread at a time (MPI_THREAD_SERIALIZED). All waits give
// way to other work (dist/mpi_wait.h).
#include "dist/comm_mpi.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "dist/mpi_wait.h"
#include "kernels/bf16.h"

#define PIECE_ELEMENTS ((int64_t)1 << 30)
#define EXCHANGE_TAG   1

typedef struct flight {
  struct flight *next;
  bool busy;
  const char *what;      // "all_reduce", for messages
  int64_t bytes;         // that it moves while the rank waits
  MPI_Request *requests; // [capacity], the first n are in use
  int n, capacity;
  float *stage; // float32 stand-in for bf16 operands
  size_t stage_bytes;
  const float *narrow_from; // what to round into narrow_to when the requests are done
  uint16_t *narrow_to;
  int64_t narrow_count;
} flight;

typedef struct {
  MPI_Comm comm;
  int64_t piece;
  flight *flights;
} mpi_impl;

static MPI_Datatype mpi_type(dist_dtype t) {
  switch (t) {
  case DIST_F32:
    return MPI_FLOAT;
  case DIST_BF16:
    return MPI_UINT16_T; // moved only; sums are staged
  case DIST_F64:
    return MPI_DOUBLE;
  case DIST_I64:
    return MPI_INT64_T;
  case DIST_U8:
    break;
  }
  return MPI_UINT8_T;
}

static MPI_Op mpi_op(dist_op op) {
  return op == DIST_SUM ? MPI_SUM : op == DIST_MAX ? MPI_MAX : MPI_MIN;
}

orr_code dist_mpi_check(int result, dist_axis axis, const char *what) {
  if (result == MPI_SUCCESS) return ORR_OK;
  char words[MPI_MAX_ERROR_STRING] = "unknown error";
  int n = 0;
  MPI_Error_string(result, words, &n);
  return ORR_FAIL(ORR_ECOMM, "%s axis: %s: MPI says: %s", dist_axis_name(axis), what, words);
}

// -- flights --------------------------------------------------------------------------------

static orr_code flight_take(dist_comm *c, const char *what, int64_t bytes, flight **out) {
  mpi_impl *m = c->impl;
  flight *f = m->flights;
  while (f && f->busy) f = f->next;
  if (!f) {
    f = orr_calloc(1, sizeof *f);
    ORR_CHECK(f, ORR_ENOMEM, "%s axis: out of memory for a collective", dist_axis_name(c->axis));
    f->next = m->flights;
    m->flights = f;
  }
  f->busy = true;
  f->what = what;
  f->bytes = bytes;
  f->n = 0;
  f->narrow_count = 0;
  *out = f;
  return ORR_OK;
}

// Room for `more` further requests.
static orr_code flight_reserve(dist_comm *c, flight *f, int64_t more) {
  if (f->n + more <= f->capacity) return ORR_OK;
  int64_t capacity = 2 * (f->n + more);
  MPI_Request *grown = orr_realloc(f->requests, (size_t)capacity * sizeof *grown);
  ORR_CHECK(grown, ORR_ENOMEM, "%s axis: out of memory for %" PRId64 " requests",
            dist_axis_name(c->axis), capacity);
  f->requests = grown;
  f->capacity = (int)capacity;
  return ORR_OK;
}

static orr_code flight_stage(dist_comm *c, flight *f, size_t bytes) {
  if (bytes <= f->stage_bytes) return ORR_OK;
  orr_free(f->stage);
  f->stage_bytes = 0;
  f->stage = orr_malloc(bytes);
  ORR_CHECK(f->stage, ORR_ENOMEM, "%s axis: out of memory for bf16 numbers as float32 (%zu bytes)",
            dist_axis_name(c->axis), bytes);
  f->stage_bytes = bytes;
  return ORR_OK;
}

static void flight_land(flight *f) {
  for (int64_t i = 0; i < f->narrow_count; i++) {
    f->narrow_to[i] = kern_f32_to_bf16(f->narrow_from[i]);
  }
  f->busy = false;
}

// Ends a collective that has been issued: waits when the caller gave no request, else hands over.
static orr_code flight_finish(dist_comm *c, flight *f, dist_request *r) {
  if (r) {
    r->impl = f;
    return ORR_OK;
  }
  ORR_TRY(dist_mpi_wait(f->n, f->requests, f->bytes, c->axis, f->what));
  flight_land(f);
  return ORR_OK;
}

static void widen(const uint16_t *from, float *to, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] = kern_bf16_to_f32(from[i]);
}

// -- reductions -----------------------------------------------------------------------------

static orr_code mpi_all_reduce(dist_comm *c, void *buf, int64_t count, dist_dtype t, dist_op op,
                               dist_request *r) {
  mpi_impl *m = c->impl;
  flight *f = NULL;
  if (!r) ORR_TRY(dist_mpi_meet(m->comm, c->axis, "all_reduce"));
  ORR_TRY(flight_take(c, "all_reduce", count * (int64_t)dist_dtype_bytes(t), &f));
  if (t == DIST_BF16) {
    ORR_TRY(flight_stage(c, f, dist_staging_bytes(DIST_ALL_REDUCE, t, count, c->size)));
    widen(buf, f->stage, count);
    f->narrow_from = f->stage;
    f->narrow_to = buf;
    f->narrow_count = count;
    buf = f->stage;
    t = DIST_F32;
  }
  size_t bytes = dist_dtype_bytes(t);
  for (int64_t at = 0; at < count; at += m->piece) {
    int n = (int)(count - at < m->piece ? count - at : m->piece);
    char *p = (char *)buf + (size_t)at * bytes;
    ORR_TRY(flight_reserve(c, f, 1));
    int result = r ? MPI_Iallreduce(MPI_IN_PLACE, p, n, mpi_type(t), mpi_op(op), m->comm,
                                    f->requests + f->n++)
                   : MPI_Allreduce(MPI_IN_PLACE, p, n, mpi_type(t), mpi_op(op), m->comm);
    ORR_TRY(dist_mpi_check(result, c->axis, "all_reduce"));
  }
  return flight_finish(c, f, r);
}

// Block `root` of send reduced to rank root, in pieces: for vectors whose total is beyond an int.
static orr_code reduce_block(dist_comm *c, flight *f, const char *send, char *recv, int64_t count,
                             dist_dtype t, MPI_Op op, int root, bool blocking) {
  mpi_impl *m = c->impl;
  size_t bytes = dist_dtype_bytes(t);
  for (int64_t at = 0; at < count; at += m->piece) {
    int n = (int)(count - at < m->piece ? count - at : m->piece);
    const char *from = send + (size_t)(root * count + at) * bytes;
    char *to = recv + (size_t)at * bytes;
    ORR_TRY(flight_reserve(c, f, 1));
    int result =
        blocking ? MPI_Reduce(from, to, n, mpi_type(t), op, root, m->comm)
                 : MPI_Ireduce(from, to, n, mpi_type(t), op, root, m->comm, f->requests + f->n++);
    ORR_TRY(dist_mpi_check(result, c->axis, "reduce_scatter"));
  }
  return ORR_OK;
}

static orr_code mpi_reduce_scatter(dist_comm *c, const void *send, void *recv, int64_t count,
                                   dist_dtype t, dist_op op, dist_request *r) {
  mpi_impl *m = c->impl;
  flight *f = NULL;
  if (!r) ORR_TRY(dist_mpi_meet(m->comm, c->axis, "reduce_scatter"));
  ORR_TRY(flight_take(c, "reduce_scatter", c->size * count * (int64_t)dist_dtype_bytes(t), &f));
  if (t == DIST_BF16) { // stage: the operands, then the result
    ORR_TRY(flight_stage(c, f, dist_staging_bytes(DIST_REDUCE_SCATTER, t, count, c->size)));
    widen(send, f->stage, c->size * count);
    f->narrow_from = f->stage + c->size * count;
    f->narrow_to = recv;
    f->narrow_count = count;
    send = f->stage;
    recv = f->stage + c->size * count;
    t = DIST_F32;
  }
  if (count * c->size <= m->piece) {
    ORR_TRY(flight_reserve(c, f, 1));
    int result =
        r ? MPI_Ireduce_scatter_block(send, recv, (int)count, mpi_type(t), mpi_op(op), m->comm,
                                      f->requests + f->n++)
          : MPI_Reduce_scatter_block(send, recv, (int)count, mpi_type(t), mpi_op(op), m->comm);
    ORR_TRY(dist_mpi_check(result, c->axis, "reduce_scatter"));
  } else {
    for (int root = 0; root < c->size; root++) {
      ORR_TRY(reduce_block(c, f, send, recv, count, t, mpi_op(op), root, !r));
    }
  }
  return flight_finish(c, f, r);
}

// -- copies ---------------------------------------------------------------------------------

// buf of `root` to all, in pieces.
static orr_code broadcast_block(dist_comm *c, flight *f, char *buf, int64_t count, dist_dtype t,
                                int root, bool blocking) {
  mpi_impl *m = c->impl;
  size_t bytes = dist_dtype_bytes(t);
  for (int64_t at = 0; at < count; at += m->piece) {
    int n = (int)(count - at < m->piece ? count - at : m->piece);
    char *p = buf + (size_t)at * bytes;
    ORR_TRY(flight_reserve(c, f, 1));
    int result = blocking ? MPI_Bcast(p, n, mpi_type(t), root, m->comm)
                          : MPI_Ibcast(p, n, mpi_type(t), root, m->comm, f->requests + f->n++);
    ORR_TRY(dist_mpi_check(result, c->axis, "broadcast"));
  }
  return ORR_OK;
}

static orr_code mpi_broadcast(dist_comm *c, void *buf, int64_t count, dist_dtype t, int root,
                              dist_request *r) {
  const mpi_impl *m = c->impl;
  flight *f = NULL;
  if (!r) ORR_TRY(dist_mpi_meet(m->comm, c->axis, "broadcast"));
  ORR_TRY(flight_take(c, "broadcast", r ? count * (int64_t)dist_dtype_bytes(t) : 0, &f));
  ORR_TRY(broadcast_block(c, f, buf, count, t, root, !r));
  return flight_finish(c, f, r);
}

static orr_code mpi_all_gather(dist_comm *c, const void *send, void *recv, int64_t count,
                               dist_dtype t, dist_request *r) {
  mpi_impl *m = c->impl;
  flight *f = NULL;
  size_t block = (size_t)count * dist_dtype_bytes(t);
  char *mine = (char *)recv + (size_t)c->rank * block;
  if (!r) ORR_TRY(dist_mpi_meet(m->comm, c->axis, "all_gather"));
  ORR_TRY(flight_take(c, "all_gather", c->size * (int64_t)block, &f));
  if (count * c->size <= m->piece) {
    const void *from = send == mine ? MPI_IN_PLACE : send;
    ORR_TRY(flight_reserve(c, f, 1));
    int result =
        r ? MPI_Iallgather(from, (int)count, mpi_type(t), recv, (int)count, mpi_type(t), m->comm,
                           f->requests + f->n++)
          : MPI_Allgather(from, (int)count, mpi_type(t), recv, (int)count, mpi_type(t), m->comm);
    ORR_TRY(dist_mpi_check(result, c->axis, "all_gather"));
  } else {
    if (send != mine && block > 0) memcpy(mine, send, block);
    for (int root = 0; root < c->size; root++) {
      char *p = (char *)recv + (size_t)root * block;
      ORR_TRY(broadcast_block(c, f, p, count, t, root, !r));
    }
  }
  return flight_finish(c, f, r);
}

// One peer's block, sent or received in pieces.
static orr_code exchange_block(dist_comm *c, flight *f, char *p, int64_t count, dist_dtype t,
                               int peer, bool sending) {
  mpi_impl *m = c->impl;
  size_t bytes = dist_dtype_bytes(t);
  for (int64_t at = 0; at < count; at += m->piece) {
    int n = (int)(count - at < m->piece ? count - at : m->piece);
    char *from = p + (size_t)at * bytes;
    ORR_TRY(flight_reserve(c, f, 1));
    MPI_Request *request = f->requests + f->n++;
    int result = sending ? MPI_Isend(from, n, mpi_type(t), peer, EXCHANGE_TAG, m->comm, request)
                         : MPI_Irecv(from, n, mpi_type(t), peer, EXCHANGE_TAG, m->comm, request);
    ORR_TRY(dist_mpi_check(result, c->axis, "all_to_all"));
  }
  return ORR_OK;
}

// Pairs of ranks at growing distance, so that no rank is everyone's first peer. Point-to-point
// because MPI_Alltoallv counts and places blocks with ints.
static orr_code mpi_all_to_all(dist_comm *c, const void *send, const int64_t *send_counts,
                               const int64_t *send_at, void *recv, const int64_t *recv_counts,
                               const int64_t *recv_at, dist_dtype t) {
  flight *f = NULL;
  size_t bytes = dist_dtype_bytes(t);
  int64_t received = 0;
  for (int i = 0; i < c->size; i++) received += recv_counts[i];
  ORR_TRY(flight_take(c, "all_to_all", received * (int64_t)bytes, &f));
  for (int i = 0; i < c->size; i++) {
    int peer = (c->rank + c->size - i) % c->size;
    char *to = (char *)recv + (size_t)recv_at[peer] * bytes;
    ORR_TRY(exchange_block(c, f, to, recv_counts[peer], t, peer, false));
  }
  for (int i = 0; i < c->size; i++) {
    int peer = (c->rank + i) % c->size;
    char *from = (char *)send + (size_t)send_at[peer] * bytes; // Isend only reads it
    ORR_TRY(exchange_block(c, f, from, send_counts[peer], t, peer, true));
  }
  return flight_finish(c, f, NULL);
}

static orr_code mpi_barrier(dist_comm *c) {
  mpi_impl *m = c->impl;
  return dist_mpi_meet(m->comm, c->axis, "barrier");
}

// -- requests -------------------------------------------------------------------------------

static orr_code mpi_wait(dist_comm *c, dist_request *r) {
  return flight_finish(c, r->impl, NULL);
}

static orr_code mpi_test(dist_comm *c, dist_request *r, bool *done) {
  flight *f = r->impl;
  int flag = 0;
  ORR_TRY(
      dist_mpi_check(MPI_Testall(f->n, f->requests, &flag, MPI_STATUSES_IGNORE), c->axis, f->what));
  *done = flag != 0;
  if (flag) flight_land(f);
  return ORR_OK;
}

// -- life -----------------------------------------------------------------------------------

// For the flight that a blocking call takes when none is on its way.
static orr_code mpi_reserve(dist_comm *c, size_t bytes) {
  flight *f = NULL;
  ORR_TRY(flight_take(c, "reserve", 0, &f));
  f->busy = false;
  return flight_stage(c, f, bytes);
}

static size_t mpi_reserved(const dist_comm *c) {
  const mpi_impl *m = c->impl;
  size_t bytes = 0;
  for (const flight *f = m->flights; f; f = f->next) bytes += f->stage_bytes;
  return bytes;
}

static void mpi_destroy(dist_comm *c) {
  mpi_impl *m = c->impl;
  for (flight *f = m->flights, *next; f; f = next) {
    next = f->next;
    orr_free(f->requests);
    orr_free(f->stage);
    orr_free(f);
  }
  MPI_Comm_free(&m->comm);
  orr_free(m);
}

orr_code dist_comm_mpi_create(MPI_Comm comm, dist_axis axis, dist_comm **out) {
  static const dist_table table = {
      .name = "mpi",
      .all_reduce = mpi_all_reduce,
      .reduce_scatter = mpi_reduce_scatter,
      .all_gather = mpi_all_gather,
      .all_to_all = mpi_all_to_all,
      .broadcast = mpi_broadcast,
      .barrier = mpi_barrier,
      .wait = mpi_wait,
      .test = mpi_test,
      .reserve = mpi_reserve,
      .reserved = mpi_reserved,
      .destroy = mpi_destroy,
  };
  dist_comm *c = orr_calloc(1, sizeof *c);
  mpi_impl *m = orr_calloc(1, sizeof *m);
  if (!c || !m) {
    orr_free(c);
    orr_free(m);
    MPI_Comm_free(&comm);
    return ORR_FAIL(ORR_ENOMEM, "%s axis: out of memory for its communicator",
                    dist_axis_name(axis));
  }
  *m = (mpi_impl){.comm = comm, .piece = PIECE_ELEMENTS};
  c->table = &table;
  c->axis = axis;
  c->impl = m;
  MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
  MPI_Comm_rank(comm, &c->rank);
  MPI_Comm_size(comm, &c->size);
  *out = c;
  return ORR_OK;
}

void dist_comm_mpi_set_piece(dist_comm *c, int64_t elements) {
  mpi_impl *m = c->impl;
  m->piece = elements;
}
