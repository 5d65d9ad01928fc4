// The other end of a WebSocket (RFC 6455, framing by wslay): messages come in whole, frames go out
// one at a time. A frame that the peer has not taken in full is never joined by another: the newest
// one waits in its place, and those that it replaced are counted. Nothing here waits, and nobody
// keeps the others waiting: a call reads a bounded number of bytes, and control frames are
// counted like messages.
#ifndef TRAIN_LIVE_PEER_H
#define TRAIN_LIVE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct train_live_peer train_live_peer;

// A message has come in whole; `ctx` as given to create. A failure closes the connection with its
// words.
typedef orr_code (*train_live_message_fn)(void *ctx, bool text, const uint8_t *bytes, size_t size);

typedef struct {
  int fd;               // not blocking; the peer's from here on, but never closed by it
  const uint8_t *extra; // bytes that came with the handshake
  size_t extra_bytes;
  size_t most_message; // bytes of a message that comes in
  size_t frame_bytes;  // of a frame that goes out
  int worlds;          // frames that wait side by side
  train_live_message_fn message;
  bool (*allows)(void *ctx); // whether one more message, or control frame, may come; NULL = always
  void *ctx;
} train_live_peer_options;

// Local. ORR_ENOMEM.
orr_code train_live_peer_create(const train_live_peer_options *o, train_live_peer **out);
void train_live_peer_destroy(train_live_peer *p); // takes NULL

// Local. Reads what has come and hands messages on. ORR_EIO when the other end is gone or breaks
// the protocol: the connection is at its end.
orr_code train_live_peer_read(train_live_peer *p);
// Local. Writes as much as the connection takes.
orr_code train_live_peer_write(train_live_peer *p);
bool train_live_peer_wants_to_write(const train_live_peer *p);
// Local. Whether the closing handshake is over or takes too long, or nothing more is to come.
bool train_live_peer_is_over(const train_live_peer *p);

// Local. Whether it has been told that the connection ends.
bool train_live_peer_is_closing(const train_live_peer *p);

// Local. Words, or bytes that are no frame; a peer that lets too many of them pile up is closed.
orr_code train_live_peer_say(train_live_peer *p, bool text, const void *bytes, size_t size);
// Local. Room for the next frame of a world, `frame_bytes`; it goes out once send is called.
uint8_t *train_live_peer_frame(train_live_peer *p, int world);
void train_live_peer_send_frame(train_live_peer *p, int world);
uint32_t train_live_peer_missed(const train_live_peer *p); // frames that were replaced
orr_code train_live_peer_ping(train_live_peer *p);
// Local. Begins the closing handshake, after what was said; status as of RFC 6455, 7.4.1.
void train_live_peer_close(train_live_peer *p, uint16_t status, const char *why);

#endif
