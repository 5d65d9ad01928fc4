// The matrices that Muon updates on this rank (train/step/muon.h): all that its replica owns, in
// the order of the flat layout. Where ranks of tp have parts of them, as many matrices as there are
// ranks are worked on at a time: one all-to-all brings each whole to a rank of its own, which makes
// it orthogonal, and one brings the parts back. The norm that a matrix is divided by is that of all
// its parts, so tp changes no more than the order of that sum.
#ifndef TRAIN_MATRICES_H
#define TRAIN_MATRICES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "configs/config.h"
#include "kernels/kern.h"
#include "train/model/axes.h"

typedef struct train_matrices train_matrices;
struct train_state;

// What a step gives to its updates, in device memory.
typedef struct {
  const kern_adamw_rates *rates;
  const kern_clip_result *verdict;
} train_update_numbers;

// Local. Borrows all; after the state's parameters are listed and shared out. axes == NULL: one
// rank. ORR_ENOMEM.
orr_code train_matrices_create(struct train_state *s, const cfg *c, train_axes *axes,
                               train_matrices **out);
void train_matrices_destroy(train_matrices *m); // takes NULL
// Local. Takes its buffers; once counting, once committed.
void train_matrices_place(train_matrices *m, orr_arena *arena);
// Collective over tp. Begins a step: momenta and directions of all matrices, and their norms.
orr_code train_matrices_begin(train_matrices *m, const train_update_numbers *x);
// Collective over tp. Updates those that begin before element `end` and have not been updated in
// this step; with tp perhaps some after them.
orr_code train_matrices_until(train_matrices *m, int64_t end, const train_update_numbers *x);

#endif
