// A camera whose pictures are a video. Private to data/.
#ifndef DATA_IMPORT_FILM_H
#define DATA_IMPORT_FILM_H

#include "data/import/episode.h"

// Local. A data_import_format's `open` for cameras whose place is the path of a video, which begins
// at their `from`.
orr_code data_import_film_open(const data_import_episode *e, int64_t camera,
                               data_import_stream **out);

#endif
