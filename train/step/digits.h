// Codes of kin learn together (optim.digit_share). A code of FSQ is a tuple of digits
// (tokenizer.levels); beside its own step of AdamW each row of a table of codes moves by a step of
// its digits, which all codes with such a digit share. Rare codes, most of what moves, learn so
// from the common ones. It is AdamW on a table over the digits that is added to the rows, but for
// its moments:
//
//   m_d, v_d = sums over the rows with digit d of AdamW's m and v, as the step before left them
//   row (+=) - share lr m_d / (1 - beta1^step) / (sqrt(v_d / (1 - beta2^step)) + eps), every digit
//
// The first is the very moment that such a table would have, the second what it would be were the
// rows' gradients independent; so nothing is kept, and checkpoints are as without it. The sums are
// the same in any layout, to the bit (kernels/ops.h).
#ifndef TRAIN_DIGITS_H
#define TRAIN_DIGITS_H

#include "base/arena.h"
#include "base/status.h"
#include "configs/config.h"
#include "kernels/kern.h"
#include "train/model/axes.h"

typedef struct train_digits train_digits;
struct train_state;

// Local. Borrows all; after the state's parameters are listed and shared out. *out (=) NULL where
// there are no such tables. ORR_ENOMEM.
orr_code train_digits_create(struct train_state *s, const cfg *c, train_axes *axes,
                             train_digits **out);
void train_digits_destroy(train_digits *d); // takes NULL
// Local. Takes its buffers; once counting, once committed.
void train_digits_place(train_digits *d, orr_arena *arena);
// Collective over tp and over ranks that share the optimizer's states out. Moves the master weights
// of this rank; before AdamW's step. Takes NULL.
orr_code train_digits_update(train_digits *d, const kern_adamw_rates *rates,
                             const kern_clip_result *verdict);

#endif
