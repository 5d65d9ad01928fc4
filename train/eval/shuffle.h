// Do actions matter to the loss? The teacher-forced loss of training, with each clip's own actions
// and with those of another clip.
#ifndef TRAIN_EVAL_SHUFFLE_H
#define TRAIN_EVAL_SHUFFLE_H

#include <stdint.h>

#include "base/status.h"
#include "train/eval/set.h"
#include "train/infer/loaded_model.h"

// Local. The mean loss over the masked positions of all clips, clip i under the actions of clip
// source[i]. The masks are training's, keyed by (seed, clip): calls that differ in `source` alone
// differ in the actions alone.
orr_code train_eval_loss(const train_loaded_model *dynamics, const train_eval_set *s, uint64_t seed,
                         const int64_t *source, double *loss);

#endif
