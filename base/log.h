// Words for people, on stderr. Every rank may log; lines carry the rank when there are several.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

typedef enum { ORR_LOG_ERROR, ORR_LOG_WARN, ORR_LOG_INFO, ORR_LOG_DEBUG } orr_log_level;

// Process-wide settings, set once at start-up before other threads exist.
void orr_log_setup(orr_log_level level, int rank, int ranks);
// Process-wide, before other threads exist: from here on debug lines are printed, whatever level
// orr_log_setup is given, before or after.
void orr_log_verbose(void);
// Process-wide, before other threads exist: from here on lines begin with the time, in UTC.
void orr_log_timed(void);
void orr_log(orr_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define ORR_ERROR(...) orr_log(ORR_LOG_ERROR, __VA_ARGS__)
#define ORR_WARN(...)  orr_log(ORR_LOG_WARN, __VA_ARGS__)
#define ORR_INFO(...)  orr_log(ORR_LOG_INFO, __VA_ARGS__)
#define ORR_DEBUG(...) orr_log(ORR_LOG_DEBUG, __VA_ARGS__)

// One line that is rewritten in place on a terminal; on a pipe it is printed at most every
// 10 seconds, and always when `last` is true. Only rank 0 prints.
void orr_progress(bool last, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
