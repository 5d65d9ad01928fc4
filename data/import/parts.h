// The episodes of an import in parts (training, validation) and shards. Private to data/.
#ifndef DATA_IMPORT_PARTS_H
#define DATA_IMPORT_PARTS_H

#include "data/import/plan.h"

// Local. Marks the items for validation, if a share of them is wanted: those whose names' hashes
// lie below the share; at least one is, and one is not. Sorts them after the others. ORR_EINVAL
// for a single episode.
orr_code data_import_split(data_import_plan *p);
// Local. Makes the jobs: whole episodes of one part, in order, about so many frames as wanted.
orr_code data_import_cut(data_import_plan *p);

#endif
