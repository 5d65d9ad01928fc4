// The CPU backend: what its op files share.
//
// An op file is compiled once per instruction set (kernels/cpu/isa.h) and defines CPU_FN(op) for
// the table. Its shape:
//
//   orr_code CPU_FN(rmsnorm_fwd)(kern *k, const kern_rmsnorm_fwd_args *a) {
//     void *scratch;
//     ORR_TRY(cpu_workspace(k, cpu_scratch_bytes(k, bytes_per_thread), &scratch));
//     if (k->planning) return ORR_OK;
//     cpu_run(k, a->M, 8, fwd_rows, &(fwd_ctx){a, scratch, bytes});
//     ...
//   }
//
// An op without scratch only has the planning line. Threads: cpu_run, over loops whose results do
// not depend on who does a piece (kernels/cpu/team.h).
#ifndef KERNELS_CPU_CPU_H
#define KERNELS_CPU_CPU_H

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/team.h"

// What the machine and its operating system offer, each level with those before it.
typedef enum {
  CPU_LEVEL_V2,   // x86-64-v2; away from x86-64 the plain build
  CPU_LEVEL_V3,   // AVX2, FMA
  CPU_LEVEL_V4,   // AVX-512 F, BW, CD, DQ, VL
  CPU_LEVEL_BF16, // the v4 build, with avx512_bf16 for bf16 products
  CPU_LEVEL_AMX,  // the v4 build, with AMX tiles for bf16 products and attention
} cpu_level;

typedef struct {
  kern_backend backend; // first
  cpu_level level;
  cpu_team *team;
  double mark_ms[KERN_MARKS];
} cpu_impl;

// Local. The best level of this machine.
cpu_level cpu_level_detect(void);
// Whether products in bf16 are faster than in float32 at `level` of a CPU, Intel's or another's.
bool cpu_bf16_pays(cpu_level level, bool intel);
// Local. As kern_cpu_create, at a level of the caller's choice, at most cpu_level_detect().
orr_code cpu_create(int threads, cpu_level level, kern **out);

static inline const cpu_impl *cpu_impl_of(const kern *k) {
  return (const cpu_impl *)k->impl;
}

// Local. A loop of `items`, shared by k's threads in pieces of `grain` items.
static inline void cpu_run(const kern *k, int64_t items, int64_t grain, cpu_team_body body,
                           const void *ctx) {
  cpu_team_run(cpu_impl_of(k)->team, items, grain, body, ctx);
}

// Rows in a piece of a loop over `rows` rows of `width` elements: 16384 elements, or fewer where
// threads would have nothing to do, down to what is just worth taking.
static inline int64_t cpu_grain(const kern *k, int64_t rows, int64_t width) {
  const int64_t least = 2048 / (width > 0 ? width : 1), most = 16384 / (width > 0 ? width : 1);
  const int64_t even = rows / (2 * k->threads);
  const int64_t grain = even > most ? most : even < least ? least : even;
  return grain > 1 ? grain : 1;
}

// Local. While planning: raises k->workspace_bytes to `bytes`, *out = NULL. Afterwards *out is
// the workspace, 64-byte aligned, whose contents nothing keeps between ops. A need beyond the
// plan grows it and counts a late plan. ORR_ENOMEM.
orr_code cpu_workspace(kern *k, size_t bytes, void **out);

// Scratch for each thread, kept apart by cache lines: thread t's part begins at
// cpu_scratch_of(workspace, bytes_per_thread, t).
static inline size_t cpu_round_up(size_t bytes) {
  return (bytes + 127) & ~(size_t)127;
}
static inline size_t cpu_scratch_bytes(const kern *k, size_t bytes_per_thread) {
  return cpu_round_up(bytes_per_thread) * (size_t)k->threads;
}
static inline void *cpu_scratch_of(void *workspace, size_t bytes_per_thread, int thread) {
  return (char *)workspace + cpu_round_up(bytes_per_thread) * (size_t)thread;
}

// The tables (table.c, once per instruction set) and the ops they list.
#define CPU_OP_DECLARE(op) orr_code CPU_FN(op)(kern * k, const kern_##op##_args *a);
KERN_OPS(CPU_OP_DECLARE)
#undef CPU_OP_DECLARE
extern const kern_table CPU_FN(cpu_table);
// In kernels/cpu/gemm_rows.c.
size_t CPU_FN(cpu_packed_bytes)(const kern *k, kern_dtype type, int64_t N, int64_t K);
// The other slots, the same in every table (memory.c, and cpu.c for the last).
orr_code cpu_alloc(kern *k, kern_memory kind, size_t bytes, const char *what, void **out);
void cpu_free(kern *k, kern_memory kind, void *p);
orr_code cpu_sync(kern *k);
orr_code cpu_mark(kern *k, int slot);
orr_code cpu_await(kern *k, int slot);
orr_code cpu_elapsed(kern *k, int from, int to, double *ms);
orr_code cpu_capture_begin(kern *k);
orr_code cpu_capture_end(kern *k, void **graph);
orr_code cpu_replay(kern *k, void *graph);
void cpu_graph_free(kern *k, void *graph);
void *cpu_stream(kern *k);
void cpu_destroy(kern *k);

#endif
