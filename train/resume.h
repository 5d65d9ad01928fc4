// Whether a run may go on from a checkpoint: what its configuration says differently.
#ifndef TRAIN_RESUME_H
#define TRAIN_RESUME_H

#include <stdbool.h>

#include "base/status.h"
#include "checkpoints/checkpoint.h"
#include "configs/config.h"

// Local. Compares `now` with the configuration in the checkpoint. With `say` the keys that change
// the training are named in a warning. ORR_ECONFIG when train.batch differs: sample numbers are
// step * batch, so clips would be skipped or seen twice.
orr_code train_resume_check(const cfg *now, const ckpt_reader *r, bool say);

#endif
