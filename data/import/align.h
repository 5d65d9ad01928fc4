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
// Local. What the actions of each output frame earned, summed, and whether the episode ended with
// them: [t->frames] each, NULL for what was not recorded. Those of the last frame are all that came
// after it. ORR_EFORMAT names a reward that is not finite.
orr_code data_import_align_outcome(const data_import_options *o, const data_import_episode *e,
                                   const data_import_timing *t, const data_import_actions *a,
                                   float *reward, uint8_t *done);

#endif
