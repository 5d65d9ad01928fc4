// The CPU's side of memory, marks and captures: tensors lie in host memory and an op has run when
// its call returns, so there is nothing to wait for.
#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "kernels/cpu/cpu.h"

orr_code cpu_alloc(kern *k, kern_memory kind, size_t bytes, const char *what, void **out) {
  return orr_arena_host_alloc(NULL, bytes, what, out);
}

void cpu_free(kern *k, kern_memory kind, void *p) {
  orr_free(p);
}

orr_code cpu_sync(kern *k) {
  return ORR_OK;
}

orr_code cpu_mark(kern *k, int slot) {
  ((cpu_impl *)k->impl)->mark_ms[slot] = orr_clock_ms();
  return ORR_OK;
}

orr_code cpu_await(kern *k, int slot) {
  return ORR_OK;
}

orr_code cpu_elapsed(kern *k, int from, int to, double *ms) {
  *ms = cpu_impl_of(k)->mark_ms[to] - cpu_impl_of(k)->mark_ms[from];
  return ORR_OK;
}

static orr_code no_capture(void) {
  return ORR_FAIL(ORR_EUNSUPPORTED, "kernels: the CPU runs ops as they come and captures none");
}

orr_code cpu_capture_begin(kern *k) {
  return no_capture();
}

orr_code cpu_capture_end(kern *k, void **graph) {
  *graph = NULL;
  return no_capture();
}

orr_code cpu_replay(kern *k, void *graph) {
  return no_capture();
}

void cpu_graph_free(kern *k, void *graph) {}

void *cpu_stream(kern *k) {
  return NULL;
}
