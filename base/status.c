// Status messages, one per thread. The message is formatted into a scratch buffer first because an
// argument may be the message that is being replaced.
#include "base/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"

static _Thread_local char thread_message[ORR_STATUS_MESSAGE_MAX];

// A message is one line of printable text, whatever bytes of a broken file it quotes: no line break
// in a log, no escape sequence on a terminal.
static void make_printable(char *text) {
  for (char *c = text; *c; c++) {
    if (strchr("\t\n\r", *c))
      *c = ' ';
    else if ((unsigned char)*c < 0x20 || *c == 0x7f)
      *c = '?';
  }
}

// `file` as it stands from the root of the sources: the compiler may have been given more of it.
static const char *from_root(const char *file) {
  enum { ROOT_LETTERS = sizeof __FILE__ - sizeof "base/status.c" };
  return strncmp(file, __FILE__, ROOT_LETTERS) == 0 ? file + ROOT_LETTERS : file;
}

orr_code orr_fail(orr_code code, const char *file, int line, const char *fmt, ...) {
  char text[ORR_STATUS_MESSAGE_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  const bool library = code == ORR_EIO || code == ORR_EFORMAT || code == ORR_ECORRUPT;
  if (code == ORR_ENOMEM || (library && orr_limits_memory_near()))
    orr_limits_memory_words(text + strlen(text), sizeof text - strlen(text));
  make_printable(text);
  orr_status_set(text);
  ORR_DEBUG("%s:%d: %s: %s", from_root(file), line, orr_code_name(code), text);
  return code;
}

void orr_pass(const char *file, int line, const char *function) {
  ORR_DEBUG("%s:%d: passed on by %s()", from_root(file), line, function);
}

const char *orr_status_message(void) {
  return thread_message;
}

void orr_status_copy(char *out, size_t size) {
  if (size > 0) snprintf(out, size, "%s", thread_message);
}

void orr_status_set(const char *message) {
  if (message == thread_message) return;
  size_t n = strnlen(message, sizeof thread_message - 1);
  memmove(thread_message, message, n);
  thread_message[n] = 0;
}

void orr_status_clear(void) {
  thread_message[0] = 0;
}

const char *orr_code_name(orr_code code) {
  switch (code) {
  case ORR_OK:
    return "ok";
  case ORR_EINVAL:
    return "invalid";
  case ORR_ECONFIG:
    return "configuration";
  case ORR_ENOMEM:
    return "out of memory";
  case ORR_EIO:
    return "input/output";
  case ORR_EFORMAT:
    return "format";
  case ORR_ECORRUPT:
    return "corrupt";
  case ORR_ENOTFOUND:
    return "not found";
  case ORR_EUNSUPPORTED:
    return "unsupported";
  case ORR_ECOMM:
    return "communication";
  case ORR_ESTOPPED:
    return "stopped";
  case ORR_EDIFFERS:
    return "differs";
  case ORR_EFULL:
    return "full";
  case ORR_EACCESS:
    return "permission";
  case ORR_EBUSY:
    return "busy";
  }
  return "unknown";
}
