// NCCL, opened when several ranks have a GPU instead of linked: a start without one pays nothing
// for it, and a machine that lacks it still starts the program.
#ifndef DIST_COMM_NCCL_LIBRARY_H
#define DIST_COMM_NCCL_LIBRARY_H

#include <nccl.h>

#include "base/status.h"

#define DIST_NCCL_FUNCTIONS(X)                                                                     \
  X(ncclGetVersion)                                                                                \
  X(ncclGetUniqueId)                                                                               \
  X(ncclGetErrorString)                                                                            \
  X(ncclGetLastError)                                                                              \
  X(ncclCommInitRankConfig)                                                                        \
  X(ncclCommSplit)                                                                                 \
  X(ncclCommDestroy)                                                                               \
  X(ncclCommAbort)                                                                                 \
  X(ncclCommGetAsyncError)                                                                         \
  X(ncclCommRegister)                                                                              \
  X(ncclCommDeregister)                                                                            \
  X(ncclAllReduce)                                                                                 \
  X(ncclReduceScatter)                                                                             \
  X(ncclAllGather)                                                                                 \
  X(ncclBroadcast)                                                                                 \
  X(ncclSend)                                                                                      \
  X(ncclRecv)                                                                                      \
  X(ncclGroupStart)                                                                                \
  X(ncclGroupEnd)

typedef struct {
  void *handle;
#define DIST_NCCL_SLOT(f) __typeof__(&f) f;
  DIST_NCCL_FUNCTIONS(DIST_NCCL_SLOT)
#undef DIST_NCCL_SLOT
} dist_nccl_library;

// Local. Opens the library of the major version that this build was made with: where the loader
// looks, else in the toolkit's folder at build time. ORR_EUNSUPPORTED names the file and the
// loader's words. Closing twice does nothing.
orr_code dist_nccl_library_open(dist_nccl_library *l);
void dist_nccl_library_close(dist_nccl_library *l);

#endif
