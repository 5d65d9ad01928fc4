// The op table of the CUDA backend, and what its ops share (context.c).
#ifndef KERNELS_CUDA_TABLE_H
#define KERNELS_CUDA_TABLE_H

#include "kernels/cuda/cuda.h"

extern const kern_table cuda_table;

// Local, all of them: the slots of kern_table, which says what they do.
size_t cuda_packed_bytes(const kern *k, kern_dtype type, int64_t N, int64_t K);
orr_code cuda_alloc(kern *k, kern_memory kind, size_t bytes, const char *what, void **out);
void cuda_free(kern *k, kern_memory kind, void *p);
orr_code cuda_sync(kern *k);
orr_code cuda_mark(kern *k, int slot);
orr_code cuda_await(kern *k, int slot);
orr_code cuda_elapsed(kern *k, int from, int to, double *ms);
orr_code cuda_capture_begin(kern *k);
orr_code cuda_capture_end(kern *k, void **graph);
orr_code cuda_replay(kern *k, void *graph);
void cuda_graph_free(kern *k, void *graph);
void *cuda_stream(kern *k);
void cuda_destroy(kern *k);

#endif
