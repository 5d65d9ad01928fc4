// A CUDA device played by the host, for tests: the threads of a block are fibers, so barriers,
// shuffles and shared memory are real, and a launch returns when its last block has.
//
// What it finds: threads that wait for others that never come or wait elsewhere (the launch fails
// and says where), reads of shared memory that nobody wrote in this block (it begins as NaN
// patterns), accesses beyond shared memory and beyond allocations (the AddressSanitizer, which the
// kernels are compiled with), and missing barriers: between two barriers the warps of a block run
// one after the other, each as far as it can, and the lanes of a warp likewise between two
// exchanges, in the order of cuda_host_set_order. A race gives other bits in one order than in
// another. One host thread at a time may use it.
#ifndef TESTS_CUDA_HOST_HOST_H
#define TESTS_CUDA_HOST_HOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The order of the blocks of a grid and of the threads of a block.
typedef enum { CUDA_HOST_ASCENDING, CUDA_HOST_DESCENDING, CUDA_HOST_SHUFFLED } cuda_host_order;

enum {
  CUDA_HOST_WARP = 32,
  CUDA_HOST_WORDS = 8, // what a lane can give to its warp in one exchange
  CUDA_HOST_MOST_THREADS = 1024,
  CUDA_HOST_MOST_SHARED = 227 * 1024,
  CUDA_HOST_SHARED = 48 * 1024,      // without cudaFuncSetAttribute
  CUDA_HOST_GRAPH_BYTES = 64 * 1024, // a device with less has no place for a graph
};

typedef struct {
  unsigned x, y, z;
} cuda_host_index;

typedef struct {
  cuda_host_index grid, block;
  size_t shared_bytes, shared_most; // asked for; allowed to this kernel
} cuda_host_shape;

void cuda_host_set_order(cuda_host_order order);
// Runs body(context) once a thread. 0, or -1 with words in cuda_host_fault().
int cuda_host_run(const cuda_host_shape *shape, void (*body)(void *), void *context);
// Why the last launch failed; "" when none did.
const char *cuda_host_fault(void);

// Called by the threads. The barrier of a block; the exchange of a warp returns the words of all 32
// lanes, valid until this lane's next exchange. `place` names the line, which all must share.
void cuda_host_barrier(const char *place);
typedef uint32_t cuda_host_words[CUDA_HOST_WORDS];
const cuda_host_words *cuda_host_exchange(const char *place, const uint32_t *words, int count);

// The machine that is played; a test changes it and puts it back.
typedef struct {
  int driver, devices; // CUDA version of the driver, 0 = none
  int major, minor;    // compute capability
  size_t memory;       // bytes of each device
} cuda_host_machine;
extern cuda_host_machine cuda_host_here;

// Lets time pass for events; nobody waits.
void cuda_host_pass_ms(double ms);

// Runs call(context), which returns a cudaError_t, or keeps it where the stream is being captured:
// then on a copy of the context, at every replay. For whatever stands in for a library's kernel.
// release(context), which may be NULL, follows the last call.
int cuda_host_do(void *stream, int (*call)(void *context), void (*release)(void *context),
                 const void *context, size_t bytes);
// The flags that the last capture was instantiated with.
unsigned long long cuda_host_graph_flags(void);

// Device memory: every byte 0xff (NaN in all types, -1). NULL when there is none.
void *cuda_host_malloc(size_t bytes);
void cuda_host_free(void *p);

#ifdef __cplusplus
}
#endif

#endif
