// Writes the shards of an import, each a function of the plan and the recordings alone, so it does
// not matter who writes which or when. Private to data/.
#ifndef DATA_IMPORT_WRITE_H
#define DATA_IMPORT_WRITE_H

#include "data/import/plan.h"
#include "data/import/verdicts.h"

// Local. Writes the shards that are missing, in worker processes. Recordings that turn out to be
// bad go to the verdicts; with o->skip_bad the shards are written without them, else those of the
// other shards are, all recordings are read nevertheless, and none of it is an error here.
orr_code data_import_write(const data_import_plan *p, data_import_verdicts *verdicts);
// Local. Removes the files beside shards that tell which recordings they were written without.
orr_code data_import_write_forget(const data_import_plan *p);

#endif
