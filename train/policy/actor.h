// Somebody who acts in trials: sees frames, says actions. The same somebody acts in a simulator and
// in a model's frames, and cannot tell which. Kinds: a scene's scripted expert who sees by colour
// (`expert`, `expert:noise=0.3,delay=2`: data/sim/skill.h), a server of openpi's protocol
// (`ws://HOST:PORT`, train/policy/policy.h), and any other program, which is started and spoken to
// in lines of JSON (train/policy/program.h).
//
// Many trials may be under way at once, each at a place of its own. What an actor does not do in
// time, or does wrongly, is an error that names it. One thread at a time.
#ifndef TRAIN_POLICY_ACTOR_H
#define TRAIN_POLICY_ACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/sim/scene.h"
#include "train/policy/policy.h"

enum { TRAIN_ACTOR_PLACES_MAX = 64 };

// What all actors of an evaluation are told. Outlives them.
typedef struct {
  const data_scene *scene; // NULL = none that is known
  int task;                // of its goals
  const char *task_name;   // "" = none
  double fps;
  int64_t height, width; // of a frame
  int64_t A;             // components of an action
  const char *const *action_names;
  uint64_t seed;     // of the chances that trials bring
  int64_t places;    // trials under way at once, at most TRAIN_ACTOR_PLACES_MAX
  double patience_s; // within which an answer has to come
  int64_t replan;    // actions of a chunk that are taken before the next is asked for; 0 = all
  const char *key;   // of a server
  const train_policy_part *part; // what a server is shown
  int parts;
} train_actor_world;

typedef struct train_actor train_actor;
typedef struct train_actor_kind train_actor_kind;

// What a kind of actor is: its calls, whose `self` is its own.
struct train_actor_kind {
  // Local. `words` is what follows the kind's own name.
  orr_code (*open)(const train_actor_world *w, const char *words, void **self);
  void (*close)(void *self); // takes NULL
  orr_code (*begin)(void *self, int64_t place, uint64_t trial);
  // Local. Sees a frame to which `led` [A] led (NULL: the first), and no action is asked for.
  // NULL: it needs no frame but the one it is asked about.
  orr_code (*watch)(void *self, int64_t place, const uint8_t *frame, const float *led);
  // Local. The same, and one answer: *chunk [*rows,A] is the actor's own until the next call.
  orr_code (*ask)(void *self, int64_t place, const uint8_t *frame, const float *led,
                  const float **chunk, int64_t *rows);
};

extern const train_actor_kind train_actor_expert;
extern const train_actor_kind train_actor_served;
extern const train_actor_kind train_actor_program;

// Local. `text` as above; `w` and `text` are borrowed. ORR_ECONFIG, ORR_EIO, ORR_ENOMEM, and what
// the kind says of a server or a program that is not there.
orr_code train_actor_open(const char *text, const train_actor_world *w, train_actor **out);
void train_actor_close(train_actor *a); // takes NULL
const char *train_actor_name(const train_actor *a);
// Local. Trial `trial` begins at `place`.
orr_code train_actor_begin(train_actor *a, int64_t place, uint64_t trial);
// Local. One frame of that trial, in order: `led` [A] led to it, NULL: it is the first one.
orr_code train_actor_watch(train_actor *a, int64_t place, const uint8_t *frame, const float *led);
// Local. One frame, and the action [A] (=) that is to follow, each component in [-1,1]. Of a chunk
// that was answered before the next one is taken.
orr_code train_actor_act(train_actor *a, int64_t place, const uint8_t *frame, const float *led,
                         float *action);
// Seconds that the slowest answer took.
double train_actor_slowest_s(const train_actor *a);

#endif
