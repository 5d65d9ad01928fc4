// The engine of everything that acts in a world model: sessions, each at a frame of its own with
// keys and values of its own (train/engine/rings.h), whose next frames are decoded together.
//
// A frame is decoded in a few passes from a wholly masked one (MaskGIT, Chang et al. 2022) and then
// committed: one more pass puts its keys and values into the session's ring. At frame t a time
// block sees the current frame, the `window` - 1 frames before it, and frame 0 as attention sink
// (Xiao et al. 2024). Keys are kept rotated by their frame number, so scores depend on distances
// alone; once frame 0 has left the window its distance stays at `window`. Clips of T frames hold
// distances up to T - 1, so a window of at most T - 1 (train_engine_window) keeps every distance
// inside the range that training saw: a session never has to end. Up to frame `window` this equals
// the full forward pass.
//
// Invariants: a frame's bits follow from the weights, the session's settings and what led to it.
// They do not depend on the sessions decoded with it, nor on the number of threads (weights are
// packed: train/model/packed.h). Nothing is allocated between create and destroy. On a device a
// frame is one replayed capture, and sessions follow one another, as the libraries' products choose
// their order of sums by the number of rows.
//
// A memory (train/engine/memory.h) keeps some of the frames that leave the window. A frame sees
// them as it sees frame 0 then: at the distance of the window, the longest that training held. A
// frame costs that many more keys and values to look at in a time block, and as many to hold. With
// `moves` it sees those alone that show what its action leads to.
//
// Heads on the registers (train/model/registers.h) speak of a frame whose tokens are all there, in
// the pass that appends it. With such heads a frame is therefore appended as soon as it is decoded,
// and that pass runs through all blocks.
//
// Guidance (Ho & Salimans 2022) asks for more of what the action that led to the frame at hand
// makes likelier: each pass runs twice, with the action and with `no_action` in its place, which
// training has seen (model.action_drop). The frames before keep theirs. A frame without an action
// has none to be guided by: both are the same.
//
// S positions, N tokens a frame, A actions, V codes. One thread at a time.
#ifndef TRAIN_ENGINE_H
#define TRAIN_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "configs/config.h"
#include "kernels/kern.h"
#include "train/engine/pose.h"
#include "train/model/dynamics.h"

typedef struct {
  int64_t sessions; // that exist at once
  int64_t batch;    // at most that many frames are decoded at once
  int64_t window;   // frames a time block sees, the current one included, besides frame 0
  int64_t steps;    // most passes a frame that a session asks for
  int64_t ahead;    // frames that a session can be taken back at least
  int64_t memory;   // frames that stay when they leave the window, besides frame 0
  const train_pose_moves *moves; // how actions move the view (copied); NULL: likeness decides
  double guidance; // w >= 0: codes are drawn from (1 + w) logits - w logits without the action
} train_engine_options;

// Of one session.
typedef struct {
  int64_t steps;             // passes a frame (K)
  double temperature;        // of the drawn codes; 0 = the likeliest
  double choice_temperature; // Gumbel noise on the confidence that orders the positions
  uint64_t seed, sample;     // keys of the random numbers: sessions that share both share draws
} train_engine_settings;

// One session's next frame.
typedef struct {
  int32_t session;
  int32_t branch;
  bool has_action;     // else it is not known what led to the frame
  const float *action; // [2A]: action * valid, valid; host memory, as is `tokens`
  int32_t *tokens;     // [S] in of push, out of decode
  double nll;          // out of decode: -log probability of the tokens, each when it was drawn
  // Out of push, and of decode and next, where the model has such heads on its registers (else
  // NaN): what the action that led to the frame earned, the chance that the episode is over, and
  // the share of the way to success times the chance to arrive (data/shard/outcomes.h).
  double reward, done, progress;
} train_engine_frame;

typedef struct train_engine train_engine;

// The window of a rollout of `frames` frames, prompt included, by a model trained with `c`: at most
// model.window, no distance that data.frames did not hold, and no more than there is to see.
int64_t train_engine_window(const cfg *c, int64_t frames);
// Local. Borrows k (committed), p and w. All memory is taken here. ORR_EINVAL, ORR_ENOMEM.
orr_code train_engine_create(kern *k, const train_dynamics_dims *d, const train_dynamics_params *p,
                             const train_weights *w, const train_engine_options *o,
                             train_engine **out);
void train_engine_destroy(train_engine *e);       // takes NULL
size_t train_engine_bytes(const train_engine *e); // taken by create

// Local. The session is at frame 0, whatever it was before. ORR_EINVAL.
orr_code train_engine_begin(train_engine *e, int32_t session, const train_engine_settings *s);
int64_t train_engine_at(const train_engine *e, int32_t session); // number of the next frame
// Local. Numbers of the frames that the next one sees because they stay, the oldest first, into
// frames [memory]; returns how many.
int64_t train_engine_remembered(const train_engine *e, int32_t session, int64_t *frames);
// Local. Appends known frames, one of each of n different sessions.
orr_code train_engine_push(train_engine *e, train_engine_frame *f, int64_t n);
// Local. Decodes the next frames of n different sessions, which take the same number of passes.
// They are appended by the next call of commit alone: what is done with a frame goes first. Heads
// on the registers change that: see above.
orr_code train_engine_decode(train_engine *e, train_engine_frame *f, int64_t n);
// Local. Appends the frames of the last decode; nothing where that was done before.
orr_code train_engine_commit(train_engine *e);
// Local. Both.
orr_code train_engine_next(train_engine *e, train_engine_frame *f, int64_t n);
// Local. Takes back the last `frames` frames, at most `ahead` of the options, and none twice: what
// follows is as if they had never been appended. ORR_EINVAL.
orr_code train_engine_back(train_engine *e, int32_t session, int64_t frames);
// Local. Logits [n*S,V] of the next frames if their tokens were these; appends nothing.
orr_code train_engine_logits(train_engine *e, train_engine_frame *f, int64_t n, float *logits);

// Local. All that a session is, to and from train_engine_state_bytes of host memory: into any
// session of an engine of the same model and options.
size_t train_engine_state_bytes(const train_engine *e);
orr_code train_engine_save(train_engine *e, int32_t session, void *state);
orr_code train_engine_load(train_engine *e, int32_t session, const void *state);

#endif
