// The actions of an episode as they are written: one between each output frame and the next.
// Private to data/.
#ifndef DATA_IMPORT_ALIGN_H
#define DATA_IMPORT_ALIGN_H

#include "data/import/timing.h"

// Local. out [t->frames, a->A]: the rows between an output frame and the next, merged. The last
// row, which leads nowhere, is as recorded or zero. ORR_EFORMAT names the recorded row and
// component that is not finite.
orr_code data_import_align(const data_import_options *o, const data_import_episode *e,
                           const data_import_timing *t, const data_import_actions *a, float *out);

#endif
