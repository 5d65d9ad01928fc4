// Collectives over NCCL, on tensors in device memory. Private to dist/ (and its tests); the tables'
// users see dist/comm.h. Without the CUDA Toolkit and NCCL, comm_nccl_absent.c stands in.
//
// Calls are put into the order of a stream and return at once. tp, cp and the world go into the
// compute stream, which needs their results next; the replicas have a stream of their own beside
// it, so that reductions run under the backward pass: a start runs after what the compute stream
// has been given so far, and dist_wait puts what the compute stream is given next after the
// result. The host waits for neither. NCCL sums bfloat16 numbers in pairs, each rounded.
#ifndef DIST_COMM_NCCL_H
#define DIST_COMM_NCCL_H

#include "base/version.h"
#include "dist/comm_table.h"
#include "dist/world.h"

typedef struct dist_nccl dist_nccl; // what the communicators of a world share

// Collective over host, the MPI communicator of all ranks; d as in dist_world_split_device. Opens
// the library and joins all ranks to one communicator by an id that rank 0 hands out over MPI.
// `ordered`: collectives of several communicators are under way at once, and every rank starts them
// in one order, which NCCL then keeps on the device too.
// ORR_EUNSUPPORTED names what is missing, ORR_ECOMM gives NCCL's words; the same on all ranks.
orr_code dist_nccl_open(dist_comm *host, const dist_device *d, bool ordered, dist_nccl **out);
// Local. After the last communicator's destruction. Takes NULL.
void dist_nccl_close(dist_nccl *n);

// Local. dist_versions' part of a build with NCCL.
void dist_nccl_versions(orr_version_told *told, void *to);

// Collective over all ranks. The ranks of `host`, an axis over MPI, over NCCL: `group` is a number
// that they alone share. ORR_ECOMM, ORR_ENOMEM.
orr_code dist_comm_nccl_create(dist_nccl *n, const dist_comm *host, int group, dist_comm **out);

#endif
