#include "train/history.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/metrics_table.h"

struct train_history {
  int fd;
  uint64_t at; // end of the file
  char *path;
  bool silent; // a failure was logged
};

static orr_code put_line(train_history *h, json_t *line) {
  char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
  json_decref(line);
  ORR_CHECK(text, ORR_ENOMEM, "%s: a line has no UTF-8 text, or there is no memory for it",
            h->path);
  const size_t bytes = strlen(text);
  text[bytes] = '\n'; // in place of the 0
  const orr_code rc = orr_fs_pwrite_all(h->fd, h->path, text, bytes + 1, h->at);
  if (rc == ORR_OK) h->at += bytes + 1;
  free(text);
  return rc;
}

// What the process before wrote behind step `from`: steps that this one repeats.
typedef struct {
  int64_t steps;
  double seconds, seen; // seen: time of its last line, 0 without one
} lost_part;

static orr_code find_lost(const char *run_dir, int64_t from, lost_part *out) {
  char path[4096];
  train_table m;
  *out = (lost_part){0};
  ORR_TRY(orr_fs_join(path, sizeof path, run_dir, "metrics.jsonl"));
  if (!orr_fs_exists(path)) return ORR_OK;
  ORR_TRY(train_table_read(path, &m));
  const double *step = train_table_column(&m, "step"), *ms = train_table_column(&m, "step_ms"),
               *time = train_table_column(&m, "time");
  for (int64_t i = 0; i < m.rows; i++) {
    if (time && isfinite(time[i])) out->seen = time[i];
    if (step[i] <= (double)from) continue;
    out->steps++;
    out->seconds += ms && isfinite(ms[i]) ? 1e-3 * ms[i] : 0.0;
  }
  train_table_release(&m);
  return ORR_OK;
}

static orr_code put_start(train_history *h, const char *run_dir, const dist_grid *g,
                          double begun_ms, int64_t from, json_t *memory) {
  const double begun = orr_clock_wall() - 1e-3 * (orr_clock_ms() - begun_ms);
  char host[256] = "";
  lost_part lost;
  ORR_TRY(find_lost(run_dir, from, &lost));
  gethostname(host, sizeof host - 1);
  return put_line(h, json_pack("{s:f, s:s, s:I, s:i, s:i, s:i, s:i, s:s, s:O*, s:I, s:f, s:f}",
                               "time", begun, "event", "start", "step", (json_int_t)from, "ranks",
                               g->ranks, "tp", g->tp, "cp", g->cp, "dp", g->dp, "host", host,
                               "memory", memory, "lost_steps", (json_int_t)lost.steps, "lost_s",
                               lost.seconds, "seen", lost.seen));
}

orr_code train_history_rewind(train_history *h, const char *run_dir, int64_t from) {
  lost_part lost;
  ORR_TRY(find_lost(run_dir, from, &lost));
  return put_line(h, json_pack("{s:f, s:s, s:I, s:I, s:f}", "time", orr_clock_wall(), "event",
                               "rewind", "step", (json_int_t)from, "lost_steps",
                               (json_int_t)lost.steps, "lost_s", lost.seconds));
}

// A killed process can leave half a line: what follows must not be glued to it.
static orr_code close_torn_line(train_history *h) {
  char last = '\n';
  ORR_TRY(orr_fs_size(h->path, &h->at));
  if (h->at == 0) return ORR_OK;
  int fd;
  ORR_TRY(orr_fs_open(h->path, O_RDONLY, 0, &fd));
  orr_code rc = orr_fs_pread_all(fd, h->path, &last, 1, h->at - 1);
  close(fd);
  if (rc == ORR_OK && last != '\n') rc = orr_fs_pwrite_all(h->fd, h->path, "\n", 1, h->at++);
  return rc;
}

orr_code train_history_open(const char *run_dir, const dist_grid *grid, double begun_ms,
                            int64_t from, json_t *memory, train_history **out) {
  orr_code rc;
  train_history *h = orr_calloc(1, sizeof *h);
  ORR_CHECK(h, ORR_ENOMEM, "%s/history.jsonl: out of memory", run_dir);
  h->fd = -1;
  h->path = orr_format("%s/history.jsonl", run_dir);
  ORR_CHECK_GOTO(h->path, fail, ORR_ENOMEM, "%s/history.jsonl: out of memory", run_dir);
  ORR_TRY_GOTO(orr_fs_open(h->path, O_WRONLY | O_CREAT, 0644, &h->fd), fail);
  ORR_TRY_GOTO(close_torn_line(h), fail);
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
  if (put_line(h, line) == ORR_OK) return;
  if (!h->silent) ORR_WARN("%s; training goes on", orr_status_message());
  h->silent = true;
}

static orr_code split_lines(char *text, size_t bytes, json_t *list) {
  for (char *p = text, *end = text + bytes; p < end;) {
    char *newline = memchr(p, '\n', (size_t)(end - p));
    const size_t n = (size_t)((newline ? newline : end) - p);
    json_t *line = n ? json_loadb(p, n, 0, NULL) : NULL;
    if (json_is_object(line))
      ORR_CHECK(json_array_append_new(list, line) == 0, ORR_ENOMEM, "history: out of memory");
    else
      json_decref(line);
    p += n + 1;
  }
  return ORR_OK;
}

orr_code train_history_read(const char *run_dir, json_t **out) {
  char path[4096], *text;
  size_t bytes;
  *out = NULL;
  ORR_TRY(orr_fs_join(path, sizeof path, run_dir, "history.jsonl"));
  json_t *list = json_array();
  ORR_CHECK(list, ORR_ENOMEM, "history: out of memory");
  orr_code rc = ORR_OK;
  if (orr_fs_exists(path)) {
    rc = orr_fs_read_all(path, &text, &bytes);
    if (rc == ORR_OK) {
      rc = split_lines(text, bytes, list);
      orr_free(text);
    }
  }
  if (rc != ORR_OK) {
    json_decref(list);
    return rc;
  }
  *out = list;
  return ORR_OK;
}

void train_history_close(train_history *h) {
  if (!h) return;
  if (h->fd >= 0) close(h->fd);
  orr_free(h->path);
  orr_free(h);
}
