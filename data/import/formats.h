// The list of formats as structs: data/import/import.h has the rows. Private to data/.
#ifndef DATA_IMPORT_FORMATS_H
#define DATA_IMPORT_FORMATS_H

#include "data/import/import.h"
#include "data/import/episode.h"

#define DATA_IMPORT_FORMAT_DECLARE(name, words) extern const data_import_format data_import_##name;
DATA_IMPORT_FORMATS(DATA_IMPORT_FORMAT_DECLARE)
#undef DATA_IMPORT_FORMAT_DECLARE

// Local. Format number i, in the order of the list; NULL past the last.
const data_import_format *data_import_format_at(int i);

#endif
