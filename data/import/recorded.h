// What an index says of the recordings after a data set (data/import/folder.h). Private to data/.
#ifndef DATA_IMPORT_RECORDED_H
#define DATA_IMPORT_RECORDED_H

#include "data/import/folder.h"
#include "data/import/plan.h"
#include "data/import/verdicts.h"

// Local. Writes the index of one part: earlier recordings, then those of the plan that are not bad.
orr_code data_import_recorded_write(const data_import_folder *f, const data_import_plan *p,
                                    const data_import_verdicts *v, bool validation);

#endif
