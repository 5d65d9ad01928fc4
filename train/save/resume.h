// Whether a run may go on from a checkpoint: what its configuration says differently.
#ifndef TRAIN_RESUME_H
#define TRAIN_RESUME_H

#include <stdbool.h>

#include "base/status.h"
#include "checkpoints/checkpoint.h"
#include "configs/config.h"
#include "dist/comm.h"

// Collective over `all`: rank 0 chooses, for it verifies what it chooses, and all open that.
// `resume` is "auto" (the latest good checkpoint of RUN_DIR/ckpt, if any), "none" or a checkpoint.
// *out is NULL when there is nothing to resume; end it with ckpt_close. Agree on the outcome.
orr_code train_resume_open(dist_comm *all, const char *run_dir, const char *resume,
                           ckpt_reader **out);
// Collective over `all`. The configuration that the run began with, as `resume` means it: for
// "auto" that of RUN_DIR/config.yaml, else of a checkpoint; *out is NULL where there is none. Free
// with cfg_destroy.
orr_code train_resume_config(dist_comm *all, const char *run_dir, const char *resume, cfg **out);
// Local. Steps of data that the run had passed over besides those it trained on.
int64_t train_resume_ahead(const ckpt_reader *r);
// Local. Compares `now` with the configuration in the checkpoint. With `say` the keys that change
// the training are named in a warning. ORR_ECONFIG when train.batch differs (sample numbers are
// step * batch, so clips would be skipped or seen twice), and names a key that makes another model.
orr_code train_resume_check(const cfg *now, const ckpt_reader *r, bool say);

#endif
