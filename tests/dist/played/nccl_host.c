#include "tests/dist/played/nccl_host.h"

#include <mpi.h>
#include <nccl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dist/comm_nccl_library.h"
#include "kernels/bf16.h"
#include "tests/dist/played/streams.h"

enum { MOST_GROUPED = 256, TAG = 7 };

struct ncclComm {
  MPI_Comm mpi;
  int rank, size;
  atomic_int fault;  // ncclResult_t, asynchronous: another thread asks for it
  atomic_int graphs; // captured collectives of this communicator whose graphs live
};

typedef enum { ALL_REDUCE, REDUCE_SCATTER, ALL_GATHER, BROADCAST, SEND, RECV, GROUP } job_kind;
typedef struct {
  job_kind kind;
  const void *send;
  void *recv;
  size_t count;
  ncclDataType_t type;
  ncclRedOp_t op;
  int peer; // or root
  ncclComm_t comm;
  cudaStream_t stream;
} job;

// A whole group runs as one, and a captured one again and again: it stays as long as NCCL does.
typedef struct group {
  struct group *older;
  int n;
  job jobs[MOST_GROUPED];
} group;

static struct {
  nccl_host_fault fault;
  int countdown; // 0 = disarmed
  atomic_int comms, aborted;
  int buffers;
  int depth; // of groups
  group *open, *newest;
} library;

void nccl_host_arm(nccl_host_fault fault, int n) {
  library.fault = fault;
  library.countdown = n;
}
int nccl_host_comms(void) {
  return library.comms;
}
int nccl_host_buffers(void) {
  return library.buffers;
}
int nccl_host_aborted(void) {
  return library.aborted;
}

static bool fails(nccl_host_fault fault) {
  return library.countdown > 0 && library.fault == fault && --library.countdown == 0;
}

// -- what runs in a stream ------------------------------------------------------------------
static size_t bytes_of(ncclDataType_t t) {
  return t == ncclFloat32 ? 4 : t == ncclBfloat16 ? 2 : t == ncclUint8 ? 1 : 8;
}

static MPI_Datatype mpi_of(ncclDataType_t t) {
  return t == ncclFloat32   ? MPI_FLOAT
         : t == ncclFloat64 ? MPI_DOUBLE
         : t == ncclInt64   ? MPI_INT64_T
                            : MPI_UINT8_T;
}

static MPI_Op op_of(ncclRedOp_t op) {
  return op == ncclSum ? MPI_SUM : op == ncclMax ? MPI_MAX : MPI_MIN;
}

// Sums of `count` numbers on every rank; bfloat16 in float32, rounded once.
static void reduce(const job *j, const void *from, void *to, size_t count) {
  if (j->type != ncclBfloat16) {
    MPI_Allreduce(from == to ? MPI_IN_PLACE : from, to, (int)count, mpi_of(j->type), op_of(j->op),
                  j->comm->mpi);
    return;
  }
  float *wide = malloc((count + 1) * sizeof *wide);
  for (size_t i = 0; i < count; i++) wide[i] = kern_bf16_to_f32(((const uint16_t *)from)[i]);
  MPI_Allreduce(MPI_IN_PLACE, wide, (int)count, MPI_FLOAT, op_of(j->op), j->comm->mpi);
  for (size_t i = 0; i < count; i++) ((uint16_t *)to)[i] = kern_f32_to_bf16(wide[i]);
  free(wide);
}

static void scatter(const job *j) {
  const size_t bytes = bytes_of(j->type), all = j->count * (size_t)j->comm->size;
  char *whole = malloc(all * bytes + 1);
  reduce(j, j->send, whole, all);
  memcpy(j->recv, whole + (size_t)j->comm->rank * j->count * bytes, j->count * bytes);
  free(whole);
}

static void gather(const job *j) {
  const size_t bytes = j->count * bytes_of(j->type);
  char *own = (char *)j->recv + (size_t)j->comm->rank * bytes;
  if (j->send != own) memcpy(own, j->send, bytes);
  MPI_Allgather(MPI_IN_PLACE, 0, MPI_BYTE, j->recv, (int)bytes, MPI_BYTE, j->comm->mpi);
}

static void run_group(const group *g) {
  MPI_Request requests[MOST_GROUPED];
  for (int i = 0; i < g->n; i++) {
    const job *j = &g->jobs[i];
    const int bytes = (int)(j->count * bytes_of(j->type));
    if (j->kind == SEND)
      MPI_Isend(j->send, bytes, MPI_BYTE, j->peer, TAG, j->comm->mpi, &requests[i]);
    else
      MPI_Irecv(j->recv, bytes, MPI_BYTE, j->peer, TAG, j->comm->mpi, &requests[i]);
  }
  MPI_Waitall(g->n, requests, MPI_STATUSES_IGNORE);
}

static void run_job(void *context) {
  const job *j = context;
  switch (j->kind) {
  case ALL_REDUCE:
    reduce(j, j->send, j->recv, j->count);
    return;
  case REDUCE_SCATTER:
    scatter(j);
    return;
  case ALL_GATHER:
    gather(j);
    return;
  case BROADCAST:
    if (j->send != j->recv && j->comm->rank == j->peer)
      memcpy(j->recv, j->send, j->count * bytes_of(j->type));
    MPI_Bcast(j->recv, (int)(j->count * bytes_of(j->type)), MPI_BYTE, j->peer, j->comm->mpi);
    return;
  case SEND:
  case RECV:
  case GROUP:
    run_group(j->send);
    return;
  }
}

static void end_of_graph(void *comm) {
  ((ncclComm_t)comm)->graphs--;
}

static ncclResult_t issue(job j) {
  if (!j.comm) return ncclInvalidArgument;
  if (fails(NCCL_HOST_CALL)) return ncclSystemError;
  if (fails(NCCL_HOST_LATER)) {
    atomic_store(&j.comm->fault, ncclRemoteError);
    return ncclSuccess;
  }
  if (library.depth > 0) {
    if (j.kind != SEND && j.kind != RECV) return ncclInvalidUsage; // dist/ groups nothing else
    if (library.open->n == MOST_GROUPED) return ncclInternalError;
    library.open->jobs[library.open->n++] = j;
    return ncclSuccess;
  }
  if (j.kind == SEND || j.kind == RECV) return ncclInvalidUsage; // alone it would wait for ever
  if (streams_hold(j.stream, end_of_graph, j.comm)) j.comm->graphs++;
  streams_call(j.stream, run_job, &j, sizeof j);
  return ncclSuccess;
}

// -- NCCL's names ---------------------------------------------------------------------------
ncclResult_t ncclGetVersion(int *version) {
  *version = 22800;
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
  memset(id, 0, sizeof *id);
  *(int *)(void *)id->internal = (int)getpid();
  return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t r) {
  return r == ncclSuccess       ? "no error"
         : r == ncclSystemError ? "unhandled system error"
         : r == ncclRemoteError ? "remote process exited or there was a network error"
                                : "another error";
}

const char *ncclGetLastError(ncclComm_t comm) {
  return "";
}

static ncclResult_t make(MPI_Comm mpi, ncclComm_t *out) {
  *out = calloc(1, sizeof **out);
  (*out)->mpi = mpi;
  MPI_Comm_rank(mpi, &(*out)->rank);
  MPI_Comm_size(mpi, &(*out)->size);
  library.comms++;
  return ncclSuccess;
}

// All ranks must bring one id, each its own rank.
ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t *config) {
  MPI_Comm mpi;
  ncclUniqueId first = id;
  int same, all, place;
  if (config->size != sizeof *config || config->blocking != -1) return ncclInvalidArgument;
  MPI_Comm_split(MPI_COMM_WORLD, 0, rank, &mpi);
  MPI_Comm_rank(mpi, &place);
  MPI_Bcast(&first, (int)sizeof first, MPI_BYTE, 0, mpi);
  same = memcmp(&first, &id, sizeof id) == 0 && place == rank;
  MPI_Allreduce(&same, &all, 1, MPI_INT, MPI_MIN, mpi);
  if (fails(NCCL_HOST_JOIN) || !all) {
    MPI_Comm_free(&mpi);
    return ncclSystemError;
  }
  return make(mpi, comm);
}

ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int key, ncclComm_t *out,
                           ncclConfig_t *config) {
  MPI_Comm mpi;
  MPI_Comm_split(comm->mpi, color, key, &mpi);
  return make(mpi, out);
}

static void would_wait(const char *for_what) {
  fprintf(stderr,
          "NCCL (played by the host): destroying a communicator would wait for ever, for %s\n",
          for_what);
  abort();
}

static ncclResult_t release(ncclComm_t comm) {
  library.comms--;
  MPI_Comm_free(&comm->mpi);
  free(comm);
  return ncclSuccess;
}

// A communicator ends when the last graph that captured one of its collectives has: both ends wait
// for that without a limit.
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  if (atomic_load(&comm->fault)) would_wait("the end of a collective that failed");
  if (atomic_load(&comm->graphs)) would_wait("graphs that captured its collectives");
  return release(comm);
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  library.aborted++;
  while (atomic_load(&comm->graphs)) usleep(1000);
  library.comms--;
  free(comm); // MPI's part stays: other ranks may not come
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *error) {
  *error = (ncclResult_t)atomic_load(&comm->fault);
  return ncclSuccess;
}

ncclResult_t ncclCommRegister(const ncclComm_t comm, void *p, size_t bytes, void **handle) {
  *handle = malloc(1);
  library.buffers++;
  return ncclSuccess;
}

ncclResult_t ncclCommDeregister(const ncclComm_t comm, void *handle) {
  free(handle);
  library.buffers--;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void *send, void *recv, size_t count, ncclDataType_t t,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return issue((job){ALL_REDUCE, send, recv, count, t, op, 0, comm, stream});
}

ncclResult_t ncclReduceScatter(const void *send, void *recv, size_t count, ncclDataType_t t,
                               ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  return issue((job){REDUCE_SCATTER, send, recv, count, t, op, 0, comm, stream});
}

ncclResult_t ncclAllGather(const void *send, void *recv, size_t count, ncclDataType_t t,
                           ncclComm_t comm, cudaStream_t stream) {
  return issue((job){ALL_GATHER, send, recv, count, t, ncclSum, 0, comm, stream});
}

ncclResult_t ncclBroadcast(const void *send, void *recv, size_t count, ncclDataType_t t, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  return issue((job){BROADCAST, send, recv, count, t, ncclSum, root, comm, stream});
}

ncclResult_t ncclSend(const void *send, size_t count, ncclDataType_t t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return issue((job){SEND, send, NULL, count, t, ncclSum, peer, comm, stream});
}

ncclResult_t ncclRecv(void *recv, size_t count, ncclDataType_t t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return issue((job){RECV, NULL, recv, count, t, ncclSum, peer, comm, stream});
}

ncclResult_t ncclGroupStart(void) {
  if (library.depth++ == 0) library.open = calloc(1, sizeof *library.open);
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd(void) {
  if (library.depth == 0) return ncclInvalidUsage;
  if (--library.depth > 0) return ncclSuccess;
  group *g = library.open;
  library.open = NULL;
  if (g->n == 0) {
    free(g);
    return ncclSuccess;
  }
  g->older = library.newest;
  library.newest = g;
  const job j = {.kind = GROUP, .send = g, .comm = g->jobs[0].comm};
  streams_call(g->jobs[0].stream, run_job, &j, sizeof j);
  return ncclSuccess;
}

// -- in place of dist/comm_nccl_library.c ---------------------------------------------------
orr_code dist_nccl_library_open(dist_nccl_library *l) {
  ORR_CHECK(!fails(NCCL_HOST_OPEN), ORR_EUNSUPPORTED, "libnccl.so.2 does not open (played)");
#define FILL(f) l->f = f;
  DIST_NCCL_FUNCTIONS(FILL)
#undef FILL
  return ORR_OK;
}

void dist_nccl_library_close(dist_nccl_library *l) {
  for (group *older; library.newest; library.newest = older) {
    older = library.newest->older;
    free(library.newest);
  }
}
