// The life of a kern on a GPU, its memory, and the order of what is issued to it: one stream, marks
// in it, and captures of it.
#include "kernels/cuda/cuda.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/sdpa.h"
#include "kernels/cuda/table.h"

orr_code cuda_check(cudaError_t e, const char *what) {
  if (e == cudaSuccess) return ORR_OK;
  (void)cudaGetLastError(); // what can be recovered from is not reported twice
  switch (e) {
  case cudaErrorMemoryAllocation:
    return ORR_FAIL(ORR_ENOMEM, "kernels: CUDA cannot %s: out of device memory", what);
  case cudaErrorInsufficientDriver:
  case cudaErrorNoDevice:
  case cudaErrorNoKernelImageForDevice:
  case cudaErrorUnsupportedPtxVersion:
  case cudaErrorDevicesUnavailable:
    return ORR_FAIL(ORR_EUNSUPPORTED, "kernels: CUDA cannot %s: %s", what, cudaGetErrorString(e));
  case cudaErrorIllegalAddress:
  case cudaErrorMisalignedAddress:
  case cudaErrorLaunchFailure:
  case cudaErrorLaunchTimeout:
  case cudaErrorAssert:
  case cudaErrorHardwareStackError:
  case cudaErrorIllegalInstruction:
  case cudaErrorECCUncorrectable:
    return ORR_FAIL(ORR_EIO,
                    "kernels: CUDA cannot %s: %s. The fault belongs to this or an earlier op; "
                    "CUDA_LAUNCH_BLOCKING=1 shows which one",
                    what, cudaGetErrorString(e));
  default:
    return ORR_FAIL(ORR_EIO, "kernels: CUDA cannot %s: %s", what, cudaGetErrorString(e));
  }
}

// -- memory ---------------------------------------------------------------------------------

static orr_code no_device_memory(const char *what, size_t bytes) {
  size_t free_bytes = 0, total = 0;
  (void)cudaGetLastError();
  if (cudaMemGetInfo(&free_bytes, &total) != cudaSuccess) (void)cudaGetLastError();
  return ORR_FAIL(ORR_ENOMEM,
                  "%s: %.1f MiB of GPU memory wanted, %.1f of %.1f MiB are free; use a smaller "
                  "train.batch or train.micro_batch, train.recompute, dist.zero 1, or more GPUs",
                  what, (double)bytes / 1048576.0, (double)free_bytes / 1048576.0,
                  (double)total / 1048576.0);
}

orr_code cuda_alloc(kern *k, kern_memory kind, size_t bytes, const char *what, void **out) {
  cuda_impl *impl = cuda_impl_of(k);
  *out = NULL;
  if (kind == KERN_PINNED) {
    cudaError_t e = cudaHostAlloc(out, bytes, cudaHostAllocDefault);
    if (e == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      return ORR_FAIL(ORR_ENOMEM, "%s: no %.1f MiB of page-locked host memory; see `ulimit -l`",
                      what, (double)bytes / 1048576.0);
    }
    ORR_TRY(cuda_check(e, "allocate page-locked memory"));
    memset(*out, 0, bytes);
    return ORR_OK;
  }
  cudaError_t e = cudaMalloc(out, bytes);
  if (e == cudaErrorMemoryAllocation) return no_device_memory(what, bytes);
  ORR_TRY(cuda_check(e, "allocate device memory"));
  // dist/ has streams of its own, so the zeros are there before anybody gets the address
  orr_code rc = cuda_check(cudaMemsetAsync(*out, 0, bytes, impl->stream), "clear device memory");
  if (rc == ORR_OK) rc = cuda_check(cudaStreamSynchronize(impl->stream), "clear device memory");
  if (rc == ORR_OK) return ORR_OK;
  cudaFree(*out);
  *out = NULL;
  return rc;
}

void cuda_free(kern *k, kern_memory kind, void *p) {
  if (!p) return;
  (void)cudaStreamSynchronize(cuda_impl_of(k)->stream);
  (void)(kind == KERN_PINNED ? cudaFreeHost(p) : cudaFree(p));
}

orr_code cuda_workspace(kern *k, size_t bytes, void **out) {
  cuda_impl *impl = cuda_impl_of(k);
  *out = k->workspace;
  if (bytes <= k->workspace_bytes) return ORR_OK;
  if (k->planning) {
    k->workspace_bytes = bytes;
    return ORR_OK;
  }
  ORR_CHECK(!impl->capturing, ORR_EUNSUPPORTED,
            "kernels: a shape met while a step is captured wants %zu bytes of workspace, planned "
            "are %zu; run the step once before capturing it",
            bytes, k->workspace_bytes);
  void *grown;
  ORR_TRY(cuda_alloc(k, KERN_DEVICE, bytes, "workspace of the kernels", &grown));
  cuda_free(k, KERN_DEVICE, k->workspace);
  *out = k->workspace = grown;
  k->workspace_bytes = bytes;
  k->late_plans++;
  return ORR_OK;
}

// -- order ----------------------------------------------------------------------------------

orr_code cuda_sync(kern *k) {
  return cuda_check(cudaStreamSynchronize(cuda_impl_of(k)->stream), "finish the ops so far");
}

orr_code cuda_mark(kern *k, int slot) {
  cuda_impl *impl = cuda_impl_of(k);
  ORR_CHECK(slot >= 0 && slot < KERN_MARKS, ORR_EINVAL, "kernels: mark %d of %d", slot, KERN_MARKS);
  // In a capture an ordinary record would only order the graph's nodes; an external one becomes a
  // node that sets the event whenever the graph runs.
  return cuda_check(
      cudaEventRecordWithFlags(impl->mark[slot], impl->stream,
                               impl->capturing ? cudaEventRecordExternal : cudaEventRecordDefault),
      "set a mark");
}

orr_code cuda_await(kern *k, int slot) {
  ORR_CHECK(slot >= 0 && slot < KERN_MARKS, ORR_EINVAL, "kernels: mark %d of %d", slot, KERN_MARKS);
  return cuda_check(cudaEventSynchronize(cuda_impl_of(k)->mark[slot]), "wait for a mark");
}

orr_code cuda_elapsed(kern *k, int from, int to, double *ms) {
  const cuda_impl *impl = cuda_impl_of(k);
  float between = 0.0f;
  *ms = 0.0;
  ORR_CHECK(from >= 0 && from < KERN_MARKS && to >= 0 && to < KERN_MARKS, ORR_EINVAL,
            "kernels: marks %d and %d of %d", from, to, KERN_MARKS);
  ORR_TRY(cuda_check(cudaEventElapsedTime(&between, impl->mark[from], impl->mark[to]),
                     "take the time between two marks"));
  *ms = between;
  return ORR_OK;
}

size_t cuda_packed_bytes(const kern *k, kern_dtype type, int64_t N, int64_t K) {
  return 0; // the tensor cores' libraries read weights as they lie
}

orr_code cuda_pack_weight(kern *k, const kern_pack_weight_args *a) {
  return ORR_FAIL(ORR_EINVAL, "kernels: weights are not packed on a GPU");
}

void *cuda_stream(kern *k) {
  return cuda_impl_of(k)->stream;
}

orr_code cuda_capture_begin(kern *k) {
  cuda_impl *impl = cuda_impl_of(k);
  ORR_CHECK(!k->planning && !impl->capturing, ORR_EINVAL,
            "kernels: a capture begins after planning, and inside no other");
  // thread-local: the saver's and the loader's threads may allocate meanwhile
  ORR_TRY(cuda_check(cudaStreamBeginCapture(impl->stream, cudaStreamCaptureModeThreadLocal),
                     "begin to capture"));
  impl->capturing = true;
  return ORR_OK;
}

orr_code cuda_capture_end(kern *k, void **graph) {
  cuda_impl *impl = cuda_impl_of(k);
  cudaGraph_t ops = NULL;
  cudaGraphExec_t exec = NULL;
  *graph = NULL;
  ORR_CHECK(impl->capturing, ORR_EINVAL, "kernels: no capture has begun");
  impl->capturing = false;
  orr_code rc = cuda_check(cudaStreamEndCapture(impl->stream, &ops), "end a capture");
  // Without the flag all nodes have the priority of the stream that a replay goes to, and the
  // reductions' stream (dist/comm_nccl.c) has its own for nothing.
  if (rc == ORR_OK)
    rc = cuda_check(cudaGraphInstantiate(&exec, ops, cudaGraphInstantiateFlagUseNodePriority),
                    "instantiate a capture");
  // what the graph needs on the device it takes now, not at its first launch
  if (rc == ORR_OK) rc = cuda_check(cudaGraphUpload(exec, impl->stream), "place a capture");
  if (rc != ORR_OK && exec) {
    (void)cudaGraphExecDestroy(exec);
    exec = NULL;
  }
  if (ops) cudaGraphDestroy(ops);
  *graph = exec;
  return rc;
}

orr_code cuda_replay(kern *k, void *graph) {
  return cuda_check(cudaGraphLaunch((cudaGraphExec_t)graph, cuda_impl_of(k)->stream),
                    "replay a captured step");
}

void cuda_graph_free(kern *k, void *graph) {
  if (!graph) return;
  (void)cudaStreamSynchronize(cuda_impl_of(k)->stream);
  (void)cudaGraphExecDestroy((cudaGraphExec_t)graph);
}

// Whether this stream captures at all: under some tools it does not.
static bool captures(const cuda_impl *impl) {
  cudaGraph_t nothing = NULL;
  bool able = cudaStreamBeginCapture(impl->stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess;
  if (able) able = cudaStreamEndCapture(impl->stream, &nothing) == cudaSuccess;
  if (nothing) cudaGraphDestroy(nothing);
  if (!able) (void)cudaGetLastError();
  return able;
}

// -- life -----------------------------------------------------------------------------------

// why: there is no cuDNN, where there is none.
static void describe(kern *k, const cuda_device *d, const char *why) {
  cuda_impl *impl = cuda_impl_of(k);
  size_t unused = 0, memory = 0;
  if (cudaMemGetInfo(&unused, &memory) != cudaSuccess) (void)cudaGetLastError();
  snprintf(k->isa, sizeof k->isa, "%.40s, sm_%d, %.0f GiB", d->name, d->sm,
           (double)memory / 1073741824.0);
  snprintf(k->device_id, sizeof k->device_id, "%s", d->id);
  snprintf(impl->backend.bf16_reason, sizeof impl->backend.bf16_reason,
           "bf16: matrix units; driver %d.%d; attention: %s%s%s", d->driver / 1000,
           d->driver % 1000 / 10, impl->sdpa ? cuda_sdpa_name(impl->sdpa) : "own kernels alone (",
           impl->sdpa ? "" : why, impl->sdpa ? "" : ")");
  for (int i = 0; !impl->sdpa && i < 2; i++) // of unmasked sequences
    snprintf(impl->backend.attention[0][i], sizeof impl->backend.attention[0][i], "own kernels: %s",
             why);
}

static orr_code open_order(cuda_impl *impl) {
  ORR_TRY(cuda_check(cudaSetDevice(impl->device), "take the device"));
  ORR_TRY(cuda_check(cudaStreamCreateWithFlags(&impl->stream, cudaStreamNonBlocking),
                     "create a stream"));
  for (int i = 0; i < KERN_MARKS; i++)
    ORR_TRY(cuda_check(cudaEventCreate(&impl->mark[i]), "create a mark"));
  return ORR_OK;
}

orr_code kern_cuda_create(const kern_setup *setup, kern **out) {
  *out = NULL;
  orr_code rc;
  cuda_device d;
  char why[CUDA_SDPA_WHY] = "as run.attention asks";
  ORR_TRY(cuda_device_choose(setup, &d));
  kern *k = orr_calloc(1, sizeof *k);
  ORR_CHECK(k, ORR_ENOMEM, "kernels: out of memory for the CUDA backend");
  cuda_impl *impl = orr_calloc(1, sizeof *impl);
  ORR_CHECK_GOTO(impl, free_kern, ORR_ENOMEM, "kernels: out of memory for the CUDA backend");
  k->table = &cuda_table;
  k->threads = setup->threads;
  k->planning = true;
  k->device_memory = true;
  k->bf16_native = k->bf16_pays = true;
  k->impl = impl;
  impl->device = d.number;
  impl->sm = d.sm;
  impl->sms = d.sms;
  impl->shared_max = d.shared_max;
  impl->tune = setup->tune;
  ORR_TRY_GOTO(open_order(impl), destroy);
  k->can_capture = captures(impl);
  ORR_TRY_GOTO(cuda_products_create(&impl->products), destroy);
  impl->library_causal = setup->attention == KERN_ATTENTION_LIBRARY;
  if (setup->attention != KERN_ATTENTION_OWN)
    ORR_TRY_GOTO(cuda_sdpa_create(impl->stream, &impl->sdpa, why), destroy);
  describe(k, &d, why);
  *out = k;
  return ORR_OK;

destroy:
  cuda_destroy(k);
  return rc;
free_kern:
  orr_free(k);
  return rc;
}

void cuda_destroy(kern *k) {
  cuda_impl *impl = cuda_impl_of(k);
  cuda_sdpa_destroy(impl->sdpa);
  cuda_products_destroy(impl->products);
  for (int i = 0; i < KERN_MARKS; i++)
    if (impl->mark[i]) (void)cudaEventDestroy(impl->mark[i]);
  if (impl->stream) (void)cudaStreamDestroy(impl->stream);
  orr_free(impl);
  orr_free(k);
}
