// Discrete actions: a column of choices becomes one component a choice. Private to data/.
#ifndef DATA_IMPORT_ONE_HOT_H
#define DATA_IMPORT_ONE_HOT_H

#include "data/import/episode.h"

// Local. Replaces every component that o->one_hot names by as many as it has choices, "NAME_0",
// "NAME_1", ... or "NAME_WORD": 1 for the one that was chosen, else 0. A row without a number stays
// without. ORR_ENOTFOUND names a component that is not there and those that are, ORR_EFORMAT the
// row whose value is no choice.
orr_code data_import_one_hot(const data_import_options *o, const data_import_episode *e,
                             data_import_actions *a);

#endif
