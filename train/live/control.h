// The words between a page, or a program, and the server: one JSON object a message
// (docs/play.md). {"do": ...} comes in, {"say": ...} goes out.
#ifndef TRAIN_LIVE_CONTROL_H
#define TRAIN_LIVE_CONTROL_H

#include <jansson.h>

#include "train/infer/episodes.h"
#include "train/live/projector.h"
#include "train/live/scribe.h"
#include "train/live/seat.h"

// A data set that sessions can begin from.
typedef struct {
  const char *name;
  train_episodes *episodes;
  train_live_scenery scenery; // that made it
} train_live_set;

// What all seats share.
typedef struct {
  train_live_set *set;
  int sets;
  const char *names[TRAIN_LIVE_WORLDS]; // of the worlds, for people
  double fps;                           // of the data
  int32_t branch;
  int64_t prompt, steps_most;
  train_engine_settings settings; // where a session does not say
  const char *const *action_names;
  const float *action_low, *action_high; // [A_set]
  int64_t A_set;                         // components that a person can give
  float rest;                            // of each, where nobody acts
  train_live_hearing hearing;            // where they are sound
  size_t record_bytes;                   // a session may remember
  bool simulate;                         // the scene of a clip is shown beside the world
  train_live_projector *projector;
  train_live_scribe *scribe; // of sessions that become a data set; NULL = none do
  const char *replay_name;   // a session file to play again; NULL = none
  const uint8_t *replay;
  size_t replay_bytes;
  bool anyway; // also those of other checkpoints
} train_live_house;

// Local. What is said first: {"say": "hello", ...}. NULL = out of memory.
json_t *train_live_control_hello(const train_live_house *h, const train_live_seat *s);
// Local. Does what one message asks for. A wish that cannot be granted is answered by
// {"say": "error", "code": ..., "words": ...} and the session goes on; a failure that is returned
// ends it.
orr_code train_live_control_do(const train_live_house *h, train_live_seat *s, const char *text,
                               size_t size, int64_t now_ns);
// Local. Says an object, which it takes over; NULL = there was no memory for it.
orr_code train_live_control_say(train_live_seat *s, json_t *j);
// Local. {"say": "started", ...}, {"say": "state", ...}
orr_code train_live_control_started(train_live_seat *s);
orr_code train_live_control_state(train_live_seat *s);
// Local. {"say": "sound", ...}: of the sound that acts, or that none does.
orr_code train_live_control_sound(train_live_seat *s);
// Local. Before a frame: what is heard acts, and a file that is over is said to be.
orr_code train_live_control_hear(const train_live_house *h, train_live_seat *s, int64_t now_ns);
// Local. Nobody acts until somebody does.
void train_live_control_rest(const train_live_house *h, train_live_seat *s);
// Local. {"say": SAY, "words": WORDS}
orr_code train_live_control_note(train_live_seat *s, const char *say, const char *words);
// Local. Tells a peer of a failure, or says goodbye.
orr_code train_live_control_error(train_live_seat *s, const char *code, const char *words);

#endif
