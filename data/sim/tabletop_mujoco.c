// The wall between MuJoCo's way of failing and ours.
#include "data/sim/tabletop_mujoco.h"

#include <setjmp.h>
#include <stdio.h>

#include "base/log.h"

// MuJoCo's handlers take no context, so the place to return to is found through the thread.
typedef struct {
  jmp_buf back;
  char message[512];
} fault_guard;
static _Thread_local fault_guard *guard_of_thread;

static void on_fault(const char *message) {
  if (!guard_of_thread) return; // outside a guarded call: MuJoCo goes on as it would
  snprintf(guard_of_thread->message, sizeof guard_of_thread->message, "%s", message);
  longjmp(guard_of_thread->back, 1);
}

// Without a handler MuJoCo appends warnings to a file in the working folder.
static void on_warning(const char *message) {
  ORR_DEBUG("mujoco: %s", message);
}

orr_code data_mujoco_call(void (*fn)(void *arg), void *arg, const char *doing) {
  fault_guard guard;
  fault_guard *outer = guard_of_thread;
  mju_user_error = on_fault;
  mju_user_warning = on_warning;
  guard_of_thread = &guard;
  int failed = setjmp(guard.back);
  if (!failed) fn(arg);
  guard_of_thread = outer;
  ORR_CHECK(!failed, ORR_EUNSUPPORTED, "the simulator failed to %s: %s", doing, guard.message);
  return ORR_OK;
}
