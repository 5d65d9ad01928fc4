#define _GNU_SOURCE // unshare
#include "base/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/limits.h"

// -- system calls -----------------------------------------------------------------------------

// Calls of the kernel's table that are let through whatever their arguments. Those of one
// architecture alone stand in a block of their own.
static const int harmless[] = {
    __NR_read,
    __NR_write,
    __NR_readv,
    __NR_writev,
    __NR_pread64,
    __NR_lseek,
    __NR_close,
    __NR_fstat,
    __NR_statx,
    __NR_faccessat,
    __NR_readlinkat,
    __NR_getdents64,
    __NR_getcwd,
    __NR_fcntl,
    __NR_brk,
    __NR_mmap,
    __NR_munmap,
    __NR_mremap,
    __NR_mprotect,
    __NR_madvise,
    __NR_futex,
    __NR_exit,
    __NR_exit_group,
    __NR_rt_sigaction,
    __NR_rt_sigreturn,
    __NR_rt_sigprocmask,
    __NR_sigaltstack,
    __NR_clock_gettime,
    __NR_gettimeofday,
    __NR_nanosleep,
    __NR_clock_nanosleep,
    __NR_clock_getres,
    __NR_getpid,
    __NR_gettid,
    __NR_getuid,
    __NR_geteuid,
    __NR_getgid,
    __NR_getegid,
    __NR_getrandom,
    __NR_sched_yield,
    __NR_uname,
    __NR_sched_getaffinity,
    __NR_ppoll,
    __NR_restart_syscall,
#ifdef __NR_newfstatat
    __NR_newfstatat,
#endif
#ifdef __x86_64__
    __NR_stat,
    __NR_lstat,
    __NR_access,
    __NR_readlink,
    __NR_poll,
    __NR_arch_prctl,
    __NR_time,
    __NR_getrlimit,
#endif
};

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

enum { PROGRAM_MAX = 2 * (int)(sizeof harmless / sizeof *harmless) + 40 };

typedef struct {
  struct sock_filter line[PROGRAM_MAX];
  unsigned short lines;
} program;

static void add(program *p, unsigned short code, uint8_t yes, uint8_t no, uint32_t k) {
  if (p->lines < PROGRAM_MAX) p->line[p->lines++] = (struct sock_filter){code, yes, no, k};
}
static void load(program *p, size_t offset) {
  add(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}
static void answer(program *p, uint32_t verdict) {
  add(p, BPF_RET | BPF_K, 0, 0, verdict);
}
static void load_number(program *p) {
  load(p, offsetof(struct seccomp_data, nr));
}

#ifdef ARCHITECTURE
static size_t argument(int i) { // its lower half: both architectures are little-endian
  return offsetof(struct seccomp_data, args) + 8 * (size_t)i;
}

static void refuse(program *p, int error) {
  answer(p, SECCOMP_RET_ERRNO | (uint32_t)error);
}

// Files are opened to be read, and none are made.
static void allow_reading(program *p, int number, int flags_at) {
  add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (uint32_t)number);
  load(p, argument(flags_at));
  add(p, BPF_JMP | BPF_JSET | BPF_K, 1, 0, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND);
  answer(p, SECCOMP_RET_ALLOW);
  refuse(p, EPERM);
}

// A call whose first argument is `wanted`.
static void allow_with(program *p, int number, uint32_t wanted) {
  add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (uint32_t)number);
  load(p, argument(0));
  add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, wanted);
  answer(p, SECCOMP_RET_ALLOW);
  refuse(p, EPERM);
}

static void begin(program *p) {
  load(p, offsetof(struct seccomp_data, arch));
  add(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCHITECTURE);
  answer(p, SECCOMP_RET_KILL_PROCESS);
  load_number(p);
}
#endif

static orr_code install(const program *p) {
  const struct sock_fprog f = {p->lines, (struct sock_filter *)p->line};
  ORR_CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &f) == 0, ORR_EUNSUPPORTED,
            "this system does not confine a process (seccomp: %s)", strerror(errno));
  return ORR_OK;
}

static orr_code filter_calls(void) {
#ifdef ARCHITECTURE
  program p = {.lines = 0};
  begin(&p);
  for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
    add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)harmless[i]);
    answer(&p, SECCOMP_RET_ALLOW);
  }
  allow_with(&p, __NR_tgkill, (uint32_t)getpid()); // abort() sends its signal so
  allow_with(&p, __NR_prctl, PR_SET_SECCOMP);      // to be confined further
#ifdef __NR_open
  allow_reading(&p, __NR_open, 1);
#endif
  allow_reading(&p, __NR_openat, 2);
  refuse(&p, EPERM);
  return install(&p);
#else
  return ORR_FAIL(ORR_EUNSUPPORTED, "a process cannot be confined on this architecture");
#endif
}

// A second filter: the stricter answer of both holds.
orr_code orr_confine_seal(void) {
#ifdef ARCHITECTURE
  program p = {.lines = 0};
  begin(&p);
#ifdef __NR_open
  add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, __NR_open);
  refuse(&p, EPERM);
#endif
  add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, __NR_openat);
  refuse(&p, EPERM);
  answer(&p, SECCOMP_RET_ALLOW);
  return install(&p);
#else
  return ORR_FAIL(ORR_EUNSUPPORTED, "a process cannot be confined on this architecture");
#endif
}

// -- everything else --------------------------------------------------------------------------

static bool is_kept(const orr_confinement *c, int fd) {
  for (int i = 0; i < c->kept; i++)
    if (c->keep[i] == fd) return true;
  return fd <= STDERR_FILENO;
}

// By ranges between kept ones; one by one where the kernel has no such call.
static void close_others(const orr_confinement *c) {
  struct rlimit l = {0};
  getrlimit(RLIMIT_NOFILE, &l);
  const int bound = l.rlim_cur < 65536 ? (int)l.rlim_cur : 65536;
  int last = STDERR_FILENO;
  for (int i = 0; i < c->kept; i++) last = c->keep[i] > last ? c->keep[i] : last;
  for (int fd = STDERR_FILENO + 1; fd < last; fd++)
    if (!is_kept(c, fd)) close(fd);
#ifdef __NR_close_range
  if (syscall(__NR_close_range, (unsigned)last + 1, ~0U, 0) == 0) return;
#endif
  for (int fd = last + 1; fd < bound; fd++) close(fd);
}

// Keys of a cloud may stand there; they are overwritten, not only forgotten.
static void forget_environment(void) {
  extern char **environ;
  for (char **e = environ; e && *e; e++) memset(*e, 0, strlen(*e));
  clearenv();
}

static orr_code limit(int resource, const char *name, uint64_t value) {
  const struct rlimit l = {value, value};
  ORR_CHECK(setrlimit((__rlimit_resource_t)resource, &l) == 0, ORR_EIO, "cannot limit %s: %s", name,
            strerror(errno));
  return ORR_OK;
}

static orr_code limit_resources(const orr_confinement *c) {
  ORR_TRY(limit(RLIMIT_CORE, "core dumps", 0));
  ORR_TRY(limit(RLIMIT_FSIZE, "files", 0));
  const uint64_t taken = orr_memory_space(), now = orr_limits_memory();
  if (now == 0 || taken + c->memory_bytes < now)
    ORR_TRY(limit(RLIMIT_AS, "memory", taken + c->memory_bytes));
  return ORR_OK;
}

static void drop_capabilities(void) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}};
  for (unsigned long i = 0; prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0; i++) {
  }
  syscall(__NR_capset, &head, none); // without any there is nothing to drop
}

static orr_code confine(const orr_confinement *c) {
  forget_environment();
  close_others(c);
  // Not everybody may; the filter of calls holds without.
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) != 0) (void)unshare(CLONE_NEWNET);
  drop_capabilities();
  ORR_TRY(limit_resources(c));
  ORR_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, ORR_EUNSUPPORTED,
            "this system does not confine a process (PR_SET_NO_NEW_PRIVS: %s)", strerror(errno));
  prctl(PR_SET_DUMPABLE, 0);
  return filter_calls();
}

// -- the process ------------------------------------------------------------------------------

// What does not fit into a pipe that nobody empties is lost.
static void redirect(int output) {
  const int nothing = open("/dev/null", O_RDONLY);
  fcntl(output, F_SETFL, O_NONBLOCK);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
}

// _exit: the parent's buffers and handlers are not the child's to run.
static _Noreturn void live(const orr_confinement *c, void (*life)(void *ctx, orr_code confined),
                           void *ctx, pid_t parent) {
  static const int usual[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGINT, SIGPIPE};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1); // the parent died before the line above
  for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) signal(usual[i], SIG_DFL);
  redirect(c->output);
  life(ctx, confine(c));
  _exit(0);
}

orr_code orr_confined_start(const orr_confinement *c, void (*life)(void *ctx, orr_code confined),
                            void *ctx, pid_t *pid) {
  const pid_t parent = getpid();
  *pid = fork();
  if (*pid == 0) live(c, life, ctx, parent);
  ORR_CHECK(*pid > 0, ORR_EIO, "cannot start a process: %s", strerror(errno));
  return ORR_OK;
}
