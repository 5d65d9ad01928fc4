// A file of JSON lines that rank 0 appends to and nobody cuts back. A process that is killed may
// leave half a line: the next one ends it before it writes, and readers leave it out.
#ifndef TRAIN_JOURNAL_H
#define TRAIN_JOURNAL_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

typedef struct train_journal train_journal;

// Local. Opens `path` for appending, made where it is missing. ORR_EIO, ORR_ENOMEM.
orr_code train_journal_open(const char *path, train_journal **out);
void train_journal_close(train_journal *j); // takes NULL
uint64_t train_journal_bytes(const train_journal *j);
// Local. Appends a whole line, its newline included. ORR_EIO.
orr_code train_journal_put(train_journal *j, const char *line, size_t bytes);
// Local. Appends an object; `line` is taken, and may be NULL (ORR_ENOMEM). ORR_EIO.
orr_code train_journal_put_object(train_journal *j, json_t *line);

// Local. Calls `each` with the objects of the file, in order, each borrowed for the call; a file
// that is not there has none. ORR_EIO, ORR_ENOMEM, or what `each` returns.
typedef orr_code (*train_journal_fn)(void *ctx, json_t *line);
orr_code train_journal_read(const char *path, train_journal_fn each, void *ctx);

#endif
