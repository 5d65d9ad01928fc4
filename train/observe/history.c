#include "train/observe/history.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "dist/launch.h"
#include "train/observe/journal.h"
#include "train/observe/metrics_table.h"

struct train_history {
  train_journal *journal;
};

// What the process before wrote after step `from`: steps that this one repeats.
typedef struct {
  int64_t steps;
  double seconds, seen; // seen: time of its last line, 0 without one
} lost_part;

static orr_code find_lost(const char *run_dir, int64_t from, lost_part *out) {
  orr_path path;
  train_columns m;
  *out = (lost_part){0};
  ORR_TRY(orr_fs_join(path, sizeof path, run_dir, "metrics.jsonl"));
  if (!orr_fs_exists(path)) return ORR_OK;
  ORR_TRY(train_columns_read(path, &m));
  const double *step = train_columns_find(&m, "step"), *ms = train_columns_find(&m, "step_ms"),
               *time = train_columns_find(&m, "time");
  for (int64_t i = 0; i < m.rows; i++) {
    if (time && isfinite(time[i])) out->seen = time[i];
    if (step[i] <= (double)from) continue;
    out->steps++;
    out->seconds += ms && isfinite(ms[i]) ? 1e-3 * ms[i] : 0.0;
  }
  train_columns_release(&m);
  return ORR_OK;
}

static orr_code put_start(train_history *h, const char *run_dir, const dist_grid *g,
                          double begun_ms, int64_t from, json_t *memory) {
  const double begun = orr_clock_wall() - 1e-3 * (orr_clock_ms() - begun_ms);
  char host[256] = "";
  lost_part lost;
  ORR_TRY(find_lost(run_dir, from, &lost));
  gethostname(host, sizeof host - 1);
  return train_journal_put_object(
      h->journal,
      json_pack("{s:f, s:s, s:I, s:i, s:i, s:i, s:i, s:s, s:s*, s:s, s:s, s:O*, s:I, s:f, s:f}",
                "time", begun, "event", "start", "step", (json_int_t)from, "ranks", g->ranks, "tp",
                g->tp, "cp", g->cp, "dp", g->dp, "host", host, "job", dist_job_number(), "version",
                orr_version(), "revision", orr_revision(), "memory", memory, "lost_steps",
                (json_int_t)lost.steps, "lost_s", lost.seconds, "seen", lost.seen));
}

orr_code train_history_rewind(train_history *h, const char *run_dir, int64_t from) {
  lost_part lost;
  ORR_TRY(find_lost(run_dir, from, &lost));
  return train_journal_put_object(
      h->journal,
      json_pack("{s:f, s:s, s:I, s:I, s:f}", "time", orr_clock_wall(), "event", "rewind", "step",
                (json_int_t)from, "lost_steps", (json_int_t)lost.steps, "lost_s", lost.seconds));
}

orr_code train_history_open(const char *run_dir, const dist_grid *grid, double begun_ms,
                            int64_t from, json_t *memory, train_outage *outage,
                            train_history **out) {
  orr_code rc;
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof path, run_dir, "history.jsonl"));
  train_history *h = orr_calloc(1, sizeof *h);
  ORR_CHECK(h, ORR_ENOMEM, "%s: out of memory", path);
  ORR_TRY_GOTO(
      train_journal_open(&(train_journal_options){.path = path, .outage = outage}, &h->journal),
      fail);
  ORR_TRY_GOTO(put_start(h, run_dir, grid, begun_ms, from, memory), fail);
  *out = h;
  return ORR_OK;
fail:
  train_history_close(h);
  return rc;
}

void train_history_add(train_history *h, const char *event, int64_t step, const char *words) {
  if (!h) return;
  json_t *line = json_pack("{s:f, s:s, s:I}", "time", orr_clock_wall(), "event", event, "step",
                           (json_int_t)step);
  if (line && words) json_object_set_new(line, "words", json_string(words));
  if (train_journal_put_object(h->journal, line) != ORR_OK)
    ORR_WARN("%s; training goes on", orr_status_message());
}

// The lines of a report that name somebody, one after the other.
static void causes_of(const char *report, char *words, size_t size) {
  size_t used = 0;
  words[0] = '\0';
  for (const char *line = report; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    if (strncmp(line, "missing: ", 9) != 0 && strncmp(line, "failed: ", 8) != 0) continue;
    if (used + 3 >= size) return;
    used += (size_t)snprintf(words + used, size - used, "%s%.*s", used ? "; " : "",
                             (int)strcspn(line, "\n"), line);
    if (used >= size) used = size - 1;
  }
}

// A process that died in the middle of a line left no end of it, and the next line would be part of
// that one.
static bool ends_torn(int fd) {
  char last = '\n';
  const off_t end = lseek(fd, 0, SEEK_END);
  return end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n';
}

void train_history_add_report(const char *run_dir, int64_t step, const char *report) {
  orr_path path;
  char words[1024];
  int fd = -1;
  causes_of(report, words, sizeof words);
  const char *event = strstr(words, "its process has ended") ? "died" : "hung";
  json_t *line = json_pack("{s:f, s:s, s:I, s:s}", "time", orr_clock_wall(), "event", event, "step",
                           (json_int_t)step, "words", words);
  char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
  char *whole = text ? orr_format("\n%s\n", text) : NULL; // one write: other lines stay whole
  orr_code rc = whole ? orr_fs_join(path, sizeof path, run_dir, "history.jsonl")
                      : ORR_FAIL(ORR_ENOMEM, "history: out of memory");
  if (rc == ORR_OK) rc = orr_fs_open(path, O_RDWR | O_CREAT | O_APPEND, 0644, &fd);
  const char *from = whole && fd >= 0 && !ends_torn(fd) ? whole + 1 : whole;
  if (rc == ORR_OK && write(fd, from, strlen(from)) < 0)
    rc = ORR_FAIL(ORR_EIO, "%s: the event '%s' was not written", path, event);
  if (fd >= 0) close(fd);
  if (rc != ORR_OK) ORR_WARN("%s", orr_status_message());
  orr_free(whole);
  free(text);
  json_decref(line);
}

static orr_code keep_line(void *list, json_t *line) {
  ORR_CHECK(json_array_append(list, line) == 0, ORR_ENOMEM, "history: out of memory");
  return ORR_OK;
}

orr_code train_history_read(const char *run_dir, json_t **out, int64_t *bad) {
  orr_path path;
  *out = NULL;
  *bad = 0;
  ORR_TRY(orr_fs_join(path, sizeof path, run_dir, "history.jsonl"));
  json_t *list = json_array();
  ORR_CHECK(list, ORR_ENOMEM, "history: out of memory");
  const orr_code rc = train_journal_read(path, keep_line, list, bad);
  if (rc != ORR_OK) {
    json_decref(list);
    return rc;
  }
  *out = list;
  return ORR_OK;
}

void train_history_close(train_history *h) {
  if (!h) return;
  train_journal_close(h->journal);
  orr_free(h);
}
