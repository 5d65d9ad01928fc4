#include "tests/kernels/slow_kern.h"

#include <stdlib.h>

#include "base/clock.h"

enum { PIECE_NS = 50000 };

typedef struct {
  kern_table table; // first: k->table leads here
  const kern_table *inner;
  double share, owed_ns;
} slow;

static slow *slow_of(const kern *k) {
  return (slow *)(uintptr_t)k->table;
}

// Reading the clock costs as much as a small op: what is owed is paid in pieces that are worth it.
static void compute_on(slow *s, int64_t from_ns) {
  const int64_t began_ns = orr_clock_cpu_ns();
  int64_t now_ns = began_ns;
  s->owed_ns += s->share * (double)(began_ns - from_ns);
  if (s->owed_ns < PIECE_NS) return;
  while ((double)(now_ns - began_ns) < s->owed_ns) now_ns = orr_clock_cpu_ns();
  s->owed_ns -= (double)(now_ns - began_ns);
}

#define SLOW_OP(op)                                                                                \
  static orr_code slow_##op(kern *k, const kern_##op##_args *a) {                                  \
    slow *s = slow_of(k);                                                                          \
    const int64_t from_ns = orr_clock_cpu_ns();                                                    \
    const orr_code rc = s->inner->op(k, a);                                                        \
    compute_on(s, from_ns);                                                                        \
    return rc;                                                                                     \
  }
KERN_OPS(SLOW_OP)
#undef SLOW_OP

static void slow_destroy(kern *k) {
  slow *s = slow_of(k);
  k->table = s->inner;
  free(s);
  k->table->destroy(k);
}

orr_code slow_kern_wrap(kern *k, double share) {
  slow *s = calloc(1, sizeof *s);
  ORR_CHECK(s, ORR_ENOMEM, "slow kern: out of memory");
  *s = (slow){.table = *k->table, .inner = k->table, .share = share};
#define SLOW_SLOT(op) s->table.op = slow_##op;
  KERN_OPS(SLOW_SLOT)
  SLOW_SLOT(destroy)
#undef SLOW_SLOT
  k->table = &s->table;
  return ORR_OK;
}
