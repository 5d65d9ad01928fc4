// The JSON lines of OpenAI's Video PreTraining (VPT) recordings of Minecraft: what keyboard and
// mouse did at each frame, as numbers. Private to data/.
#ifndef DATA_IMPORT_VPT_H
#define DATA_IMPORT_VPT_H

#include <stdbool.h>

#include "data/import/table/table.h"

// Local. Whether the text's first line has both `mouse` and `keyboard`.
bool data_vpt_is(const char *text, size_t bytes);
// Local. One row a line: camera_x and camera_y (the mouse's movement in its own counts), then 0 or
// 1 for each button and key. ORR_EFORMAT names line and member. The caller releases the table.
orr_code data_vpt_read(const char *path, const char *text, size_t bytes, data_table *out);
// Local. Movements add up, buttons count as pressed when they were at any time.
data_merge data_vpt_merge(int64_t i, int64_t A);

#endif
