// Weights of a model at work in the order in which products like to read them (kern_pack_weight).
// Products that find theirs here give a row's bits whatever other rows there are: sessions can be
// decoded together.
#ifndef TRAIN_PACKED_H
#define TRAIN_PACKED_H

#include "train/model/dynamics.h"
#include "train/model/tokenizer.h"

// Local. Packs the weights of every product of the model, which must not change any more, and makes
// w read them. Nothing is packed where the backend reads weights as they lie. Borrows k, committed.
// ORR_ENOMEM.
orr_code train_packed_dynamics(kern *k, const train_dynamics_dims *d,
                               const train_dynamics_params *p, train_weights *w);
orr_code train_packed_tokenizer(kern *k, const train_tokenizer_dims *d,
                                const train_tokenizer_params *p, train_weights *w);
// Local. Frees the packed weights of w, if there are any.
void train_packed_release(train_weights *w);

#endif
