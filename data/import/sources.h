// What there is to import: the recordings below the inputs, as episodes of one format.
#ifndef DATA_IMPORT_SOURCES_H
#define DATA_IMPORT_SOURCES_H

#include "data/import/episode.h"
#include "base/workers.h"

// Local. Lists the episodes of s->o->inputs, videos looked at, none of their pictures read, and the
// recordings that cannot be used. *s->list and *s->faults are empty before; the caller releases
// them, also after an error. ORR_ENOTFOUND where there is nothing of a format that is read,
// ORR_EINVAL for a mixture of formats.
orr_code data_import_sources_list(data_import_search *s);
// Local. A library may fall over a damaged file, or never come back: then this is what the message
// says. `board` may be NULL.
void data_import_note_reading(const data_import_options *o, orr_board *board, const char *path);
// Local. Tells the user something (o->told), but in a rehearsal.
void data_import_tell(const data_import_options *o, const orr_board *board, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Local. The path in such a note; NULL for any other.
const char *data_import_reading(const char *note);
// Local. Seconds that a worker process may compute for one file, episode or frame.
int data_import_patience(const data_import_options *o);

#endif
