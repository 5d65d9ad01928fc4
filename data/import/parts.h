// The episodes of an import in parts (training, validation) and shards. Private to data/.
#ifndef DATA_IMPORT_PARTS_H
#define DATA_IMPORT_PARTS_H

#include "data/import/plan.h"

// Local. Marks the items for validation, if a share of them is wanted, and sorts them after the
// others. By episodes: those whose names' hashes lie below the share; at least one is, and one is
// not. By time, as a recording alone is split: the end of each episode, after a gap that is left
// out; what is too short for that is for training. ORR_EINVAL where one part would be empty.
orr_code data_import_split(data_import_plan *p);
// Local. Makes the jobs: whole episodes of one part, in order, about so many frames as wanted.
orr_code data_import_cut(data_import_plan *p);

#endif
