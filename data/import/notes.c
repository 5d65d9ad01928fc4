#include "data/import/notes.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void data_import_note(data_import_notes *n, data_note_kind kind, const char *fmt, ...) {
  if (!n || n->count[kind]++) return;
  va_list args;
  va_start(args, fmt);
  vsnprintf(n->text[kind], sizeof n->text[kind], fmt, args);
  va_end(args);
}

void data_import_notes_tell(const data_import_notes *n, const data_import_options *o) {
  char line[640];
  for (int kind = 0; kind < DATA_NOTE_KINDS && o->told; kind++) {
    if (!n->count[kind]) continue;
    int64_t others = n->count[kind] - 1;
    if (others)
      snprintf(line, sizeof line, "%s (and %" PRId64 " more like this)", n->text[kind], others);
    else
      snprintf(line, sizeof line, "%s", n->text[kind]);
    o->told(o->ctx, line);
  }
}
