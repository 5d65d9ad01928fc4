// A library with the interface of gym3's environments, as a shared object of its own: what
// tests/data/sim/test_libenv.c and test_coinrun.c load in place of a real game. A level's number
// says how it behaves. Frames: byte 0 the level, 1 the step, 2 the action that led to it.
#include "tests/data/sim/fake_libenv.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/sim/libenv.h"

typedef struct {
  int32_t level;
  int step;
  libenv_buffers *b;
} fake;

#define DECLARE(type, name, arguments) type libenv_##name arguments;
LIBENV_FUNCTIONS(DECLARE)
#undef DECLARE

int libenv_version(void) {
  return LIBENV_VERSION;
}

static const libenv_option *find(libenv_options o, const char *name) {
  for (int i = 0; i < o.count; i++)
    if (strcmp(o.items[i].name, name) == 0) return &o.items[i];
  return NULL;
}

void *libenv_make(int environments, libenv_options options) {
  const libenv_option *level = find(options, "start_level"), *root = find(options, "resource_root");
  fake *f = calloc(1, sizeof *f);
  if (!f || environments != 1 || !level || level->dtype != LIBENV_INT32 || !root) return NULL;
  if (((const char *)root->data)[root->count - 1] != '/') return NULL;
  f->level = *(const int32_t *)level->data;
  if (f->level == FAKE_NOTHING) return NULL;
  return f;
}

int libenv_get_tensortypes(void *environment, int space, libenv_tensortype *types) {
  const fake *f = environment;
  libenv_tensortype t = {.dtype = LIBENV_INT32};
  if (space == LIBENV_OBSERVATION)
    t = (libenv_tensortype){.name = "rgb",
                            .dtype = LIBENV_UINT8,
                            .shape = {FAKE_SIDE, f->level == FAKE_OTHER_SIDE ? 32 : FAKE_SIDE, 3},
                            .ndim = 3};
  if (space == LIBENV_ACTION) t.high.int32 = 14;
  if (types) *types = t;
  return 1;
}

static void draw(const fake *f) {
  uint8_t *frame = f->b->ob[0];
  memset(frame, 40 + f->step, FAKE_SIDE * FAKE_SIDE * 3);
  frame[0] = (uint8_t)f->level;
  frame[1] = (uint8_t)f->step;
  frame[2] = f->step ? (uint8_t) * (const int32_t *)f->b->ac[0] : 255;
}

void libenv_set_buffers(void *environment, libenv_buffers *buffers) {
  fake *f = environment;
  f->b = buffers;
  *(int32_t *)buffers->info[0] = f->level;
  if (f->level == FAKE_CRASHES_AT_ONCE) abort();
  draw(f);
}

void libenv_observe(void *environment) {}

static int open_descriptors(void) {
  int n = 0;
  for (int fd = 3; fd < 200; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

// Tries what it may not: bits of what it could.
static int misbehave(void) {
  int could = 0;
  could |= (socket(AF_INET, SOCK_STREAM, 0) >= 0) << 0;
  could |= (open("/tmp/orrery-fake-libenv", O_WRONLY | O_CREAT, 0600) >= 0) << 1;
  could |= (open("/etc/passwd", O_RDONLY) >= 0) << 2;
  const pid_t child = fork();
  if (child == 0) _exit(0);
  could |= (child > 0) << 3;
  could |= (kill(getppid(), 0) == 0) << 4;
  could |= (getenv("PATH") != NULL) << 5;
  could |= (open_descriptors() != 1) << 6; // the one to its parent
  could |= (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0) << 7;
  could |= (malloc((size_t)8 << 30) != NULL) << 8;
  could |= (setuid(0) == 0) << 9;
  could |= (unlink("/tmp/orrery-fake-libenv-kept") == 0) << 10;
  return could;
}

static void scribble(void) {
  for (int fd = 3; fd < 200; fd++)
    if (write(fd, "anything", 8) < 0) continue;
}

void libenv_act(void *environment) {
  fake *f = environment;
  f->step++;
  *f->b->rew = 0;
  *f->b->first = 0;
  switch (f->level) {
  case FAKE_CRASHES:
    raise(SIGSEGV);
    break;
  case FAKE_HANGS:
    for (;;) pause();
  case FAKE_LEAVES:
    printf("no such picture\n");
    fflush(stdout);
    _exit(3);
  case FAKE_REWARDS_NAN:
    *f->b->rew = NAN;
    break;
  case FAKE_SCRIBBLES:
    scribble();
    break;
  case FAKE_MISBEHAVES:
    *f->b->rew = (float)misbehave();
    break;
  default:
    break;
  }
  if (f->step == FAKE_STEPS(f->level)) { // as the real one: the frame is that of the next episode
    f->step = 0;
    *f->b->rew = 10;
    *f->b->first = 1;
  }
  draw(f);
}

void libenv_close(void *environment) {
  free(environment);
}
