// The contact sheet: a picture with one row of frames for each of some episodes, and under each
// frame the action that is applied to it, so that a person sees whether they belong together.
#ifndef DATA_SHEET_H
#define DATA_SHEET_H

#include <stdint.h>

#include "base/status.h"
#include "data/set/action_stats.h"
#include "data/set/index.h"

#define DATA_SHEET_COMPONENTS 8
// Local. Writes a PNG of up to `rows` episodes, spread evenly over the data set, with up to
// `columns` consecutive frames each, from where the actions change most. Small frames are magnified
// by a whole number. Under a frame stand its number and its action, one line a component: name, a
// bar from zero within the component's range over the data set, the value; of many components, the
// DATA_SHEET_COMPONENTS that vary most. ORR_EINVAL for a data set without frames.
orr_code data_sheet_write(const data_index *x, const data_action_stats *stats, int64_t rows,
                          int64_t columns, const char *path);

#endif
