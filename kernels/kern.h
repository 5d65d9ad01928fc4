// The op table: all arithmetic on tensors, and the memory they lie in. One list of ops
// (kernels/ops.h) makes the table; each backend fills every slot (start-up refuses an empty one).
// Callers use the kern_<op>() wrappers.
//
// Order: ops run one after the other in the order of their calls, and a call may return before its
// op has run. What the host wants to read it copies out, and waits: for a mark after the copy, or
// for everything (sync). Device memory is never touched by the host.
//
// Planning: while k->planning is true an op must not touch a tensor (addresses are placeholders
// of counting arenas); it only creates and caches what its shape needs (tuned
// plans) and raises k->workspace_bytes. kern_commit allocates the workspace and ends planning.
// After that no op allocates for a planned shape; an op that meets a new shape plans it then and
// counts it in k->late_plans.
//
// Determinism: the same call with the same inputs gives the same bits, whatever ran before; our
// own loops also do not depend on the number of threads (partial sums over fixed blocks, summed
// in order).
#ifndef KERNELS_KERN_H
#define KERNELS_KERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "kernels/ops.h"

typedef struct kern kern;

// What ops touch, and host memory that copies to and from it at full speed.
typedef enum { KERN_DEVICE, KERN_PINNED, KERN_MEMORIES } kern_memory;

// Marks are numbered places in the order of ops, set anew whenever the caller likes.
#define KERN_MARKS 64

typedef struct {
  const char *name; // "cpu", "cuda"
#define KERN_SLOT(op) orr_code (*op)(kern * k, const kern_##op##_args *a);
  KERN_OPS(KERN_SLOT)
#undef KERN_SLOT
  // Bytes of a weight [N,K] in packed form (kern_pack_weight); 0: this backend reads weights as
  // they lie.
  size_t (*packed_bytes)(const kern *k, kern_dtype type, int64_t N, int64_t K);
  // Zeroed memory for `what`, aligned for every op. ORR_ENOMEM names what, bytes, free, remedy.
  orr_code (*alloc)(kern *k, kern_memory kind, size_t bytes, const char *what, void **out);
  void (*free)(kern *k, kern_memory kind, void *p); // takes NULL; waits for ops that use it
  orr_code (*sync)(kern *k);                        // waits for every op called so far
  orr_code (*mark)(kern *k, int slot);              // sets mark `slot` after the ops called so far
  orr_code (*await)(kern *k, int slot);             // waits until the mark, if ever set, is passed
  // *ms (=) time between two marks, both awaited.
  orr_code (*elapsed)(kern *k, int from, int to, double *ms);
  // Where k->can_capture: ops called between begin and end are not run but kept in *graph, which
  // replay then runs as often as it is called. Arguments are kept as they are, so what changes from
  // run to run lies in device memory. A mark in between is set by every replay. No alloc, sync,
  // await or elapsed in between.
  orr_code (*capture_begin)(kern *k);
  orr_code (*capture_end)(kern *k,
                          void **graph); // also after a failure in between; *graph NULL then.
                                         // ORR_ENOMEM: no room for the graph; ops run as before
  orr_code (*replay)(kern *k, void *graph);
  void (*graph_free)(kern *k, void *graph); // takes NULL
  void *(*stream)(kern *k); // the device's handle of the order of ops, for dist/; NULL on the CPU
  void (*destroy)(kern *k);
} kern_table;

// Gives memory to the arenas that kern_arena_init makes.
typedef struct {
  kern *k;
  kern_memory kind;
} kern_space;

struct kern {
  const kern_table *table;
  int threads;
  bool planning;
  bool can_capture;
  bool rows_apart;    // with packed weights, what an op gives a row or a sequence does not depend
                      // on the others of the call
  bool exact;         // sums over rows have an order that does not depend on the columns of a call;
                      // set before planning
  bool device_memory; // tensors lie in memory that the host cannot touch
  size_t workspace_bytes; // what the planned ops need at most at once
  void *workspace;        // NULL while planning
  int64_t late_plans;     // shapes planned after kern_commit
  bool bf16_native;       // AMX or avx512_bf16 for bf16 matmuls
  bool bf16_pays;         // and these are faster than float32's: what run.precision auto goes by
  char isa[96];           // what the backend chose, for the log: "x86-64-v4 + AMX", ...
  char device_id[40];     // tells this machine's devices apart; empty on the CPU
  char why_cpu[256];      // why KERN_DEVICE_AUTO took the CPU; else empty
  kern_space space[KERN_MEMORIES];
  struct kern_watch *watch; // who is told of every op (kernels/watch.h); NULL = nobody
  void *impl;               // the backend's own
};

// AUTO: a library for unmasked sequences. OWN: none. LIBRARY: one for long causal sequences, too.
typedef enum { KERN_ATTENTION_AUTO, KERN_ATTENTION_OWN, KERN_ATTENTION_LIBRARY } kern_attention;

typedef enum { KERN_DEVICE_AUTO, KERN_DEVICE_CPU, KERN_DEVICE_CUDA } kern_device;

// Instruction sets of the CPU's arithmetic, each with those before it; auto is the best of this
// CPU.
#define KERN_ISAS(X)                                                                               \
  X(AUTO, auto) X(AVX2, avx2) X(AVX512, avx512) X(AVX512_BF16, avx512_bf16) X(AMX, amx)
#define KERN_ISA_CONSTANT(NAME, word) KERN_ISA_##NAME,
typedef enum { KERN_ISAS(KERN_ISA_CONSTANT) } kern_isa;
#undef KERN_ISA_CONSTANT

typedef struct {
  kern_device device;
  kern_isa isa;              // of the CPU: a lower one than it has takes the paths of such CPUs
  int threads;               // of the CPU; 0 = as many as this process may use (base/cores.h)
  int node_rank, node_ranks; // among the processes of this run on this machine: one device each
  bool share_devices;        // let several processes take one device
  bool tune;                 // planning may time algorithms that give the same bits
  kern_attention attention;  // who computes it, where a library could
} kern_setup;

// Local. Chooses the backend, and on a machine with several devices the one of this rank. Starts in
// planning mode. KERN_DEVICE_AUTO takes the CPU where there is no device that works, and keeps why;
// KERN_DEVICE_CUDA then is ORR_EUNSUPPORTED, as is an instruction set that the CPU lacks.
// ORR_EINVAL: more ranks than devices.
orr_code kern_open(const kern_setup *setup, kern **out);
// Local. The same for a process that is alone.
orr_code kern_create(kern_device device, int threads, kern **out);
orr_code kern_commit(kern *k); // allocates the workspace, ends planning
void kern_destroy(kern *k);    // takes NULL
// Local. The instruction set of that name; `what` names the option in the ORR_ECONFIG of another.
orr_code kern_isa_read(const char *what, const char *name, kern_isa *out);
// A sentence on how bf16 runs on this machine: "bf16: AMX", or why it falls back.
const char *kern_bf16_reason(const kern *k);
// Who computes the forward or backward attention of bfloat16 sequences, unmasked or causal, as far
// as it has been planned: "cuDNN 9.19.0", or "own kernels: " and why. "" where there was nothing to
// choose.
const char *kern_attention_by(const kern *k, bool causal, bool backward);

// Local. An arena (base/arena.h) in device memory, or in pinned host memory. The kern outlives it.
void kern_arena_init(kern *k, orr_arena *a, const char *name);
void kern_arena_init_pinned(kern *k, orr_arena *a, const char *name);

// Local. Rates of step `step` >= 1 (ORR_EINVAL below), worked out in float64.
orr_code kern_adamw_rates_of(double lr, double beta1, double beta2, int64_t step,
                             kern_adamw_rates *out);

#define KERN_WRAP(op)                                                                              \
  static inline orr_code kern_##op(kern *k, const kern_##op##_args *a) {                           \
    return k->table->op(k, a);                                                                     \
  }
KERN_OPS(KERN_WRAP)
#undef KERN_WRAP

// The slots above, as functions.
static inline size_t kern_packed_bytes(const kern *k, kern_dtype type, int64_t N, int64_t K) {
  return k->table->packed_bytes(k, type, N, K);
}
static inline orr_code kern_alloc(kern *k, kern_memory kind, size_t bytes, const char *what,
                                  void **out) {
  return k->table->alloc(k, kind, bytes, what, out);
}
static inline void kern_free(kern *k, kern_memory kind, void *p) {
  k->table->free(k, kind, p);
}
static inline orr_code kern_sync(kern *k) {
  return k->table->sync(k);
}
static inline orr_code kern_mark(kern *k, int slot) {
  return k->table->mark(k, slot);
}
static inline orr_code kern_await(kern *k, int slot) {
  return k->table->await(k, slot);
}
static inline orr_code kern_elapsed(kern *k, int from, int to, double *ms) {
  return k->table->elapsed(k, from, to, ms);
}
static inline orr_code kern_capture_begin(kern *k) {
  return k->table->capture_begin(k);
}
static inline orr_code kern_capture_end(kern *k, void **graph) {
  return k->table->capture_end(k, graph);
}
static inline orr_code kern_replay(kern *k, void *graph) {
  return k->table->replay(k, graph);
}
static inline void kern_graph_free(kern *k, void *graph) {
  k->table->graph_free(k, graph);
}
static inline void *kern_stream(kern *k) {
  return k->table->stream(k);
}

#endif
