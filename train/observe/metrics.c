#include "train/observe/metrics.h"

#include <inttypes.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

struct train_metrics {
  int fd;
  uint64_t at; // end of the file
  char *path;
};

static const char line_start[] = "{\"step\": ";

// Bytes of the leading lines whose step is at most `from`.
static size_t kept_bytes(const char *text, size_t bytes, int64_t from) {
  size_t at = 0;
  while (at < bytes) {
    const char *line = text + at, *end = memchr(line, '\n', bytes - at);
    if (!end || strncmp(line, line_start, sizeof line_start - 1) != 0) break;
    const char *digits = line + sizeof line_start - 1;
    char *behind;
    const long long step = strtoll(digits, &behind, 10);
    if (behind == digits || behind > end || step > from) break;
    at = (size_t)(end - text) + 1;
  }
  return at;
}

static orr_code trim(train_metrics *m, int64_t from) {
  char *text = NULL;
  size_t bytes = 0;
  ORR_TRY(orr_fs_read_all(m->path, &text, &bytes));
  m->at = kept_bytes(text, bytes, from);
  orr_free(text);
  ORR_CHECK(ftruncate(m->fd, (off_t)m->at) == 0, ORR_EIO,
            "%s: cannot cut it to %" PRIu64 " bytes: %s", m->path, m->at, strerror(errno));
  return ORR_OK;
}

orr_code train_metrics_open(const char *path, int64_t from, train_metrics **out) {
  orr_code rc;
  train_metrics *m = orr_calloc(1, sizeof *m);
  ORR_CHECK(m, ORR_ENOMEM, "%s: out of memory", path);
  m->fd = -1;
  m->path = orr_strdup(path);
  ORR_CHECK_GOTO(m->path, fail, ORR_ENOMEM, "%s: out of memory", path);
  ORR_TRY_GOTO(orr_fs_open(path, O_WRONLY | O_CREAT, 0644, &m->fd), fail);
  ORR_TRY_GOTO(trim(m, from), fail);
  *out = m;
  return ORR_OK;
fail:
  train_metrics_close(m);
  return rc;
}

// JSON has no NaN and no infinity: they become null.
static int print_number(char *out, size_t size, const char *name, const char *format, double v) {
  int n = snprintf(out, size, ", \"%s\": ", name);
  return n + (isfinite(v) ? snprintf(out + n, size - (size_t)n, format, v)
                          : snprintf(out + n, size - (size_t)n, "null"));
}

void train_metrics_list(const train_step_metrics *s, train_scalars *out) {
  *out = (train_scalars){.step = s->step, .wall_s = orr_clock_wall()};
  train_scalars_add(out, "loss", "%.9g", s->loss);
  train_scalars_add(out, "lr", "%.9g", s->lr);
  train_scalars_add(out, "grad_norm", "%.9g", s->grad_norm);
  train_scalars_add(out, "tokens", "%.0f", s->tokens);
  train_scalars_add(out, "tokens_per_s", "%.1f", s->tokens_per_s);
  train_scalars_add(out, "frames_per_s", "%.2f", s->frames_per_s);
  train_scalars_add(out, "step_ms", "%.3f", s->step_ms);
  train_scalars_add(out, "data_wait_ms", "%.3f", s->data_wait_ms);
  train_scalars_add(out, "comm_ms", "%.3f", s->comm_ms);
  train_scalars_add(out, "ckpt_stall_ms", "%.3f", s->ckpt_stall_ms);
  train_scalars_add(out, "data_bytes", "%.0f", s->data_bytes);
  train_scalars_add(out, "data_unpacked_bytes", "%.0f", s->data_unpacked_bytes);
  train_scalars_add(out, "data_chunks", "%.0f", s->data_chunks);
  train_scalars_add(out, "data_chunk_hits", "%.0f", s->data_chunk_hits);
  train_scalars_add(out, "data_queue", "%.0f", s->data_queue);
  if (s->fetches) {
    train_scalars_add(out, "data_fetched_bytes", "%.0f", s->data_fetched_bytes);
    train_scalars_add(out, "data_cache_hits", "%.0f", s->data_cache_hits);
    train_scalars_add(out, "data_fetch_waits", "%.0f", s->data_fetch_waits);
    train_scalars_add(out, "data_fetch_retries", "%.0f", s->data_fetch_retries);
  }
  train_scalars_add(out, "mfu", "%.4f", s->mfu);
  if (s->bad_clips > 0) train_scalars_add(out, "bad_clips", "%.0f", (double)s->bad_clips);
  if (s->skipped) train_scalars_add(out, "skipped", "%.0f", 1.0);
}

orr_code train_metrics_write(train_metrics *m, const train_scalars *s) {
  // a number takes at most 318 characters ("%.3f" of 1e308)
  char line[(TRAIN_SCALARS + 2) * 400];
  int n = snprintf(line, sizeof line, "%s%" PRId64, line_start, s->step);
  for (int i = 0; i < s->n; i++)
    n += print_number(line + n, sizeof line - (size_t)n, s->v[i].name, s->v[i].format,
                      s->v[i].value);
  n += snprintf(line + n, sizeof line - (size_t)n, ", \"time\": %.3f}\n", s->wall_s);
  ORR_TRY(orr_fs_pwrite_all(m->fd, m->path, line, (size_t)n, m->at));
  m->at += (uint64_t)n;
  return ORR_OK;
}

void train_metrics_close(train_metrics *m) {
  if (!m) return;
  if (m->fd >= 0) close(m->fd);
  orr_free(m->path);
  orr_free(m);
}
