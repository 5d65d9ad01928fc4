// One session: somebody acts in a world, or under the same actions in two. Frames follow from its
// record (train/live/record.h) alone; when they are decoded, and with whom, is the server's affair.
//
// Going back: a session keeps what the engine knows at a few frames, the newest closest together.
// From the one before the frame that is wanted it plays its record again, unseen, until there.
#ifndef TRAIN_LIVE_SESSION_H
#define TRAIN_LIVE_SESSION_H

#include "train/live/record.h"
#include "train/live/wire.h"
#include "train/live/world.h"

enum { TRAIN_LIVE_WORLDS = 2, TRAIN_LIVE_SESSIONS_MAX = 64 };

// What a session looked like after some frame.
typedef struct {
  int64_t frame; // its number; -1 = unused
  orr_hash128 chain;
  void *state[TRAIN_LIVE_WORLDS]; // train_engine_state_bytes
} train_live_snapshot;

typedef struct {
  train_live_world *world[TRAIN_LIVE_WORLDS]; // [worlds]
  int worlds;
  int32_t slot; // in the engines of all worlds
  bool begun;
  train_record record;
  float *action;     // [2A]: what leads to the next frame, and which components are valid
  int64_t frame;     // number of the next one, prompt included
  int64_t goal;      // frames before it are played from the record, unseen
  orr_hash128 chain; // of the frames up to there
  bool fresh;        // frames have come since it began that no file has
  bool replays;      // a record that came from a file, until its end
  bool checks;       // it is of this model: its chain must come out
  int64_t differs;   // first frame after which it did not; -1 = none
  train_live_snapshot *snapshot;
  int64_t snapshots, snapshot_every;
  // of the last frame
  uint8_t *pixels[TRAIN_LIVE_WORLDS]; // [height,width,3]
  double nll[TRAIN_LIVE_WORLDS];      // a token
  train_wire_outcome said[TRAIN_LIVE_WORLDS];
  orr_hash128 hash[TRAIN_LIVE_WORLDS];
  double decode_ms;
  // the next frame, decoded before its action is known
  bool ahead;
  float *ahead_action; // [2A] what it was decoded under
  uint8_t *ahead_pixels[TRAIN_LIVE_WORLDS];
  double ahead_nll[TRAIN_LIVE_WORLDS];
  train_wire_outcome ahead_said[TRAIN_LIVE_WORLDS];
} train_live_session;

// Local. A session at place `slot` of the worlds, all of the same frame size and components. All
// memory but the record's is taken here: snapshots within `snapshot_bytes`, at least two.
// ORR_ENOMEM.
orr_code train_live_session_create(train_live_world *const *worlds, int count, int32_t slot,
                                   size_t snapshot_bytes, train_live_session *s);
void train_live_session_release(train_live_session *s);
size_t train_live_session_bytes(const train_live_session *s);

// How a session begins.
typedef struct {
  int64_t prompt;        // frames given, 1 or more
  const uint8_t *frames; // [prompt,height,width,3]; NULL: `tokens` are given
  const int32_t *tokens; // [prompt,S]
  const float *actions;  // [prompt-1,A_set]
  int64_t A_set;         // components that the actions have
  double fps;
  int32_t branch;
  train_engine_settings settings;
  json_t *start, *mapping; // borrowed
} train_live_start;

// Local. Encodes the prompt once and gives it to the engines. ORR_EINVAL.
orr_code train_live_session_begin(train_live_session *s, const train_live_start *start,
                                  size_t most_record_bytes);
// Local. Whether the session can play a record. ORR_EINVAL names both checkpoints where they
// differ, unless `anyway`.
orr_code train_live_session_fits(const train_live_session *s, const train_record *r, bool anyway);
// Local. The session of a record, which it takes over; it stands at its beginning, and its goal is
// the record's end. ORR_EINVAL where it does not fit.
orr_code train_live_session_load(train_live_session *s, train_record *r, bool anyway);

// Local. What leads to the next frame: A_set components of a person or a program.
void train_live_session_act(train_live_session *s, const float *action, int64_t components);
// Local. Decodes the next frame of each of n sessions of the same worlds and number of passes.
// Those with a goal ahead take the action of their record.
orr_code train_live_session_step(train_live_session *const *s, int64_t n);
// Local. What can wait until the frames of a step are on their way: the engines append them, and
// sessions remember where they are.
orr_code train_live_session_settle(train_live_session *const *s, int64_t n);
// Local. Decodes the next frame of each of n such sessions, none of them ahead or catching up,
// under the action that is held now: step takes it where that is still the action, and drops it
// otherwise.
orr_code train_live_session_look_ahead(train_live_session *const *s, int64_t n);
// Local. Back to where frame `frame` is the last one (prompt - 1 at least). What followed is
// forgotten. Decoding goes on unseen until s->frame == s->goal. ORR_EINVAL.
orr_code train_live_session_back(train_live_session *s, int64_t frame);
// Local. Whether frames are still missing to where the session was sent.
static inline bool train_live_session_catching_up(const train_live_session *s) {
  return s->begun && s->frame < s->goal;
}

#endif
