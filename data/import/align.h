// Which source frames an import keeps, and the action between each and the next. Private to data/.
//
// With n frames and m recorded actions, frame t is kept when the action that leads on from it is
// recorded: a[t] = recorded[t + shift]. The last kept frame needs none. At another frame rate,
// output frame k is source frame first + round(k * source fps / fps), and its action merges those
// of the frames from there up to the next kept one.
#ifndef DATA_IMPORT_ALIGN_H
#define DATA_IMPORT_ALIGN_H

#include "data/import/episode.h"

typedef struct {
  int64_t first;  // source frame of output frame 0
  int64_t source; // source frames from there on that have what they need
  int64_t frames; // output frames
  double step;    // source frames an output frame, at least 1
} data_import_timing;

// Local. The timing of an episode with `rows` recorded actions. ORR_EFORMAT when the numbers of
// frames and actions do not fit (equal, or one action less, or within o->slack); ORR_EINVAL for a
// frame rate above the source's or one that nobody knows.
orr_code data_import_time(const data_import_options *o, const data_import_episode *e, int64_t rows,
                          data_import_timing *out);
// Local. Source frame of output frame k.
int64_t data_import_frame(const data_import_timing *t, int64_t k);
// Local. out [t->frames, a->A]: an action between each output frame and the next. The last row,
// which leads nowhere, is as recorded or zero. ORR_EFORMAT names the recorded row and component
// that is not finite.
orr_code data_import_align(const data_import_options *o, const data_import_episode *e,
                           const data_import_timing *t, const data_import_actions *a, float *out);

#endif
