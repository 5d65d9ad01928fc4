// Clocks of the operating system in the units the rest of the program uses.
#include "base/clock.h"

#include <time.h>

int64_t orr_clock_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double orr_clock_ms(void) {
  return (double)orr_clock_ns() * 1e-6;
}

int64_t orr_clock_cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t orr_clock_wall_s(void) {
  return (int64_t)time(NULL);
}

double orr_clock_wall(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void orr_clock_text(double wall_s, char text[32]) {
  const time_t seconds = (time_t)wall_s;
  struct tm utc;
  text[0] = '\0';
  if (gmtime_r(&seconds, &utc)) strftime(text, 32, "%Y-%m-%d %H:%M:%S", &utc);
}
