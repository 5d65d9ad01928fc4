// What an import decided by itself, or found strange, for the user to read: one line a kind, with
// the first recording that it concerns and the number of others. Private to data/.
#ifndef DATA_IMPORT_NOTES_H
#define DATA_IMPORT_NOTES_H

#include <stdint.h>

#include "base/status.h"
#include "data/import/import.h"

typedef enum {
  DATA_NOTE_TWICE,    // a file that is there under several names
  DATA_NOTE_SAME,     // recordings with the same content and name
  DATA_NOTE_COPY,     // the same content under another name
  DATA_NOTE_ALIKE,    // perhaps the same content under another name
  DATA_NOTE_GAPS,     // frames are missing
  DATA_NOTE_STAMPS,   // aligned by time
  DATA_NOTE_CLOCK,    // time stamps of another clock
  DATA_NOTE_DISAGREE, // time stamps that say something else than the numbers of rows
  DATA_NOTE_PART,     // the times cover a part of the recording only
  DATA_NOTE_RANGE,    // values far outside of -1..1
  DATA_NOTE_CLIPPED,
  DATA_NOTE_SPLIT,
  DATA_NOTE_OTHER,
  DATA_NOTE_KINDS
} data_note_kind;

typedef struct {
  char text[DATA_NOTE_KINDS][512]; // of the first one; "" without any
  int64_t count[DATA_NOTE_KINDS];
} data_import_notes;

// Local. Takes NULL.
void data_import_note(data_import_notes *n, data_note_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// Local. Tells all of them to o->told.
void data_import_notes_tell(const data_import_notes *n, const data_import_options *o);

#endif
