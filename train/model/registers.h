// The heads on the registers (train/model/outcome.h). They read a frame's R registers as the
// model's last norm gives them, one after the other as one row of R*D numbers: each register has
// weights of its own, so they may share the work. Registers lie beside each other in the residual
// stream, so gathering their rows makes that row, whatever the order of frames.
//
// With cp a rank has the registers of its frames. With tp all ranks have all rows of the model's
// output and compute the same: the heads are small, and their parameters lie whole on every rank.
#ifndef TRAIN_REGISTERS_H
#define TRAIN_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "kernels/kern.h"
#include "train/model/dynamics_dims.h"
#include "train/model/head.h"
#include "train/model/outcome.h"

typedef struct {
  kern *k;
  const train_dynamics_dims *d;
  const train_dynamics_params *p;
  const train_weights *w;
  int64_t frames; // at hand, at most as many as there are rows for

  int32_t *row, *host_row;             // [frames*R] of the registers in the model's output
  void *x, *y, *dy, *dx;               // [frames,R*D]
  float *rstd;                         // [frames*R]
  float *logits[TRAIN_OUTCOMES];       // [frames,bins]; NULL where there is no such head
  float *largest, *sum, *target_logit; // [frames]
  void *dlogits[2];                    // [frames,bins] of the two bins of a target
} train_registers;

// What the losses are about; all in device memory.
typedef struct {
  const int32_t *bin[TRAIN_OUTCOMES][2]; // [frames], -1: none
  const float *share[TRAIN_OUTCOMES][2]; // [frames]
  const float *scale;                    // [TRAIN_OUTCOMES] of the gradients
  double *loss_sum;                      // of head o at o * stride (+=)
  int64_t stride;
} train_outcome_targets;

// Where a loss leaves the gradient of the model's output.
typedef struct {
  int64_t first_row, own_rows; // of all rows: those that this rank keeps
  void *dx;                    // [own_rows,D]; rows of registers (=), the others stay
  // With run.exact: a leaf whose gradients of weights are apart until all of it are made
  // (train/model/head.h); NULL = they are added to the others'.
  const train_head *apart;
} train_registers_gradient;

// Local. Whether the model has any such head.
static inline bool train_registers_any(const train_dynamics_dims *d) {
  for (int o = 0; o < TRAIN_OUTCOMES; o++)
    if (d->outcome[o]) return true;
  return false;
}

// Local. For up to `frames` frames. Borrows all. ORR_ENOMEM; release also then.
orr_code train_registers_init(train_registers *r, kern *k, const train_dynamics_dims *d,
                              const train_dynamics_params *p, const train_weights *w,
                              int64_t frames);
void train_registers_release(train_registers *r); // takes zeros
// Local. Takes the buffers; once counting, once committed.
orr_code train_registers_place(train_registers *r, bool backward, orr_arena *arena);
// Local. r->logits (=) of all rows x [frames*N,D] of the model's output.
orr_code train_registers_logits(train_registers *r, const void *x);
// Local; the same on all ranks of tp, after train_registers_logits. The losses of frames
// [first, first + count), and, unless g is NULL, gradients of the heads and of the last norm (+=)
// and of x.
orr_code train_registers_loss(train_registers *r, int64_t first, int64_t count,
                              const train_outcome_targets *t, const train_registers_gradient *g);

#endif
