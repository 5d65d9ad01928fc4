// Status codes with context. The first function to see a fault records it once (object, got,
// wanted, remedy) and returns a code; callers only pass the code on. The message is kept per
// thread; a worker thread's message is carried to its owner with orr_status_copy/orr_status_set.
// With --verbose the log says where the error was recorded and which functions passed it on.
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stddef.h>

typedef enum {
  ORR_OK = 0,
  ORR_EINVAL,  // an argument or a combination of settings that cannot work
  ORR_ECONFIG, // bad usage or configuration (exit code 2)
  ORR_ENOMEM,
  ORR_EIO,      // the operating system refused: open, read, write, fsync, rename, no space
  ORR_EFORMAT,  // bytes that are not what their name says: foreign, wrong version, truncated
  ORR_ECORRUPT, // a checksum does not match
  ORR_ENOTFOUND,
  ORR_EUNSUPPORTED, // this build or this machine lacks it
  ORR_ECOMM,        // MPI or NCCL failed, or another rank reported an error
  ORR_ESTOPPED,     // stopped early on request (exit code 85)
  ORR_EDIFFERS,     // what was repeated came out differently (exit code 3)
  ORR_EFULL,        // no room: a full disk, a quota, a limit on files
  ORR_EACCESS,      // the operating system refused for want of permission
  ORR_EBUSY,        // another process holds it and goes on (exit code 4)
} orr_code;

#define ORR_STATUS_MESSAGE_MAX 2048

// Local. Records the message for this thread (replacing an older one) and returns `code`. Where
// memory is limited (base/limits.h), ORR_ENOMEM's message says so, and near that limit
// those of files, which libraries have read, say so, too.
orr_code orr_fail(orr_code code, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
// Local. Says on a debug line that `function` passes on an error that it got.
void orr_pass(const char *file, int line, const char *function) __attribute__((cold));
// Local. This thread's last recorded message; "" when none. Valid until the next orr_fail.
const char *orr_status_message(void);
// Local. Copies this thread's message (at most `size` bytes, always terminated).
void orr_status_copy(char *out, size_t size);
// Local. Makes `message` this thread's message: the way an error crosses threads or ranks.
void orr_status_set(const char *message);
void orr_status_clear(void);
const char *orr_code_name(orr_code code);

#define ORR_FAIL(code, ...) orr_fail((code), __FILE__, __LINE__, __VA_ARGS__)
#define ORR_CHECK(cond, code, ...)                                                                 \
  do {                                                                                             \
    if (!(cond)) return ORR_FAIL((code), __VA_ARGS__);                                             \
  } while (0)
#define ORR_TRY(expr)                                                                              \
  do {                                                                                             \
    orr_code orr_try_code_ = (expr);                                                               \
    if (orr_try_code_ != ORR_OK) {                                                                 \
      orr_pass(__FILE__, __LINE__, __func__);                                                      \
      return orr_try_code_;                                                                        \
    }                                                                                              \
  } while (0)
// For functions with a cleanup ladder: needs a local `orr_code rc`.
#define ORR_TRY_GOTO(expr, label)                                                                  \
  do {                                                                                             \
    rc = (expr);                                                                                   \
    if (rc != ORR_OK) {                                                                            \
      orr_pass(__FILE__, __LINE__, __func__);                                                      \
      goto label;                                                                                  \
    }                                                                                              \
  } while (0)
#define ORR_CHECK_GOTO(cond, label, code, ...)                                                     \
  do {                                                                                             \
    if (!(cond)) {                                                                                 \
      rc = ORR_FAIL((code), __VA_ARGS__);                                                          \
      goto label;                                                                                  \
    }                                                                                              \
  } while (0)

#endif
