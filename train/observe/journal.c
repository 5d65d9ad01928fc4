#include "train/observe/journal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

struct train_journal {
  int fd;
  uint64_t at; // end of the file
  char *path;
};

static orr_code close_torn_line(train_journal *j) {
  char last = '\n';
  ORR_TRY(orr_fs_size(j->path, &j->at));
  if (j->at == 0) return ORR_OK;
  int fd;
  ORR_TRY(orr_fs_open(j->path, O_RDONLY, 0, &fd));
  orr_code rc = orr_fs_pread_all(fd, j->path, &last, 1, j->at - 1);
  close(fd);
  return rc == ORR_OK && last != '\n' ? train_journal_put(j, "\n", 1) : rc;
}

orr_code train_journal_open(const char *path, train_journal **out) {
  orr_code rc;
  train_journal *j = orr_calloc(1, sizeof *j);
  ORR_CHECK(j, ORR_ENOMEM, "%s: out of memory", path);
  j->fd = -1;
  j->path = orr_strdup(path);
  ORR_CHECK_GOTO(j->path, fail, ORR_ENOMEM, "%s: out of memory", path);
  ORR_TRY_GOTO(orr_fs_open(path, O_WRONLY | O_CREAT, 0644, &j->fd), fail);
  ORR_TRY_GOTO(close_torn_line(j), fail);
  *out = j;
  return ORR_OK;
fail:
  train_journal_close(j);
  return rc;
}

void train_journal_close(train_journal *j) {
  if (!j) return;
  if (j->fd >= 0) close(j->fd);
  orr_free(j->path);
  orr_free(j);
}

uint64_t train_journal_bytes(const train_journal *j) {
  return j->at;
}

orr_code train_journal_put(train_journal *j, const char *line, size_t bytes) {
  ORR_TRY(orr_fs_pwrite_all(j->fd, j->path, line, bytes, j->at));
  j->at += bytes;
  return ORR_OK;
}

orr_code train_journal_put_object(train_journal *j, json_t *line) {
  char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
  json_decref(line);
  ORR_CHECK(text, ORR_ENOMEM, "%s: a line has no UTF-8 text, or there is out of memory for it",
            j->path);
  const size_t bytes = strlen(text);
  text[bytes] = '\n'; // in place of the 0
  const orr_code rc = train_journal_put(j, text, bytes + 1);
  free(text);
  return rc;
}

static orr_code give_lines(char *text, size_t bytes, train_journal_fn each, void *ctx) {
  for (char *p = text, *end = text + bytes; p < end;) {
    char *newline = memchr(p, '\n', (size_t)(end - p));
    const size_t n = (size_t)((newline ? newline : end) - p);
    json_t *line = n ? json_loadb(p, n, 0, NULL) : NULL;
    const orr_code rc = json_is_object(line) ? each(ctx, line) : ORR_OK;
    json_decref(line);
    ORR_TRY(rc);
    p += n + 1;
  }
  return ORR_OK;
}

orr_code train_journal_read(const char *path, train_journal_fn each, void *ctx) {
  char *text;
  size_t bytes;
  if (!orr_fs_exists(path)) return ORR_OK;
  ORR_TRY(orr_fs_read_all(path, &text, &bytes));
  const orr_code rc = give_lines(text, bytes, each, ctx);
  orr_free(text);
  return rc;
}
