// Files that recordings refer to, by links or as sources of virtual datasets: they are no
// recordings themselves. Private to data/import/.
#ifndef DATA_IMPORT_REFERRED_H
#define DATA_IMPORT_REFERRED_H

#include <stdint.h>

#include "data/import/faults.h"

// Their real paths.
typedef struct data_import_referred {
  char **v;
  int64_t n, room;
} data_import_referred;

// Local. data_h5_others' `opened`; ctx: a data_import_referred, may be NULL. What finds out of
// memory is forgotten.
void data_import_referred_note(void *ctx, const char *path);
// Local. Drops the faults of files that recordings refer to.
void data_import_referred_forgive(const data_import_referred *r, data_import_faults *faults);
// Local. Frees what the list holds, and zeroes it.
void data_import_referred_release(data_import_referred *r);

#endif
