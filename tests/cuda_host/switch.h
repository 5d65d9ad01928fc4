// Stacks of execution that hand over to each other: a few instructions on x86-64, the C library's
// contexts (a system call each time) elsewhere.
#ifndef TESTS_CUDA_HOST_SWITCH_H
#define TESTS_CUDA_HOST_SWITCH_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

typedef void *fiber; // the stack pointer of a fiber that is not running

// Saves the running fiber in *from and goes on with `to`.
void cuda_host_switch(fiber *from, fiber to);
__asm__(".text\n"
        ".globl cuda_host_switch\n"
        ".type cuda_host_switch, @function\n"
        "cuda_host_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size cuda_host_switch, .-cuda_host_switch\n");

// A fiber that will run entry(), which never returns, on this stack.
static inline void fiber_make(fiber *f, char *stack, size_t bytes, void (*entry)(void)) {
  uintptr_t *top = (uintptr_t *)((uintptr_t)(stack + bytes) & ~(uintptr_t)63);
  *--top = 0;                // where a caller's return address would lie
  *--top = (uintptr_t)entry; // taken by ret
  for (int i = 0; i < 6; i++) *--top = 0;
  *f = top;
}
static inline void fiber_switch(fiber *from, fiber *to) {
  cuda_host_switch(from, *to);
}

#else
#include <ucontext.h>

typedef ucontext_t fiber;

static inline void fiber_make(fiber *f, char *stack, size_t bytes, void (*entry)(void)) {
  getcontext(f);
  f->uc_stack.ss_sp = stack;
  f->uc_stack.ss_size = bytes;
  f->uc_link = NULL;
  makecontext(f, entry, 0);
}
static inline void fiber_switch(fiber *from, fiber *to) {
  swapcontext(from, to);
}
#endif

#endif
