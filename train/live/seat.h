// A place at the server: a session, who acts in it, and when its next frame is due.
//
// Time: a running session has a frame every 1/fps seconds; an action that changes does not wait for
// its turn but for half of one, so that a key is answered within a frame's own time. `each` input
// asks for a frame instead: time stands still between them.
#ifndef TRAIN_LIVE_SEAT_H
#define TRAIN_LIVE_SEAT_H

#include "train/live/peer.h"
#include "train/live/reel.h"
#include "train/live/session.h"
#include "train/live/simulator.h"
#include "train/live/sound.h"
#include "train/live/wire.h"

// How what is said and shown goes out, whatever carries it: a page's WebSocket (peer.h) or a
// program's socket (programs.h).
typedef struct {
  void *ctx;
  orr_code (*say)(void *ctx, bool text, const void *bytes, size_t size);
  // A frame of pixels [height,width,3]; `missed` of f is the carrier's to fill in.
  void (*show)(void *ctx, train_wire_frame *f, const uint8_t *pixels);
} train_live_voice;

typedef struct {
  train_live_session session;
  train_live_simulator *simulator; // beside the world; NULL = none
  bool simulated;                  // what it shows is what the session shows
  train_live_reel reel;            // of what was shown
  train_live_sound sound;          // that acts in place of inputs
  train_live_voice voice;          // say NULL = the seat is free
  void *visit;                     // what its page's messages come with; the server's
  train_live_peer *peer;           // of the page that has the seat; NULL = none, or a program
  void *handle;                    // of train_live_http_end
  int fd;
  bool ready; // the session has begun
  bool running, by_input;
  bool holds; // the last input was the action before it
  bool watch; // the session's record is played again to be seen, not only to get to its end
  int64_t frames_asked; // single steps, or one an input
  double fps;
  int64_t last_ns, due_ns; // of the last frame; of the next
  int64_t served_ns;       // when a frame was last decoded, seen or not
  bool changed;            // the action is another than that of the last frame
  train_wire_stamp stamp;  // of the input that is in force
  int64_t arrived_ns;      // when it came; 0 = its answer is out
  double rate;             // frames a second of late
  int64_t heard_ns, pinged_ns;
  double credit; // messages that may still come
  int64_t credit_ns;
  uint8_t *picture; // [height,width,3] that was uploaded last
  bool has_picture;
} train_live_seat;

static inline bool train_live_seat_is_taken(const train_live_seat *s) {
  return s->voice.say != NULL;
}
// Local. Somebody takes the seat who is reached by `voice`; nothing stays of what the last one
// asked for. He leaves it, and its session is over.
void train_live_seat_take(train_live_seat *s, train_live_voice voice, int64_t now_ns);
void train_live_seat_leave(train_live_seat *s);
// Local. Whether frames are missing to where the session was sent, which nobody sees.
static inline bool train_live_seat_is_hidden(const train_live_seat *s) {
  return train_live_session_catching_up(&s->session) && !s->watch;
}
// Local. The next frame's time, after a frame or a change. INT64_MAX = none. Frames that are wanted
// at once are due since the last one, so that they take turns with those of the other seats.
int64_t train_live_seat_due(const train_live_seat *s);
// Local. Takes an input: what leads to the next frame from here on. While a sound acts it says
// nothing.
void train_live_seat_input(train_live_seat *s, const train_wire_input *in, int64_t now_ns);
// Local. The sound that acts says what leads to the next frame; without one all stays as it is.
void train_live_seat_hear(train_live_seat *s, int64_t now_ns);
// Local. The simulator goes on towards the frame that was shown last, and is shown when it is
// there. Says by *more whether it is not.
orr_code train_live_seat_simulate(train_live_seat *s, bool *more);
// Local. The session has a new frame: sends it, and puts the next one at its time.
void train_live_seat_show(train_live_seat *s, unsigned flags, int64_t now_ns);
// Local. Whether the message that has just come is within what anybody may send.
bool train_live_seat_allows(train_live_seat *s, int64_t now_ns);

#endif
