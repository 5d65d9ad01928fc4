#include "train/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
  ORR_CHECK(ftruncate(m->fd, (off_t)m->at) == 0, ORR_EIO, "%s: cannot cut it to %llu bytes: %s",
            m->path, (unsigned long long)m->at, strerror(errno));
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

orr_code train_metrics_write(train_metrics *m, const train_step_metrics *s) {
  const struct {
    const char *name, *format;
    double v;
  } fields[] = {{"loss", "%.9g", s->loss},
                {"lr", "%.9g", s->lr},
                {"grad_norm", "%.9g", s->grad_norm},
                {"tokens", "%.0f", s->tokens},
                {"tokens_per_s", "%.1f", s->tokens_per_s},
                {"frames_per_s", "%.2f", s->frames_per_s},
                {"step_ms", "%.3f", s->step_ms},
                {"data_wait_ms", "%.3f", s->data_wait_ms},
                {"comm_ms", "%.3f", s->comm_ms},
                {"ckpt_stall_ms", "%.3f", s->ckpt_stall_ms},
                {"data_bytes", "%.0f", s->data_bytes},
                {"data_unpacked_bytes", "%.0f", s->data_unpacked_bytes},
                {"data_chunks", "%.0f", s->data_chunks},
                {"data_chunk_hits", "%.0f", s->data_chunk_hits},
                {"data_queue", "%.0f", s->data_queue},
                {"mfu", "%.4f", s->mfu}};
  char line[8192]; // 16 numbers of at most 320 characters (%.0f of 1e308) with their names
  int n = snprintf(line, sizeof line, "%s%lld", line_start, (long long)s->step);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    n += print_number(line + n, sizeof line - (size_t)n, fields[i].name, fields[i].format,
                      fields[i].v);
  n += snprintf(line + n, sizeof line - (size_t)n, "}\n");
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
