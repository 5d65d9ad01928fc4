// Fault hooks: a countdown per kind. The counters are process-wide because the operations they fail
// are called deep inside other code and from background threads.
#include "base/fault.h"

#include <stdatomic.h>

static struct {
  atomic_int_least64_t left[ORR_FAULT_KINDS]; // calls until the failing one; 0 = disarmed
  atomic_bool fired[ORR_FAULT_KINDS];
} hooks;

void orr_fault_arm(orr_fault_kind kind, int64_t n) {
  atomic_store(&hooks.fired[kind], false);
  atomic_store(&hooks.left[kind], n);
}

bool orr_fault_hit(orr_fault_kind kind) {
  int64_t left = atomic_load_explicit(&hooks.left[kind], memory_order_relaxed);
  while (left > 0) {
    if (!atomic_compare_exchange_weak(&hooks.left[kind], &left, left - 1)) continue;
    if (left > 1) return false;
    atomic_store(&hooks.fired[kind], true);
    return true;
  }
  return false;
}

bool orr_fault_fired(orr_fault_kind kind) {
  return atomic_load(&hooks.fired[kind]);
}
