// Trials of a policy: from the same starts, with the same chances, in the scene's simulator and in
// a model. One thread at a time; the simulator's pictures belong to the thread that made them.
#ifndef TRAIN_POLICY_TRIALS_H
#define TRAIN_POLICY_TRIALS_H

#include "train/engine/engine.h"
#include "train/infer/episodes.h"
#include "train/infer/carry.h"
#include "train/infer/world_model.h"
#include "train/policy/actor.h"

// N starts: frames that both worlds begin from, and what led from one to the next.
typedef struct {
  int64_t N, prompt, A;
  size_t frame_bytes;
  uint64_t *episode; // [N] of the scene, or of the recordings
  uint8_t *frames;   // [N,prompt,height,width,3]
  float *led;        // [N,prompt,A]; row t led to frame t, row 0 is nothing
} train_starts;

// What became of a policy's trials.
typedef struct {
  int64_t N, horizon, A;
  double *success;  // [N] 0 or 1
  double *progress; // [N] the most that it came to
  double *seen;     // [N] 0 or 1: success by what the pictures of the same world show
  double *surprise; // [N] of a model at its own first frames, nats a token; 0 elsewhere
  double *level;    // [N] the most that the head for progress said DATA_GOALS_HELD frames in a row
  float *actions;   // [N,horizon,A] that were taken
} train_verdicts;

// Local. Memory for N of them, and back. ORR_ENOMEM.
orr_code train_starts_create(int64_t N, int64_t prompt, int64_t A, size_t frame_bytes,
                             train_starts *out);
void train_starts_release(train_starts *s); // Local. Takes one of zeros, too.
// Local. The same.
orr_code train_verdicts_create(int64_t N, int64_t horizon, int64_t A, train_verdicts *out);
void train_verdicts_release(train_verdicts *o); // Local. Takes one of zeros, too.

// -- in the simulator -----------------------------------------------------------------------

typedef struct {
  const train_actor_world *w;
  void *scene;
  float *state, *action; // [Q], [A]
  uint8_t *frame;        // [height,width,3]
  float *seen;           // [Q]
} train_simulator_trials;

// Local. ORR_EUNSUPPORTED without a simulator.
orr_code train_simulator_trials_create(const train_actor_world *w, train_simulator_trials *out);
void train_simulator_trials_release(train_simulator_trials *t);
// Local. Starts from the scene's episodes in which the task is still to be done, in order: nobody
// acts in the first `prompt` frames.
orr_code train_simulator_starts(train_simulator_trials *t, train_starts *s);
// Local. All trials of an actor. An error is the actor's, or the simulator's.
orr_code train_simulator_run(train_simulator_trials *t, const train_starts *s, train_actor *a,
                             train_verdicts *out);
// Local. The frames of trial n under actions [horizon,A]: the `prompt`-th and those that follow,
// [horizon+1,height,width,3].
orr_code train_simulator_show(train_simulator_trials *t, const train_starts *s, int64_t n,
                              const float *actions, int64_t horizon, uint8_t *frames);

// -- in recordings --------------------------------------------------------------------------

// Local. The first episodes of a data set with /success: starts, what was done and what became of
// it. s->N is lowered to how many are long enough. ORR_EINVAL for a set that says nothing of
// success, has no such episode or does not fit.
orr_code train_recorded_read(train_episodes *episodes, int64_t horizon, train_starts *s,
                             train_verdicts *out);

#define TRAIN_MODEL_ARRIVED 0.8 // of the head for progress: there, where no recordings say better
#define TRAIN_MODEL_FIRST   4   // frames at most whose surprise is told of a trial

// -- in a model -----------------------------------------------------------------------------

typedef struct {
  const train_actor_world *w;
  const train_world_model *m;
  train_engine *engine;
  train_codec *codec;
  train_carry *carry; // [places], NULL: without (train/infer/carry.h)
  int32_t branch;
  train_engine_settings settings; // passes, temperatures; seed
  bool by_head;                   // its head for progress judges; else the scene's goals, by colour
  double arrived;                 // what the head has to say of a frame that is there
  int64_t decoded;                // frames so far
  // what follows has w->places rows
  int32_t *tokens;     // [S] of the trials that go on, one after the other
  uint8_t *drawn;      // [height,width,3] the same
  uint8_t *frames;     // [height,width,3] of each place
  double *lately;      // [DATA_GOALS_HELD] what the head said last
  float *padded;       // [2A of the model]
  float *action, *led; // [A]
  float *seen;         // [Q]
  data_goals_watch *watch;
  double *nats; // of the frame that was drawn last, a token
} train_model_trials;

// Local. Borrows w and m. Windows as of rollouts of `frames` frames. by_head where it has the head.
orr_code train_model_trials_create(const train_actor_world *w, const train_world_model *m,
                                   const train_engine_settings *settings, double guidance,
                                   bool carry, int64_t frames, int32_t branch,
                                   train_model_trials *out);
void train_model_trials_release(train_model_trials *t);
// Local. All trials of an actor, or (a NULL) of the actions that are in `out` already. `sample`
// numbers another roll of the model's dice.
orr_code train_model_run(train_model_trials *t, const train_starts *s, train_actor *a,
                         uint64_t sample, train_verdicts *out);
// Local. The frames that the model makes of one trial under actions [horizon,A], as
// train_simulator_show; frame 0 is the last of the prompt as it was given.
orr_code train_model_show(train_model_trials *t, const train_starts *s, int64_t n,
                          const float *actions, int64_t horizon, uint8_t *frames);

#endif
