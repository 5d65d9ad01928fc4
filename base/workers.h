// Worker processes that share a list of jobs: fork, take the next job until none is left, and say
// what went wrong. Call it before the process has threads, and with neither an OpenGL context nor
// an HDF5 file open: those do not cross a fork.
#ifndef ORR_WORKERS_H
#define ORR_WORKERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define ORR_NOTE_MAX 4352 // room for a path

// In memory that parent and workers share.
typedef struct orr_board {
  int64_t jobs;
  _Atomic int64_t next_job;
  _Atomic int64_t progress; // in the caller's unit; workers add to it
  atomic_bool stop;         // workers leave their job unfinished
  atomic_flag failed;       // taken by the first to fail, who owns code and message
  orr_code code;
  char message[ORR_STATUS_MESSAGE_MAX];
  int count; // workers
  struct {
    _Atomic int pid;
    int allowed_s;
    char doing[ORR_NOTE_MAX];
  } notes[]; // [count]
} orr_board;

// Local, in a worker. The number of the next job, or -1 when none is left or a worker failed.
int64_t orr_board_take(orr_board *b);

// Local, in a worker. Notes what the worker is about to do, such as "reading x.h5": it is part of
// the message when a library takes the worker down. Cut when long; `b` may be NULL.
void orr_board_note(orr_board *b, const char *doing);

// Local, in a worker. The worker may compute for `seconds` from now until the next call, then it is
// ended and the message says what it was about to do: a library may loop for ever over a damaged
// file. Waiting, for a disk or for a core, costs nothing of it. 0: no limit. `b` may be NULL.
void orr_board_allow(orr_board *b, int seconds);

// Of the first worker that a signal ended.
typedef struct {
  bool happened;
  char doing[ORR_NOTE_MAX]; // its note
} orr_worker_crash;

typedef struct {
  int count;
  int64_t jobs;
  // A worker's life: takes jobs from the board until there is none.
  orr_code (*work)(void *ctx, orr_board *b);
  // In the parent, about ten times a second and at the end; may be NULL.
  void (*report)(void *ctx, int64_t progress);
  void *ctx;
  orr_worker_crash *crash; // zeroed by the caller; may be NULL
} orr_workers;

// Local. Runs the workers and waits for all of them, whatever happens. A worker that fails or dies
// stops the others; the first failure's code and message become the caller's.
orr_code orr_workers_run(const orr_workers *w);

#endif
