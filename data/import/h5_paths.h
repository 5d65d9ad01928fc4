// Paths in HDF5 files with '*' for any part of one name, and alternatives. Private to data/; HDF5's
// lock held.
#ifndef DATA_IMPORT_H5_PATHS_H
#define DATA_IMPORT_H5_PATHS_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  char *path;    // absolute
  char *name;    // what the '*' of the pattern stand for, "/" in between; the pattern without any
  char *starred; // the path from its first part with a '*' on; all of it without any
} data_h5_path;

typedef struct {
  data_h5_path *v;
  int64_t n, room;
} data_h5_paths;

// Local. Adds the paths below `group` ("" = the root) that fit the pattern, in natural order. A
// pattern that begins with "/" is below the root. A path without '*' is added whether there is such
// an object or not; links count by their names, wherever they lead. ORR_ENOMEM, ORR_EFORMAT.
orr_code data_h5_paths_find(hid_t file, const char *file_path, const char *group,
                            const char *pattern, data_h5_paths *out);
// Local. The first of some alternatives ("a|b/c") that is there below `group`, into out[size].
bool data_h5_paths_first(hid_t file, const char *group, const char *alternatives, char *out,
                         size_t size);
// Local. Whether anything fits a pattern below the root.
bool data_h5_paths_any(hid_t file, const char *pattern);
// Local. Frees what the list holds, and zeroes it.
void data_h5_paths_release(data_h5_paths *p);

#endif
