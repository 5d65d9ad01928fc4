// One write a line, so that lines of several ranks on one terminal stay whole.
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES     4096
#define PROGRESS_PERIOD_NS INT64_C(10000000000)

// The process's one voice: settings from orr_log_setup and what stands on the terminal now.
static struct {
  pthread_mutex_t lock;
  orr_log_level level;
  bool verbose; // overrides the level
  bool timed;
  int rank, ranks;
  bool open_line;          // a progress line without its newline is on the terminal
  bool printed;            // a progress line has been printed on a pipe
  int64_t last_printed_ns; // when
} voice = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = ORR_LOG_INFO, .ranks = 1};

void orr_log_setup(orr_log_level level, int rank, int ranks) {
  voice.level = level;
  voice.rank = rank;
  voice.ranks = ranks;
}

void orr_log_verbose(void) {
  voice.verbose = true;
}

void orr_log_timed(void) {
  voice.timed = true;
}

static void emit(const char *line, size_t bytes) {
  while (bytes > 0) {
    ssize_t n = write(STDERR_FILENO, line, bytes);
    if (n <= 0) return; // nowhere left to complain
    line += n;
    bytes -= (size_t)n;
  }
}

// Appends to line[LINE_MAX_BYTES] at *at, cutting what does not fit and keeping room for a newline.
__attribute__((format(printf, 3, 0))) static void append(char *line, size_t *at, const char *fmt,
                                                         va_list args) {
  size_t room = LINE_MAX_BYTES - 2 - *at;
  int n = vsnprintf(line + *at, room, fmt, args);
  if (n > 0) *at += (size_t)n < room ? (size_t)n : room - 1;
}

__attribute__((format(printf, 3, 4))) static void append_text(char *line, size_t *at,
                                                              const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  append(line, at, fmt, args);
  va_end(args);
}

// With the lock held.
static void append_time(char *line, size_t *at) {
  char now[32];
  if (!voice.timed) return;
  orr_clock_text(orr_clock_wall(), now);
  append_text(line, at, "%s ", now);
}

void orr_log(orr_log_level level, const char *fmt, ...) {
  static const char *const words[] = {[ORR_LOG_ERROR] = "error: ",
                                      [ORR_LOG_WARN] = "warning: ",
                                      [ORR_LOG_INFO] = "",
                                      [ORR_LOG_DEBUG] = "debug: "};
  if (level > voice.level && !voice.verbose) return;
  char line[LINE_MAX_BYTES];
  size_t at = 0;
  pthread_mutex_lock(&voice.lock);
  if (voice.open_line) append_text(line, &at, "\r\033[K");
  voice.open_line = false;
  append_time(line, &at);
  if (voice.ranks > 1) append_text(line, &at, "[%d] ", voice.rank);
  append_text(line, &at, "%s", words[level]);
  va_list args;
  va_start(args, fmt);
  append(line, &at, fmt, args);
  va_end(args);
  line[at++] = '\n';
  emit(line, at);
  pthread_mutex_unlock(&voice.lock);
}

void orr_progress(bool last, const char *fmt, ...) {
  if (voice.rank != 0 || voice.level < ORR_LOG_INFO) return;
  bool terminal = isatty(STDERR_FILENO);
  int64_t now = orr_clock_ns();
  char line[LINE_MAX_BYTES];
  size_t at = 0;
  pthread_mutex_lock(&voice.lock);
  if (!terminal && !last && voice.printed && now - voice.last_printed_ns < PROGRESS_PERIOD_NS) {
    pthread_mutex_unlock(&voice.lock);
    return;
  }
  if (terminal) append_text(line, &at, "\r\033[K");
  append_time(line, &at);
  va_list args;
  va_start(args, fmt);
  append(line, &at, fmt, args);
  va_end(args);
  if (!terminal || last) line[at++] = '\n';
  emit(line, at);
  voice.open_line = terminal && !last;
  voice.printed = !last; // the next task's first line is printed at once
  voice.last_printed_ns = now;
  pthread_mutex_unlock(&voice.lock);
}
