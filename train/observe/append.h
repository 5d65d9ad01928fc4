// Appending to a file of a run's folder, whether there is room for it or not: what cannot be
// written is kept in memory and written once it can be. A full disk costs a run no step and, if
// there is room again before it ends, no line either. One thread at a time.
#ifndef TRAIN_APPEND_H
#define TRAIN_APPEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Of one folder: how many of its files cannot be written now. The first one is told of in a
// warning, the last one's return too; what happens in between is no news. Starts as zeros.
typedef struct {
  atomic_int files;
  atomic_bool left; // the folder is another's now: nothing more is written, and nothing said
} train_outage;

typedef struct train_append train_append;

// Bytes kept of one file; later ones are lost, and told of.
#define TRAIN_APPEND_KEPT ((size_t)32 << 20)

// Local. Opens `path`, made where it is missing, its folder too, for writing at its end; `outage`
// is borrowed. Want of room is no error. ORR_EIO, ORR_EACCESS, ORR_ENOMEM.
orr_code train_append_open(const char *path, train_outage *outage, train_append **out);
// Local. Writes now or later.
void train_append_put(train_append *a, const void *p, size_t bytes);
// Local. Bytes of the file, those to come included.
uint64_t train_append_bytes(const train_append *a);
// Local. False while something is kept in memory.
bool train_append_settled(const train_append *a);
// Local. A last try for what is kept; says what is lost. Takes NULL.
void train_append_close(train_append *a);

#endif
