// What a shell, a container or a batch system limits this process to (ulimit, setrlimit): words for
// messages, so that a limit is blamed where it is one.
#ifndef ORR_LIMITS_H
#define ORR_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Local. The smaller of the limits on address space and on data, in bytes; 0 = neither is limited.
uint64_t orr_limits_memory(void);
// Local. True when less than 64 MiB are left of it: what a library could not do then, it may have
// had out of memory for, whatever it says.
bool orr_limits_memory_near(void);
// Local. The limit on the size of a file, in bytes; 0 = none.
uint64_t orr_limits_file(void);
// Local. "; files are limited to ..." or "" where they are not: after a write that made one too
// large.
void orr_limits_file_words(char *out, size_t size);
// Local. "; ... (ulimit -u)" where the number of threads is limited, or "".
void orr_limits_thread_words(char *out, size_t size);
// Local. Bytes that this process has in memory now; 0 = not known.
uint64_t orr_memory_resident(void);
// Local. Bytes of its address space now; 0 = not known.
uint64_t orr_memory_space(void);
// Local. " (... ulimit -v ...)" with the limit and what is taken of it, or "" where memory is not
// limited. Safe in a handler of signals.
void orr_limits_memory_words(char *out, size_t size);

#endif
