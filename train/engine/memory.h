// Which frames of a session stay beside frame 0 when they leave the window: at most `most`, those
// that are least alike. A frame that leaves is taken in; where there are too many, of the two that
// share the most codes at their places the older one goes, so what stays shows different places,
// each as it was last seen. Work of most^2 S / 2 comparisons a frame, on the host.
//
// Where actions say how one moves (train/engine/pose.h) poses take the place of codes: the frame
// goes whose view the others show most (sum of overlaps; of equal ones the oldest), and a frame
// sees of what stays those alone whose view overlaps the one that its own action leads to by
// TRAIN_MEMORY_SHOWN or more. Work of most^2 overlaps a frame.
//
// A session can be taken back: what a frame sees is kept for the last `ahead` frames, and a slot is
// used again only when none of them sees it.
#ifndef TRAIN_ENGINE_MEMORY_H
#define TRAIN_ENGINE_MEMORY_H

#include <stdint.h>

#include "base/status.h"
#include "train/engine/pose.h"

enum { TRAIN_MEMORY_MOST = 1024 };
#define TRAIN_MEMORY_SHOWN 0.5

typedef struct {
  int64_t sessions, most, window, ahead, S;
  int64_t slots, history, past; // per session: slots, frames whose sets are kept, frames with codes
  const train_pose_moves *moves; // NULL: by likeness of codes
  int32_t *shown;                // [most] of the last call of seen
  unsigned char *all;            // [sessions] states
  size_t bytes;                  // of one
} train_memory;

// Local. most 0: nothing stays, and no other function may be called but release. ORR_EINVAL for a
// window of one frame, ORR_ENOMEM; release also then.
orr_code train_memory_init(train_memory *m, int64_t sessions, int64_t most, int64_t window,
                           int64_t ahead, int64_t S, const train_pose_moves *moves);
void train_memory_release(train_memory *m); // takes zeros

// Local. The session begins.
void train_memory_begin(train_memory *m, int64_t session);
// Local. What leads to frame t is known: action [A], NULL = nothing. With moves it goes before seen
// and append; the same again changes nothing.
void train_memory_move(train_memory *m, int64_t session, int64_t t, const float *action);
// Local. Slots of the frames that frame t sees, the oldest first: [most], -1 after the last one. t:
// the next frame, or one of the `ahead` before it. Valid until the next call.
const int32_t *train_memory_seen(const train_memory *m, int64_t session, int64_t t);
// Local. Numbers of those that stay, seen or not, into frames [most]; returns how many.
int64_t train_memory_frames(const train_memory *m, int64_t session, int64_t t, int64_t *frames);
// Local. Frame t is about to be appended: *frame (=) the one that leaves the window, and its slot,
// or -1 where none does.
int32_t train_memory_leaving(const train_memory *m, int64_t session, int64_t t, int64_t *frame);
// Local. Frame t was appended: what the next one sees.
void train_memory_append(train_memory *m, int64_t session, int64_t t, const int32_t *tokens);
// Local. All of a session, m->bytes.
unsigned char *train_memory_state(const train_memory *m, int64_t session);

#endif
