// The server of `orrery play`: seats, their peers, and the one loop that reads what has come,
// decodes the frames that are due - those of all seats together - and writes them. One thread does
// all of it: what comes in while a frame is decoded is looked at before the next one.
#ifndef TRAIN_LIVE_SERVER_H
#define TRAIN_LIVE_SERVER_H

#include "train/live/control.h"
#include "train/live/world.h"

typedef struct {
  const char *address, *host; // as of train_live_http_options
  int64_t port;
  const char *programs;  // where programs connect (train/live/listen.h); NULL = nowhere
  int64_t idle_s;        // a peer that says nothing for so long is sent away
  int64_t seats;         // sessions at once
  size_t snapshot_bytes; // a session may remember
  size_t film_bytes;     // of frames that a film can be made of, a session
  bool ahead;            // idle time decodes the next frame under the action that is held
} train_live_server_options;

typedef struct train_live_server train_live_server;

// Local. Listens. Borrows the house and the worlds.
orr_code train_live_server_create(const train_live_server_options *o, const train_live_house *h,
                                  train_live_world *const *worlds, int count,
                                  train_live_server **out);
void train_live_server_destroy(train_live_server *s); // takes NULL
// Local. Address i of those where a person opens the page; NULL past the last.
const char *train_live_server_url(const train_live_server *s, int i);
// Local. Serves until stop() says so, then says goodbye to all peers.
orr_code train_live_server_run(train_live_server *s, bool (*stop)(void));

#endif
