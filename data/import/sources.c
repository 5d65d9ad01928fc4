#include "data/import/sources.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/import/formats.h"

#define READING    "reading " // begins a note
#define PATIENCE_S 120        // a step of an import takes seconds where it takes long

int data_import_patience(const data_import_options *o) {
  return o->patience_s > 0 ? o->patience_s : PATIENCE_S;
}

void data_import_note_reading(const data_import_options *o, orr_board *board, const char *path) {
  char doing[ORR_NOTE_MAX];
  snprintf(doing, sizeof doing, READING "%s", path);
  orr_board_note(board, doing);
  orr_board_allow(board, data_import_patience(o));
}

void data_import_tell(const data_import_options *o, const orr_board *board, const char *fmt, ...) {
  char sentence[ORR_STATUS_MESSAGE_MAX];
  va_list args;
  if (board || !o->told) return;
  va_start(args, fmt);
  vsnprintf(sentence, sizeof sentence, fmt, args);
  va_end(args);
  o->told(o->ctx, sentence);
}

const char *data_import_reading(const char *note) {
  const size_t n = strlen(READING);
  return strncmp(note, READING, n) == 0 ? note + n : NULL;
}

// -- which source ---------------------------------------------------------------------------

// What each source reads, once a source: "HDF5 file (.h5, .hdf5), video (...)".
static void join_sources(char *out, size_t size) {
  const data_import_format *f, *before = NULL;
  size_t at = 0;
  out[0] = 0;
  for (int i = 0; (f = data_import_format_at(i)) && at < size; before = f, i++)
    if (!before || before->source != f->source)
      at += (size_t)snprintf(out + at, size - at, "%sno %s", at ? " and " : "", f->source->words);
}

static orr_code fail_nothing(const data_import_options *o) {
  char words[1024];
  join_sources(words, sizeof words);
  return ORR_FAIL(ORR_ENOTFOUND, "%s: %s there", o->inputs.v[0], words);
}

// The source of o->format.
static orr_code find_wanted(const data_import_options *o, const data_import_paths *paths,
                            const data_import_source **out) {
  const data_import_format *f;
  const char *first = NULL;
  for (int i = 0; (f = data_import_format_at(i)); i++)
    if (strcmp(f->name, o->format) == 0) *out = f->source;
  ORR_CHECK((*out)->claim(paths, &first) != DATA_CLAIM_NONE, ORR_ENOTFOUND,
            "%s: no %s there, for --format %s", o->inputs.v[0], (*out)->words, o->format);
  return ORR_OK;
}

// The source that claims the paths most surely.
static orr_code find_source(const data_import_options *o, const data_import_paths *paths,
                            const data_import_source **out) {
  data_import_claim best = DATA_CLAIM_NONE;
  const char *best_path = NULL;
  const data_import_format *f;
  for (int i = 0; (f = data_import_format_at(i)); i++) {
    const char *path = NULL;
    if (f->source == *out) continue;
    data_import_claim claim = f->source->claim(paths, &path);
    ORR_CHECK(claim != best || claim != DATA_CLAIM_FILES, ORR_EINVAL,
              "there are both: %s (%s) and %s (%s); say which with --format, or import one folder",
              (*out)->words, best_path, f->source->words, path);
    if (claim <= best) continue;
    best = claim;
    best_path = path;
    *out = f->source;
  }
  return best == DATA_CLAIM_NONE ? fail_nothing(o) : ORR_OK;
}

static orr_code check_one_format(const data_import_list *list) {
  for (int64_t i = 1; i < list->n; i++)
    ORR_CHECK(list->v[i].format == list->v[0].format, ORR_EINVAL,
              "%s is of format %s, but %s is of %s; import one at a time, or say --format",
              list->v[i].file, list->v[i].format->name, list->v[0].file, list->v[0].format->name);
  return ORR_OK;
}

// Takes files out of the paths that took a process down before.
static orr_code leave_out_crashed(data_import_search *s, data_import_paths *paths) {
  int64_t kept = 0;
  for (int64_t i = 0; i < paths->n; i++) {
    data_import_path path = paths->v[i];
    const data_import_fault *f = s->crashed ? data_import_faults_find(s->crashed, path.path) : NULL;
    if (f) ORR_TRY(data_import_faults_add(s->faults, path.name, path.path, f->reason, f->code));
    if (f) continue;
    paths->v[i] = paths->v[kept]; // one that was left out, or itself
    paths->v[kept++] = path;
  }
  data_import_paths_cut(paths, kept);
  return ORR_OK;
}

orr_code data_import_sources_list(data_import_search *s) {
  data_import_paths paths;
  const data_import_options *o = s->o;
  const data_import_source *source = NULL;
  ORR_TRY(data_import_paths_find(o->inputs, o->dir, &paths));
  if (paths.again)
    data_import_tell(o, s->board,
                     "%" PRId64 " paths are links to recordings that are imported already; each is "
                     "taken once",
                     paths.again);
  orr_code rc = o->format ? find_wanted(o, &paths, &source) : find_source(o, &paths, &source);
  if (rc == ORR_OK) rc = leave_out_crashed(s, &paths);
  s->paths = &paths;
  if (rc == ORR_OK) rc = source->list(s);
  s->paths = NULL;
  data_import_paths_release(&paths);
  ORR_TRY(rc);
  ORR_CHECK(s->list->n || s->faults->n || s->too_short || !s->shards, ORR_ENOTFOUND,
            "%s: holds nothing but %" PRId64
            " shards of an Orrery data set; train on its folder as "
            "it is",
            o->inputs.v[0], s->shards);
  return check_one_format(s->list);
}
