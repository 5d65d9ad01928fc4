// The files that an import's operands name. Private to data/.
#ifndef DATA_IMPORT_PATHS_H
#define DATA_IMPORT_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/import/import.h"

typedef enum {
  DATA_PATH_HDF5,
  DATA_PATH_VIDEO,
  DATA_PATH_TABLE,
  DATA_PATH_PARQUET,
  DATA_PATH_PICTURE,
} data_path_kind;

typedef struct {
  data_path_kind kind;
  char *path;
  const char *name; // inside path: what lies below the operand; before it, the operand's folder
  bool given;       // an operand itself, not found in one
} data_import_path;

// How surely a source holds what is to be imported.
typedef enum {
  DATA_CLAIM_NONE,
  DATA_CLAIM_REST,  // there are files that often lie beside others
  DATA_CLAIM_FILES, // there are files of the kind that it reads
  DATA_CLAIM_WHOLE, // the folder is laid out as only this source lays it out
} data_import_claim;

typedef struct {
  data_import_path *v;
  int64_t n, room;
  int64_t again; // paths left out because they lead to a file that another one leads to
} data_import_paths;

// Local. Walks the operands in order; files of a folder come in natural order of their paths, each
// once, whatever links lead to it. Hidden files, files of other kinds and the folder `without` (of
// the output, may be NULL) below an operand are passed over, but a file that is an operand itself
// must be of a known kind. ORR_ENOTFOUND, ORR_EINVAL. The caller releases the list.
orr_code data_import_paths_find(data_words operands, const char *without, data_import_paths *out);
// Local. What a source says that reads files of one kind (data/import/episode.h).
data_import_claim data_import_paths_claim(const data_import_paths *p, data_path_kind kind,
                                          const char **first);
// Local. The kind of a file by its name's ending, -1 for any other.
int data_import_path_kind(const char *path);
// Local. Whether a path below its operand leads through a link.
bool data_import_path_is_linked(const data_import_path *p);
// Local. The folder of the operand that a path lies in, from orr_malloc; NULL: out of memory.
char *data_import_path_root(const data_import_path *p);
// Local. Takes the paths from number n on out of the list.
void data_import_paths_cut(data_import_paths *p, int64_t n);
// Local. Frees what the list holds, and zeroes it.
void data_import_paths_release(data_import_paths *p);

#endif
