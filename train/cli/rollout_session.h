// `orrery rollout --session FILE`: a session of `orrery play` once more (train/live/record_file.h),
// as a film, as hashes, or only to see that its frames come out.
#ifndef TRAIN_CLI_ROLLOUT_SESSION_H
#define TRAIN_CLI_ROLLOUT_SESSION_H

#include "base/args.h"

// Local. Uses the options of `rollout`. ORR_EINVAL for a session of another checkpoint, without
// --anyway; ORR_ECORRUPT where a frame is not what it was.
orr_code train_rollout_session(const orr_args *a, const char *checkpoint, const char *file);

#endif
