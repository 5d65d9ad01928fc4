// Where the time of a step goes on this rank. Every moment of a step is in exactly one phase: the
// innermost one entered, or, while a rank waits inside a collective, that of its axis (but within a
// checkpoint that phase). What moves
// while the rank computes is counted beside that, as hidden. Host clock: on a device that runs
// ahead of the host a phase says when its ops were called (train/timing/timer.h tells how long they
// took, and metrics.jsonl has that instead).
//
// While tracing, every phase and collective is kept as a span too (train/observe/trace.h writes
// them), and a tool that watches the program is told of them as they begin and end
// (kernels/range.h). One thread; functions take NULL and do nothing then.
#ifndef TRAIN_PROFILE_H
#define TRAIN_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "dist/recorder.h"

typedef enum {
  TRAIN_PHASE_OTHER,
  TRAIN_PHASE_DATA,       // waiting for clips
  TRAIN_PHASE_INPUT,      // masks, copies of the batch
  TRAIN_PHASE_FORWARD,    //
  TRAIN_PHASE_BACKWARD,   //
  TRAIN_PHASE_OPTIMIZER,  // norm, clipping, update
  TRAIN_PHASE_CHECKPOINT, // waiting for a checkpoint
  TRAIN_PHASE_AXIS,       // and one for each axis: inside its collectives
  TRAIN_PHASES = TRAIN_PHASE_AXIS + DIST_AXES
} train_phase;

// Milliseconds of one step; NaN = not known.
typedef struct {
  double phase[TRAIN_PHASES];
  double hidden[DIST_AXES]; // in flight while the rank did something else
  double cpu; // the calling thread's computing time in inputs, forward, backward and optimizer
} train_times;

// One stretch of time on this rank's monotonic clock.
typedef struct {
  int64_t from_ns, to_ns;
  train_phase phase;
  bool flight;      // of a collective that was started and left
  const char *name; // of a phase; NULL for a collective
  int64_t index;    // of the name, -1 = none
  dist_call call;
} train_span;

typedef struct train_profile train_profile;

// Local. "forward", ...; the name of the axis for its phase.
const char *train_phase_name(train_phase p);

// Local. Listens to `recorder`'s calls until destroyed. ORR_ENOMEM.
orr_code train_profile_create(struct dist_recorder *recorder, train_profile **out);
void train_profile_destroy(train_profile *p);

// Local. Step number `step` begins, and ends with its times in *out.
void train_profile_begin(train_profile *p, int64_t step);
void train_profile_end(train_profile *p, train_times *out);
// Local. The step ends, with its times in *out, and number `step` begins in the same moment.
void train_profile_turn(train_profile *p, int64_t step, train_times *out);
// Local. Into a phase and back to the one around; up to 16 deep. `name` lives as long as the
// program; with an index >= 0 it is one of several: "block 3".
void train_profile_enter(train_profile *p, train_phase phase, const char *name, int64_t index);
void train_profile_leave(train_profile *p);

// Local. Room for `room` spans, kept from now on; later ones are dropped and counted. ORR_ENOMEM.
orr_code train_profile_trace(train_profile *p, int64_t room);
// Local. What was kept, in the order of their ends; no more are kept from now on. Gone with the
// profile.
int64_t train_profile_spans(train_profile *p, const train_span **spans, int64_t *dropped);

#endif
