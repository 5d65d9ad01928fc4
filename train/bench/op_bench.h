// The bench of ops: tensors in the memory of a device, and one op at a time measured on them.
#ifndef TRAIN_OP_BENCH_H
#define TRAIN_OP_BENCH_H

#include <jansson.h>

#include "kernels/kern.h"

// The sizes of one step of a preset of orrery bench step.
typedef struct {
  const char *name;
  int64_t clips, frames, tokens; // tokens a frame
  int64_t heads, kv_heads, width, hidden, codes;
  int64_t params; // that AdamW updates at once
} train_op_sizes;

enum { TRAIN_OP_TENSORS = 8, TRAIN_OP_HEAD_WIDTH = 64 };

// The numbers that ops read from, or leave in, the device's memory.
typedef struct {
  kern_clip_result verdict;
  kern_adamw_rates rates;
  float scale;
  double loss;
  uint64_t fingerprint;
} train_op_numbers;

// The caller sets of, device, isa and threads, and type before it measures.
typedef struct {
  const train_op_sizes *of;
  int64_t rows;        // of the residual stream
  size_t buffer_bytes; // of a tensor: the widest, in float32
  kern_dtype type;
  kern_device device;
  kern_isa isa;
  int threads;
  bool own_attention;        // of the ops measured next (kernels/kern.h)
  kern *home;                // whose memory the tensors lie in
  void *t[TRAIN_OP_TENSORS]; // tensors of `type`, or float32
  float *table;              // cos, sin
  int32_t *index;            // [rows]
  train_op_numbers *numbers;
  json_t *ops;
  json_t *optimizer; // what it takes of a step (train/bench/optimizer.h)
} train_op_bench;

typedef orr_code (*train_op_run)(kern *k, const void *args);

// "8704x256".
typedef struct {
  char text[96];
} train_op_shape;
// Local. `before`, then the numbers up to the first 0.
train_op_shape train_op_shape_of(const char *before, const int64_t (*n)[4]);

// Local. Places the tensors for b->of, b->device, b->isa and b->threads. Release also after a
// failure. ORR_ENOMEM; ORR_EUNSUPPORTED: there is no such device.
orr_code train_op_bench_create(train_op_bench *b);
void train_op_bench_release(train_op_bench *b);
// Local. Plans, runs and reports one op: a line to stderr, a row of b->ops. work: floating-point
// operations, or with the unit "GB/s" bytes; these are also given as the share of a copy.
orr_code train_op_bench_measure(train_op_bench *b, const char *op, const char *shape,
                                train_op_run run, const void *args, const char *unit, double work);
// Local. All rows as one line of JSON on stdout. ORR_ENOMEM.
orr_code train_op_bench_print(const train_op_bench *b);

#endif
