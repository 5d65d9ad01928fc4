#include "dist/comm_nccl.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dist/comm_nccl_library.h"

struct dist_nccl {
  dist_nccl_library lib;
  ncclComm_t all; // of all ranks; the axes are split from it
  cudaStream_t compute;
};

// One collective that has been started: where the replicas' stream has finished it.
typedef struct flight {
  struct flight *next;
  bool busy;
  cudaEvent_t done;
} flight;

// Memory that NCCL knows.
typedef struct {
  void *p, *handle;
} registered;

typedef struct {
  dist_nccl *nccl; // borrowed
  ncclComm_t comm;
  cudaStream_t stream;
  bool beside;       // `stream` is this communicator's own
  cudaEvent_t ready; // how far the compute stream is, at a start
  flight *flights;
  registered *known;
  int known_n;
} nccl_impl;

// -- words ----------------------------------------------------------------------------------
static orr_code check_cuda(cudaError_t e, dist_axis axis, const char *what) {
  if (e == cudaSuccess) return ORR_OK;
  (void)cudaGetLastError();
  return ORR_FAIL(ORR_ECOMM, "%s axis: %s: CUDA says: %s", dist_axis_name(axis), what,
                  cudaGetErrorString(e));
}

static orr_code check_nccl(const dist_nccl *n, ncclComm_t comm, ncclResult_t r, dist_axis axis,
                           const char *what) {
  if (r == ncclSuccess) return ORR_OK;
  const char *more = n->lib.ncclGetLastError(comm);
  return ORR_FAIL(ORR_ECOMM, "%s axis: %s: NCCL says: %s%s%.200s", dist_axis_name(axis), what,
                  n->lib.ncclGetErrorString(r), more && *more ? "; " : "", more ? more : "");
}

static ncclDataType_t nccl_type(dist_dtype t) {
  switch (t) {
  case DIST_F32:
    return ncclFloat32;
  case DIST_BF16:
    return ncclBfloat16;
  case DIST_F64:
    return ncclFloat64;
  case DIST_I64:
    return ncclInt64;
  case DIST_U8:
    break;
  }
  return ncclUint8;
}

static ncclRedOp_t nccl_op(dist_op op) {
  return op == DIST_SUM ? ncclSum : op == DIST_MAX ? ncclMax : ncclMin;
}

// -- order ----------------------------------------------------------------------------------
// What follows on a stream of our own runs after what the compute stream has been given.
static orr_code follow_compute(dist_comm *c) {
  nccl_impl *m = c->impl;
  if (!m->beside) return ORR_OK;
  ORR_TRY(check_cuda(cudaEventRecord(m->ready, m->nccl->compute), c->axis, "mark the computation"));
  return check_cuda(cudaStreamWaitEvent(m->stream, m->ready, 0), c->axis, "follow the computation");
}

static orr_code flight_take(dist_comm *c, flight **out) {
  nccl_impl *m = c->impl;
  flight *f = m->flights;
  while (f && f->busy) f = f->next;
  if (!f) {
    f = orr_calloc(1, sizeof *f);
    ORR_CHECK(f, ORR_ENOMEM, "%s axis: out of memory for a collective", dist_axis_name(c->axis));
    f->next = m->flights;
    m->flights = f;
  }
  *out = f;
  if (f->done) return ORR_OK;
  return check_cuda(cudaEventCreateWithFlags(&f->done, cudaEventDisableTiming), c->axis,
                    "create an event");
}

static orr_code land(dist_comm *c, flight *f) {
  nccl_impl *m = c->impl;
  f->busy = false;
  return check_cuda(cudaStreamWaitEvent(m->nccl->compute, f->done, 0), c->axis,
                    "let the computation wait for a collective");
}

// After the call that put a collective into the stream. One without a request is part of the
// computation's order when this returns.
static orr_code issued(dist_comm *c, ncclResult_t result, const char *what, dist_request *r) {
  nccl_impl *m = c->impl;
  flight *f = NULL;
  ORR_TRY(check_nccl(m->nccl, m->comm, result, c->axis, what));
  if (!m->beside) return ORR_OK;
  ORR_TRY(flight_take(c, &f));
  ORR_TRY(check_cuda(cudaEventRecord(f->done, m->stream), c->axis, "mark a collective"));
  f->busy = true;
  if (!r) return land(c, f);
  r->impl = f;
  return ORR_OK;
}

static orr_code nccl_wait(dist_comm *c, dist_request *r) {
  return land(c, r->impl);
}

// The device needs no push, and nobody may ask it while the step is captured.
static orr_code nccl_test(dist_comm *c, dist_request *r, bool *done) {
  *done = false;
  return ORR_OK;
}

// -- collectives ----------------------------------------------------------------------------
static orr_code nccl_all_reduce(dist_comm *c, void *buf, int64_t count, dist_dtype t, dist_op op,
                                dist_request *r) {
  nccl_impl *m = c->impl;
  ORR_TRY(follow_compute(c));
  return issued(c,
                m->nccl->lib.ncclAllReduce(buf, buf, (size_t)count, nccl_type(t), nccl_op(op),
                                           m->comm, m->stream),
                "all_reduce", r);
}

static orr_code nccl_reduce_scatter(dist_comm *c, const void *send, void *recv, int64_t count,
                                    dist_dtype t, dist_op op, dist_request *r) {
  nccl_impl *m = c->impl;
  ORR_TRY(follow_compute(c));
  return issued(c,
                m->nccl->lib.ncclReduceScatter(send, recv, (size_t)count, nccl_type(t), nccl_op(op),
                                               m->comm, m->stream),
                "reduce_scatter", r);
}

static orr_code nccl_all_gather(dist_comm *c, const void *send, void *recv, int64_t count,
                                dist_dtype t, dist_request *r) {
  nccl_impl *m = c->impl;
  ORR_TRY(follow_compute(c));
  return issued(
      c, m->nccl->lib.ncclAllGather(send, recv, (size_t)count, nccl_type(t), m->comm, m->stream),
      "all_gather", r);
}

static orr_code nccl_broadcast(dist_comm *c, void *buf, int64_t count, dist_dtype t, int root,
                               dist_request *r) {
  nccl_impl *m = c->impl;
  ORR_TRY(follow_compute(c));
  return issued(
      c,
      m->nccl->lib.ncclBroadcast(buf, buf, (size_t)count, nccl_type(t), root, m->comm, m->stream),
      "broadcast", r);
}

// Both ways of every pair at once: a group.
static ncclResult_t exchange(const nccl_impl *m, int size, const void *send,
                             const int64_t *send_counts, const int64_t *send_at, void *recv,
                             const int64_t *recv_counts, const int64_t *recv_at, dist_dtype t) {
  const dist_nccl_library *l = &m->nccl->lib;
  const size_t bytes = dist_dtype_bytes(t);
  ncclResult_t r = l->ncclGroupStart();
  for (int i = 0; i < size && r == ncclSuccess; i++) {
    const char *from = (const char *)send + (size_t)send_at[i] * bytes;
    char *to = (char *)recv + (size_t)recv_at[i] * bytes;
    if (send_counts[i] > 0)
      r = l->ncclSend(from, (size_t)send_counts[i], nccl_type(t), i, m->comm, m->stream);
    if (r == ncclSuccess && recv_counts[i] > 0)
      r = l->ncclRecv(to, (size_t)recv_counts[i], nccl_type(t), i, m->comm, m->stream);
  }
  const ncclResult_t end = l->ncclGroupEnd(); // after a failure too: the group must not stay open
  return r == ncclSuccess ? end : r;
}

static orr_code nccl_all_to_all(dist_comm *c, const void *send, const int64_t *send_counts,
                                const int64_t *send_at, void *recv, const int64_t *recv_counts,
                                const int64_t *recv_at, dist_dtype t) {
  const nccl_impl *m = c->impl;
  ORR_TRY(follow_compute(c));
  return issued(c, exchange(m, c->size, send, send_counts, send_at, recv, recv_counts, recv_at, t),
                "all_to_all", NULL);
}

static orr_code nccl_barrier(dist_comm *c) {
  return ORR_FAIL(ORR_EUNSUPPORTED,
                  "%s axis: ranks wait for each other over MPI, not on the device",
                  dist_axis_name(c->axis));
}

// -- errors ---------------------------------------------------------------------------------
// From any thread.
static orr_code nccl_fault(dist_comm *c) {
  const nccl_impl *m = c->impl;
  ncclResult_t later = ncclSuccess;
  const ncclResult_t r = m->nccl->lib.ncclCommGetAsyncError(m->comm, &later);
  if (r == ncclSuccess && later == ncclInProgress) return ORR_OK;
  return check_nccl(m->nccl, m->comm, r == ncclSuccess ? later : r, c->axis,
                    "a collective under way");
}

// From any thread.
static void nccl_abort(dist_comm *c) {
  nccl_impl *m = c->impl;
  ncclComm_t comm = m->comm;
  m->comm = NULL;
  if (comm) (void)m->nccl->lib.ncclCommAbort(comm);
}

// -- memory ---------------------------------------------------------------------------------
static orr_code nccl_register(dist_comm *c, void *p, size_t bytes) {
  nccl_impl *m = c->impl;
  registered *grown = orr_realloc(m->known, (size_t)(m->known_n + 1) * sizeof *grown);
  ORR_CHECK(grown, ORR_ENOMEM, "%s axis: out of memory: cannot register a buffer",
            dist_axis_name(c->axis));
  m->known = grown;
  grown[m->known_n] = (registered){.p = p};
  // A transport that cannot use it says so here; the collectives work all the same.
  if (m->nccl->lib.ncclCommRegister(m->comm, p, bytes, &grown[m->known_n].handle) == ncclSuccess)
    m->known_n++;
  return ORR_OK;
}

static void nccl_unregister(dist_comm *c, void *p) {
  nccl_impl *m = c->impl;
  for (int i = 0; i < m->known_n; i++) {
    if (m->known[i].p != p) continue;
    if (m->comm) (void)m->nccl->lib.ncclCommDeregister(m->comm, m->known[i].handle);
    m->known[i--] = m->known[--m->known_n];
  }
}

// -- life -----------------------------------------------------------------------------------
// NCCL waits in its destruction for what is under way; after an error that would be for ever.
static void leave(nccl_impl *m) {
  ncclResult_t later = ncclSuccess;
  if (!m->comm) return;
  const dist_nccl_library *l = &m->nccl->lib;
  if (l->ncclCommGetAsyncError(m->comm, &later) == ncclSuccess && later == ncclSuccess)
    (void)l->ncclCommDestroy(m->comm);
  else
    (void)l->ncclCommAbort(m->comm);
}

static void nccl_destroy(dist_comm *c) {
  nccl_impl *m = c->impl;
  while (m->known_n > 0) nccl_unregister(c, m->known[0].p);
  orr_free(m->known);
  leave(m);
  for (flight *f = m->flights, *next; f; f = next) {
    next = f->next;
    if (f->done) (void)cudaEventDestroy(f->done);
    orr_free(f);
  }
  if (m->ready) (void)cudaEventDestroy(m->ready);
  if (m->beside && m->stream) (void)cudaStreamDestroy(m->stream);
  orr_free(m);
}

// A stream before the others (CUDA takes the nearest priority that it has), so that a reduction
// does not wait for queued kernels.
static orr_code open_stream(nccl_impl *m, dist_axis axis) {
  enum { FIRST = -100 };
  ORR_TRY(check_cuda(cudaStreamCreateWithPriority(&m->stream, cudaStreamNonBlocking, FIRST), axis,
                     "create a stream"));
  return check_cuda(cudaEventCreateWithFlags(&m->ready, cudaEventDisableTiming), axis,
                    "create an event");
}

static bool runs_beside(dist_axis axis) {
  return axis == DIST_AXIS_DP || axis == DIST_AXIS_REPLICA || axis == DIST_AXIS_SHARD ||
         axis == DIST_AXIS_COPIES;
}

static const dist_table *table(void) {
  static const dist_table nccl = {
      .name = "nccl",
      .all_reduce = nccl_all_reduce,
      .reduce_scatter = nccl_reduce_scatter,
      .all_gather = nccl_all_gather,
      .all_to_all = nccl_all_to_all,
      .broadcast = nccl_broadcast,
      .barrier = nccl_barrier,
      .wait = nccl_wait,
      .test = nccl_test,
      .fault = nccl_fault,
      .abort = nccl_abort,
      .register_memory = nccl_register,
      .unregister_memory = nccl_unregister,
      .destroy = nccl_destroy,
  };
  return &nccl;
}

orr_code dist_comm_nccl_create(dist_nccl *n, const dist_comm *host, int group, dist_comm **out) {
  orr_code rc;
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  dist_comm *c = orr_calloc(1, sizeof *c);
  nccl_impl *m = orr_calloc(1, sizeof *m);
  if (!c || !m) {
    orr_free(c);
    orr_free(m);
    return ORR_FAIL(ORR_ENOMEM, "%s axis: out of memory for its communicator",
                    dist_axis_name(host->axis));
  }
  *m = (nccl_impl){.nccl = n, .beside = runs_beside(host->axis)};
  *c = (dist_comm){
      .table = table(), .axis = host->axis, .rank = host->rank, .size = host->size, .impl = m};
  m->stream = n->compute;
  if (m->beside) {
    m->stream = NULL;
    ORR_TRY_GOTO(open_stream(m, c->axis), destroy);
  }
  ORR_TRY_GOTO(check_nccl(n, n->all,
                          n->lib.ncclCommSplit(n->all, group, host->rank, &m->comm, &config),
                          c->axis, "make its communicator"),
               destroy);
  *out = c;
  return ORR_OK;
destroy:
  dist_comm_destroy(c);
  return rc;
}

static orr_code tell(const char *name, const char *value, int over) {
  ORR_CHECK(setenv(name, value, over) == 0, ORR_ENOMEM, "out of memory for %s", name);
  return ORR_OK;
}

// Everyone has a host of its own, so that NCCL lets ranks share a GPU.
static orr_code name_host(int rank) {
  char id[32];
  snprintf(id, sizeof id, "orrery-rank-%d", rank);
  return tell("NCCL_HOSTID", id, false);
}

// What NCCL reads from the environment when it makes an id or a communicator. The result of a run
// is the configuration's to decide, so whether sums are made inside the NVSwitch is written over.
// Two communicators whose kernels wait for each other on one device need the same order on every
// rank: nothing else gives it to them inside a graph.
static orr_code instruct(const dist_device *d, bool ordered, int rank) {
  ORR_TRY(tell("NCCL_NVLS_ENABLE", d->nvls ? "2" : "0", true));
  if (ordered) ORR_TRY(tell("NCCL_LAUNCH_ORDER_IMPLICIT", "1", false));
  return d->shared ? name_host(rank) : ORR_OK;
}

static orr_code prepare(dist_nccl *n, const dist_device *d, bool ordered, int rank,
                        ncclUniqueId *id) {
  ORR_TRY(dist_nccl_library_open(&n->lib));
  ORR_TRY(instruct(d, ordered, rank));
  if (rank != 0) return ORR_OK;
  return check_nccl(n, NULL, n->lib.ncclGetUniqueId(id), DIST_AXIS_WORLD, "make an id");
}

orr_code dist_nccl_open(dist_comm *host, const dist_device *d, bool ordered, dist_nccl **out) {
  orr_code rc;
  ncclUniqueId id;
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  dist_nccl *n = orr_calloc(1, sizeof *n);
  memset(&id, 0, sizeof id);
  rc = n ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "NCCL: out of memory for it");
  if (rc == ORR_OK) rc = prepare(n, d, ordered, host->rank, &id);
  ORR_TRY_GOTO(dist_agree(host, rc, "open NCCL"), close);
  n->compute = d->stream;
  ORR_TRY_GOTO(dist_broadcast(host, &id, (int64_t)sizeof id, DIST_U8, 0), close);
  rc = check_nccl(n, NULL,
                  n->lib.ncclCommInitRankConfig(&n->all, host->size, id, host->rank, &config),
                  DIST_AXIS_WORLD, "join the ranks");
  ORR_TRY_GOTO(dist_agree(host, rc, "join the ranks over NCCL"), close);
  *out = n;
  return ORR_OK;
close:
  dist_nccl_close(n);
  return rc;
}

void dist_nccl_close(dist_nccl *n) {
  if (!n) return;
  ncclResult_t later = ncclSuccess;
  if (n->all && n->lib.ncclCommGetAsyncError(n->all, &later) == ncclSuccess && later == ncclSuccess)
    (void)n->lib.ncclCommDestroy(n->all);
  else if (n->all)
    (void)n->lib.ncclCommAbort(n->all);
  dist_nccl_library_close(&n->lib);
  orr_free(n);
}
