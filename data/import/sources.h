// What there is to import: the recordings below the inputs, as episodes of one format.
#ifndef DATA_IMPORT_SOURCES_H
#define DATA_IMPORT_SOURCES_H

#include "data/import/episode.h"
#include "base/workers.h"

// Local. Lists the episodes of o->inputs, videos looked at, none of their pictures read. *out is
// empty before; the caller releases it, also after an error. ORR_ENOTFOUND where there is nothing
// of a format that is read, ORR_EINVAL for a mixture of formats.
orr_code data_import_sources_list(const data_import_options *o, data_board *board,
                                  data_import_list *out);
// Local. A library may fall over a damaged file, or never come back: then this is what the message
// says. `board` may be NULL.
void data_import_note_reading(const data_import_options *o, data_board *board, const char *path);
// Local. Seconds that a worker process may compute for one file, episode or frame.
int data_import_patience(const data_import_options *o);

#endif
