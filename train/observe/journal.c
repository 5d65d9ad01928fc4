#include "train/observe/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/observe/lines.h"

enum { NAMED = 3 }; // numbers of bad lines in a warning

struct train_journal {
  train_append *file;
  char *path;
};

// -- what is there -------------------------------------------------------------------------------

// The lines of a file, sorted into those that stay and those that are damaged.
typedef struct {
  const train_journal_options *o;
  const char *text;
  char *kept; // [bytes + 1]
  size_t kept_bytes;
  size_t kept_end; // of the last kept line, in the file
  int64_t last;    // step of it
  char *bad;       // [bytes + 1]
  size_t bad_bytes;
  int64_t bad_count, named[NAMED];
} sorting;

static void copy_line(char *to, size_t *at, const train_line *line) {
  memcpy(to + *at, line->text, line->bytes);
  *at += line->bytes;
  to[(*at)++] = '\n';
}

static orr_code sort_line(void *ctx, const train_line *line) {
  sorting *s = ctx;
  if (line->torn && (s->o->by_steps || !line->object)) return ORR_OK;
  if (!line->object) {
    if (s->bad_count < NAMED) s->named[s->bad_count] = line->number;
    s->bad_count++;
    copy_line(s->bad, &s->bad_bytes, line);
    return ORR_OK;
  }
  if (s->o->by_steps) {
    const int64_t step = json_integer_value(json_object_get(line->object, "step"));
    if (step > s->o->from || step <= s->last) return ORR_OK;
    s->last = step;
  }
  copy_line(s->kept, &s->kept_bytes, line);
  s->kept_end = (size_t)(line->text - s->text) + line->bytes + !line->torn;
  return ORR_OK;
}

static orr_code append_bad(const sorting *s, orr_path path) {
  int fd;
  uint64_t bytes;
  ORR_CHECK(snprintf(path, sizeof(orr_path), "%s.bad", s->o->path) < (int)sizeof(orr_path),
            ORR_EINVAL, "%s: too long a path", s->o->path);
  ORR_TRY(orr_fs_open(path, O_WRONLY | O_CREAT, 0644, &fd));
  orr_code rc = orr_fs_size(path, &bytes);
  if (rc == ORR_OK) rc = orr_fs_pwrite_all(fd, path, s->bad, s->bad_bytes, bytes);
  close(fd);
  return rc;
}

// The damaged lines are moved out of the file, or stay in it: readers pass over them.
static bool set_aside(const sorting *s) {
  orr_path path;
  char lines[128];
  int n = snprintf(lines, sizeof lines, "line%s", s->bad_count > 1 ? "s" : "");
  for (int64_t i = 0; i < s->bad_count && i < NAMED; i++)
    n += snprintf(lines + n, sizeof lines - (size_t)n, "%s %" PRId64, i ? "," : "", s->named[i]);
  if (s->bad_count > NAMED)
    snprintf(lines + n, sizeof lines - (size_t)n, " and %" PRId64 " more", s->bad_count - NAMED);
  orr_code rc = append_bad(s, path);
  if (rc == ORR_OK) rc = orr_fs_write_atomic(s->o->path, s->kept, s->kept_bytes);
  if (rc == ORR_OK)
    ORR_WARN("%s: %s cannot be read: damaged, and set aside in %s; the other lines stay",
             s->o->path, lines, path);
  else
    ORR_WARN("%s: %s cannot be read: damaged; it could not be set aside: %s", s->o->path, lines,
             orr_status_message());
  return rc == ORR_OK;
}

static orr_code cut(const char *path, size_t bytes) {
  ORR_CHECK(truncate(path, (off_t)bytes) == 0, ORR_EIO, "%s: cannot cut it to %zu bytes: %s", path,
            bytes, strerror(errno));
  return ORR_OK;
}

// *newline (=) the last line lacks it.
static orr_code sort_file(const train_journal_options *o, const char *text, size_t bytes,
                          bool *newline) {
  sorting s = {.o = o, .text = text};
  s.kept = orr_malloc(2 * (bytes + 1));
  ORR_CHECK(s.kept, ORR_ENOMEM, "%s: out of memory for its %zu bytes", o->path, bytes);
  s.bad = s.kept + bytes + 1;
  orr_code rc = train_lines_each(text, bytes, o->by_steps, sort_line, &s);
  const bool aside = rc == ORR_OK && s.bad_count > 0 && set_aside(&s);
  *newline = !aside && s.kept_end > 0 && text[s.kept_end - 1] != '\n';
  if (rc == ORR_OK && !aside && s.kept_end < bytes) rc = cut(o->path, s.kept_end);
  orr_free(s.kept);
  return rc;
}

static orr_code tidy(const train_journal_options *o, bool *newline) {
  char *text;
  size_t bytes;
  *newline = false;
  if (!orr_fs_exists(o->path)) return ORR_OK;
  ORR_TRY(orr_fs_read_all(o->path, &text, &bytes));
  const orr_code rc = sort_file(o, text, bytes, newline);
  orr_free(text);
  return rc;
}

// -- appending -----------------------------------------------------------------------------------

orr_code train_journal_open(const train_journal_options *o, train_journal **out) {
  orr_code rc;
  bool newline;
  train_journal *j = orr_calloc(1, sizeof *j);
  ORR_CHECK(j, ORR_ENOMEM, "%s: out of memory", o->path);
  j->path = orr_strdup(o->path);
  ORR_CHECK_GOTO(j->path, fail, ORR_ENOMEM, "%s: out of memory", o->path);
  ORR_TRY_GOTO(tidy(o, &newline), fail);
  ORR_TRY_GOTO(train_append_open(o->path, o->outage, &j->file), fail);
  if (newline) train_append_put(j->file, "\n", 1);
  *out = j;
  return ORR_OK;
fail:
  train_journal_close(j);
  return rc;
}

void train_journal_close(train_journal *j) {
  if (!j) return;
  train_append_close(j->file);
  orr_free(j->path);
  orr_free(j);
}

uint64_t train_journal_bytes(const train_journal *j) {
  return train_append_bytes(j->file);
}

bool train_journal_settled(const train_journal *j) {
  return train_append_settled(j->file);
}

void train_journal_put(train_journal *j, const char *line, size_t bytes) {
  train_append_put(j->file, line, bytes);
}

orr_code train_journal_put_object(train_journal *j, json_t *line) {
  char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
  json_decref(line);
  ORR_CHECK(text, ORR_ENOMEM, "%s: a line has no UTF-8 text, or there is out of memory for it",
            j->path);
  const size_t bytes = strlen(text);
  text[bytes] = '\n'; // in place of the 0
  train_journal_put(j, text, bytes + 1);
  free(text);
  return ORR_OK;
}

// -- reading -------------------------------------------------------------------------------------

typedef struct {
  train_journal_fn each;
  void *ctx;
  int64_t bad;
} reading;

static orr_code read_line(void *ctx, const train_line *line) {
  reading *r = ctx;
  if (line->object) return r->each(r->ctx, line->object);
  r->bad += !line->torn;
  return ORR_OK;
}

orr_code train_journal_read(const char *path, train_journal_fn each, void *ctx, int64_t *bad) {
  char *text;
  size_t bytes;
  reading r = {.each = each, .ctx = ctx};
  if (!orr_fs_exists(path)) return ORR_OK;
  ORR_TRY(orr_fs_read_all(path, &text, &bytes));
  const orr_code rc = train_lines_each(text, bytes, false, read_line, &r);
  *bad += r.bad;
  orr_free(text);
  return rc;
}
