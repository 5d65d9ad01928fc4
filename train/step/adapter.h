// LoRA (Hu et al. 2021): of each matrix W [out,in] of the blocks that is a target, training moves
// W' = W + alpha / rank * B A alone, with A [rank,in] and B [out,rank]; what stands at the model's
// ends for actions and branches, and heads on registers, is trained whole (train.lora_whole). W
// itself stays as it is.
//
// The model runs on merged weights W', made anew after every update, and makes the gradient of W'
// as full training does; those of the adapter follow from it: dA = s B^T dW', dB = s dW' A^T. So a
// step is exact, whatever axes split the model, and nothing below train/step/ knows of adapters. It
// costs the memory of gradients and of a second copy of the targets, and 6 rank out in products a
// matrix, next to the 6 tokens out in of the step itself. What it saves is the optimizer's states,
// what replicas exchange, and what checkpoints hold: adapters alone.
//
// With run.exact all sums have an order: dW' is that of a group, whole (ranks of cp have added its
// leaves), and what tp cuts are slices (train/model/exact.h). Ranks of cp share the matrices out.
//
// An adapter is a train_state of its own, in float32, with its own list of parameters: what the
// optimizer, the replicas and checkpoints know of a run. Local unless said otherwise.
#ifndef TRAIN_ADAPTER_H
#define TRAIN_ADAPTER_H

#include "configs/config.h"
#include "train/model/axes.h"
#include "train/step/state.h"

typedef struct train_adapter train_adapter;

// Whether a run of `c` trains an adapter.
static inline bool train_adapter_is_on(const cfg *c) {
  return c->train.lora_rank > 0;
}
// Whether train.lora_whole has `what`: action, branch, view or heads.
bool train_adapter_whole(const cfg *c, const char *what);
// *out (=) the adapter's parameters for a rank of `axes` whose model has `base`: NAME.lora_A.weight
// and NAME.lora_B.weight for NAME.weight, and what is trained whole under its own name. ORR_ECONFIG
// when there is no target; ORR_ENOMEM; release *out also then.
orr_code train_adapter_list(const cfg *c, const train_params *base, const train_axes *axes,
                            train_params *out);

// Borrows axes (NULL = one rank) and both states, whose lists are complete. ORR_ENOMEM.
orr_code train_adapter_create(const cfg *c, train_axes *axes, train_state *base, train_state *own,
                              train_adapter **out);
void train_adapter_destroy(train_adapter *a); // takes NULL
// Takes its arrays from an arena of its own; once counting, once committed.
void train_adapter_place(train_adapter *a);
orr_arena *train_adapter_arena(train_adapter *a);

// The base has its weights, and no adapter was merged into them: W is what they are.
orr_code train_adapter_take_base(train_adapter *a);
// What is trained whole begins as the base has it.
orr_code train_adapter_take_whole(train_adapter *a);
// From W and the adapter: the weights that the model runs on.
orr_code train_adapter_merge(train_adapter *a);
// From the gradients of those, whole on this rank: the adapter's (=). With run.exact Collective
// over tp and cp, of one group, into gradients that are zeros; the sum over cp is the group's.
orr_code train_adapter_gradients(train_adapter *a);

#endif
