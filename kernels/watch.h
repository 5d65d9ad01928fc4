// Ops as they are called: a kern whose table tells somebody of every op, with what the op works
// on. While the kern plans nothing runs, and what is told is exactly what a step will run; else
// the teller can time each op.
#ifndef KERNELS_WATCH_H
#define KERNELS_WATCH_H

#include "kernels/kern.h"

#define KERN_OP_CONSTANT(op) KERN_OP_##op,
typedef enum { KERN_OPS(KERN_OP_CONSTANT) KERN_OP_COUNT } kern_op;
#undef KERN_OP_CONSTANT
// Local. "matmul_fwd", ...; and back, KERN_OP_COUNT for other words.
const char *kern_op_name(kern_op op);
kern_op kern_op_named(const char *name);

// What one call works on. Calls of one op and kind whose `dim` are equal take equally long.
typedef struct {
  kern_op op;
  kern_dtype type;
  bool causal;   // of an attention
  double flops;  // of products and attention; else 0
  double bytes;  // read and written once, as far as tensors go
  double dim[3]; // sizes; 1 where there are fewer
} kern_work;
// Local.
kern_work kern_work_of(kern_op op, const void *args);

typedef struct kern_watch {
  orr_code (*before)(void *ctx, kern *k); // may be NULL
  orr_code (*after)(void *ctx, kern *k, const kern_work *work);
  void *ctx;
  bool paused; // by those who plan what they will not call
  // Set by begin:
  const kern_table *through;
  kern_table table;
} kern_watch;
// Local. From now until end every op of k is told of. Borrows w.
void kern_watch_begin(kern *k, kern_watch *w);
void kern_watch_end(kern *k);
// Local. While an op is planned that a step calls in another way, nobody is told.
void kern_watch_pause(kern *k, bool paused);

#endif
