// A file of JSON lines that rank 0 appends to (train/observe/append.h). A process that is killed
// may leave half a line, a disk or a hand a damaged one: when the file is opened the former is cut
// off, the latter goes to PATH.bad with a warning, and all other lines stay.
#ifndef TRAIN_JOURNAL_H
#define TRAIN_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "train/observe/append.h"

typedef struct train_journal train_journal;

typedef struct {
  const char *path;
  train_outage *outage; // borrowed
  bool by_steps;        // of lines by step (train/observe/lines.h): those after `from` are cut off
  int64_t from;
} train_journal_options;

// Local. Opens a file for appending, made where it is missing. ORR_EIO, ORR_EACCESS, ORR_ENOMEM.
orr_code train_journal_open(const train_journal_options *o, train_journal **out);
void train_journal_close(train_journal *j); // takes NULL
uint64_t train_journal_bytes(const train_journal *j);
bool train_journal_settled(const train_journal *j); // false while lines are kept in memory
// Local. Appends a whole line, its newline included.
void train_journal_put(train_journal *j, const char *line, size_t bytes);
// Local. Appends an object; `line` is taken, and may be NULL. ORR_ENOMEM then, or when it has no
// UTF-8 text.
orr_code train_journal_put_object(train_journal *j, json_t *line);

// Local. Calls `each` with the objects of the file, in order, each borrowed for the call; a file
// that is not there has none. *bad (+=) whole lines that cannot be read and were passed over.
// ORR_EIO, ORR_ENOMEM, or what `each` returns.
typedef orr_code (*train_journal_fn)(void *ctx, json_t *line);
orr_code train_journal_read(const char *path, train_journal_fn each, void *ctx, int64_t *bad);

#endif
