// What a run does where updates were refused one after the other: it asks whether weights or
// batches are at fault, goes back to a checkpoint, or lowers its guard. The run's history tells of
// each.
#ifndef TRAIN_RECOVERY_H
#define TRAIN_RECOVERY_H

#include "train/run/run.h"

// Collective over the world, between two steps, none of which is under way. Whether steps refused
// in a row are the weights' fault: then the guard accepts such steps from now on. *tried (=)
// whether there was a doubt: r->loader is another one then. *unagreed (=) as train_probe_run.
orr_code train_recovery_doubt(train_run *r, bool *tried, bool *unagreed);
// Collective over the world. Too many bad steps in a row: the weights may be bad already. Back to
// the last checkpoint, and on with the data after the bad steps. `times`: how often this process
// went back before; no save is under way. Where guard.rewinds is used up, or there is no
// checkpoint, the guard gives way; *went stays false. ORR_EINVAL, ORR_ENOTFOUND when it cannot.
// *went (=) whether r->step is another one, and the loader.
orr_code train_recovery_rewind(train_run *r, int64_t times, bool *went);

#endif
