// From a configuration to an opened mixture of clips.
#ifndef TRAIN_RUN_DATA_H
#define TRAIN_RUN_DATA_H

#include <stdbool.h>

#include "base/faults.h"
#include "base/status.h"
#include "configs/config.h"
#include "data/clips/clip_batch.h"

// Local. Options of the training mixture, whose batches may hold actions that are not finite;
// borrows from c and `remote`, which reads what is remote. `branch_ids` has room for data.train.n.
// An error names all that does not fit.
orr_code train_run_data_options(const cfg *c, data_remote *remote, int32_t *branch_ids,
                                data_mix_options *out);
// Local. Looks at the data of a run before it begins, into the list. `elsewhere`: the run will be
// on other machines, so a set that is not here is told of and passed over. ORR_ENOMEM.
orr_code train_run_data_look(const cfg *c, bool elsewhere, orr_faults *f);
// Local. Id of a branch by its name among model.branches; ORR_ECONFIG lists the known ones.
orr_code train_branch_id(const cfg *c, const char *name, int32_t *id);

#endif
