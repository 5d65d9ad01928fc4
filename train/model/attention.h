// A block's attention and its gradient: on the rows as they lie, or, in a time block whose frames
// are split over cp, after an exchange.
#ifndef TRAIN_ATTENTION_H
#define TRAIN_ATTENTION_H

#include "train/model/block_types.h"

// Collective over cp when s->exchange is set. a->qkv, a->qk -> a->o, a->lse.
orr_code train_attention_fwd(const train_block *b, const train_block_shape *s, train_block_acts *a);
// Collective over cp when s->exchange is set. t->d_o -> t->dqk, and the v part of t->dqkv.
orr_code train_attention_bwd(const train_block *b, const train_block_shape *s,
                             const train_block_acts *a, const train_block_scratch *t);

#endif
