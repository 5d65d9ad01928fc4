#include "base/limits.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t limit_of(int resource) {
  struct rlimit l;
  if (getrlimit((__rlimit_resource_t)resource, &l) != 0 || l.rlim_cur == RLIM_INFINITY) return 0;
  return l.rlim_cur;
}

uint64_t orr_limits_memory(void) {
  const uint64_t space = limit_of(RLIMIT_AS), data = limit_of(RLIMIT_DATA);
  return space && (!data || space < data) ? space : data;
}

uint64_t orr_limits_file(void) {
  return limit_of(RLIMIT_FSIZE);
}

void orr_limits_file_words(char *out, size_t size) {
  const uint64_t limit = orr_limits_file();
  if (size > 0) out[0] = 0;
  if (limit > 0)
    snprintf(out, size, "; files are limited to %" PRIu64 " bytes: raise that limit (ulimit -f)",
             limit);
}

void orr_limits_thread_words(char *out, size_t size) {
  const uint64_t limit = limit_of(RLIMIT_NPROC);
  if (size > 0) out[0] = 0;
  if (limit > 0)
    snprintf(out, size,
             "; processes and threads of this user are limited to %" PRIu64 " (ulimit -u)", limit);
}

// What follows calls nothing that a handler of signals may not call: no stdio, no allocation.

static void add(char *out, size_t size, const char *text) {
  size_t at = strnlen(out, size);
  while (*text && at + 1 < size) out[at++] = *text++;
  if (at < size) out[at] = 0;
}

static void add_number(char *out, size_t size, uint64_t v) {
  char digits[24];
  char *at = digits + sizeof digits;
  *--at = 0;
  do {
    *--at = (char)('0' + v % 10);
    v /= 10;
  } while (v);
  add(out, size, at);
}

enum { SPACE = 0, RESIDENT = 1, DATA = 5 }; // places in /proc/self/statm

// Bytes that this process takes, by one of its numbers, which are pages; 0 = not known.
static uint64_t number_of(int place) {
  char text[128];
  uint64_t pages = 0;
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const ssize_t n = read(fd, text, sizeof text);
  close(fd);
  ssize_t i = 0;
  for (int skip = place; i < n && skip > 0; i++) skip -= text[i] == ' ';
  for (; i < n && text[i] >= '0' && text[i] <= '9'; i++)
    pages = 10 * pages + (uint64_t)(text[i] - '0');
  return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t orr_memory_resident(void) {
  return number_of(RESIDENT);
}

uint64_t orr_memory_space(void) {
  return number_of(SPACE);
}

static uint64_t taken(bool data) {
  return number_of(data ? DATA : SPACE);
}

static bool data_is_less(uint64_t limit) {
  return limit_of(RLIMIT_AS) != limit;
}

bool orr_limits_memory_near(void) {
  enum { NEAR = 64 << 20 };
  const uint64_t limit = orr_limits_memory();
  return limit > 0 && taken(data_is_less(limit)) + NEAR >= limit;
}

void orr_limits_memory_words(char *out, size_t size) {
  const uint64_t limit = orr_limits_memory();
  if (size > 0) out[0] = 0;
  if (limit == 0) return;
  const bool data = data_is_less(limit);
  add(out, size,
      data ? " (the data of this process is limited to "
           : " (the address space of this process is limited to ");
  add_number(out, size, limit >> 20);
  add(out, size, " MiB, ulimit ");
  add(out, size, data ? "-d" : "-v");
  add(out, size, ", and ");
  add_number(out, size, taken(data) >> 20);
  add(out, size, " MiB are taken: raise the limit)");
}
