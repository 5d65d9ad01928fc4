// `orrery data import --map`: where the parts of a recording lie in HDF5 files.
#ifndef TRAIN_CLI_IMPORT_MAP_H
#define TRAIN_CLI_IMPORT_MAP_H

#include "base/args.h"
#include "data/import/import.h"

enum { TRAIN_IMPORT_MAP_PATHS = 64, TRAIN_IMPORT_MAP_LETTERS = 4096 };

// What the options point into; it outlives them.
typedef struct {
  const char *frames[TRAIN_IMPORT_MAP_PATHS], *actions[TRAIN_IMPORT_MAP_PATHS];
  char text[TRAIN_IMPORT_MAP_LETTERS];
  char episodes[TRAIN_IMPORT_MAP_LETTERS];
} train_import_map;

// Local. Reads every --map into o->map and, where it names them, o->actions. ORR_ECONFIG for an
// unknown word and for actions that --actions names as well.
orr_code train_import_map_parse(const orr_args *args, train_import_map *m, data_import_options *o);

#endif
