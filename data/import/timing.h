// Which source frames an import keeps, and which recorded actions lead from each to the next.
// Private to data/.
//
// Output frame k shows what is on view at begin + k / fps seconds of the recording: where frames
// come at a steady rate, source frame first + round(k * step); where they have times of their own,
// the last one that has come by then (half a usual interval early counts), so that a gap becomes as
// many steps as it lasts.
//
// Rows of actions belong to frames (row i leads from frame i to the next), to the ticks of the
// frames' steady rate where frames are missing, or to times of their own. Then the rows between an
// output frame and the next are those with times from half an interval before the one to half an
// interval before the other, so that stamps which are a little early or late fall to the frame next
// to them; where there are none, the last one before holds on.
#ifndef DATA_IMPORT_TIMING_H
#define DATA_IMPORT_TIMING_H

#include "data/import/episode.h"
#include "data/import/notes.h"

typedef enum {
  DATA_ROWS_OF_FRAMES,
  DATA_ROWS_OF_TICKS,  // row_step seconds from each to the next
  DATA_ROWS_OF_STAMPS, // row_step seconds are 1 in the recorded stamps
} data_import_rows;

typedef struct {
  int64_t first;       // source frame of output frame 0
  int64_t source;      // source frames from there on that have what they need
  int64_t frames;      // output frames
  double step;         // usual source frames an output frame, at least 1 where they are steady
  double fps;          // output frames a second
  const double *times; // of the episode's frames, borrowed; NULL: steady
  double interval;     // usual seconds a source frame
  double begin;        // of output frame 0 in the recording, seconds
  data_import_rows rows_by;
  double row_first, row_step;   // times of rows: row_first + row_step * (stamp - first stamp)
  double row_interval;          // usual seconds a row
  int64_t row_begin, row_count; // rows that may be used, before action_shift is added
} data_import_timing;

// Rows [from,to) of the recorded actions.
typedef struct {
  int64_t from, to;
  int64_t steps; // output steps that these rows are spread over: they hold on; 0: nothing new came
} data_import_span;

// Local. The timing of an episode with these actions. What was decided goes into `notes`, which may
// be NULL. ORR_EFORMAT when the numbers of frames and actions do not fit (equal, or one action
// less, or within o->slack) and no times say how they belong together; ORR_EINVAL for a frame rate
// above the source's or one that nobody knows.
orr_code data_import_time(const data_import_options *o, const data_import_episode *e,
                          const data_import_actions *a, data_import_notes *notes,
                          data_import_timing *out);
// Local. Source frame of output frame k.
int64_t data_import_frame(const data_import_timing *t, int64_t k);
// Local. The rows between output frames k and k+1 < t->frames.
data_import_span data_import_rows_of(const data_import_options *o, const data_import_timing *t,
                                     const data_import_actions *a, int64_t k);

#endif
