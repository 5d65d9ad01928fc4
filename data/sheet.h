// The contact sheet: a picture with one row of frames for each of some episodes.
#ifndef DATA_SHEET_H
#define DATA_SHEET_H

#include <stdint.h>

#include "base/status.h"
#include "data/index.h"

// Local. Writes a PNG of up to `rows` episodes, spread evenly over the data set, with up to
// `columns` frames each, spread evenly over the episode. Small frames are magnified by a whole
// number. ORR_EINVAL for a data set without frames.
orr_code data_sheet_write(const data_index *x, int64_t rows, int64_t columns, const char *path);

#endif
