// Fault hooks: the n-th call of one kind fails, for sweeps in tests (after SQLite). Every
// allocation outside a step and every operation on files that must survive a crash goes through
// base/mem.h and base/fs.h, which ask here. Process-wide, atomic; disarmed it costs one load.
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
  ORR_FAULT_MALLOC,
  ORR_FAULT_OPEN,
  ORR_FAULT_READ,
  ORR_FAULT_WRITE, // fails with ENOSPC
  ORR_FAULT_FSYNC,
  ORR_FAULT_RENAME,
  ORR_FAULT_HTTP,
  ORR_FAULT_KINDS
} orr_fault_kind;

// Arms `kind`: the n-th call from now (n >= 1) fails, once. n = 0 disarms.
void orr_fault_arm(orr_fault_kind kind, int64_t n);
// Called by the hooked operation: true when this call must fail.
bool orr_fault_hit(orr_fault_kind kind);
// True when an armed fault has fired since it was armed: the sweep ends when it has not.
bool orr_fault_fired(orr_fault_kind kind);

#endif
