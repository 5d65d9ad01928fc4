// What a run finds in its folder: a run that has lost its checkpoints does not begin anew in
// silence.
#ifndef TRAIN_FOLDER_H
#define TRAIN_FOLDER_H

#include "base/status.h"

// Local; rank 0, before anything of the folder is changed. ORR_EINVAL when RUN_DIR/ckpt cannot hold
// checkpoints, or when the run is to go on by itself (`resume` is "auto") and metrics.jsonl and
// history.jsonl tell of steps whose checkpoints are gone.
orr_code train_folder_check(const char *run_dir, const char *resume);
// Local; every rank, before the first step. Writes to RUN_DIR/ckpt once: a run that cannot save
// says so now.
orr_code train_folder_try(const char *run_dir, int rank);

#endif
