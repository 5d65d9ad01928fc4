// A program at the other end of a socket. It sends and gets the messages of a page (docs/play.md,
// train/live/wire.h, train/live/control.h), for several sessions over one connection, each after
//
//   0 u32 bytes of the message      5 u8  0
//   4 u8  0 words, 1 bytes          6 u16 session, from 0
//
// Its first words are {"do": "hello", "protocol": 1, "sessions": n, "shared": true}: n seats are
// its own until the connection ends, and where `shared` is asked for through a UNIX socket, pixels
// lie in memory that both map and frames say where. All memory is taken there and before. Nothing
// here waits: a frame that has not gone out is replaced by a newer one and counted, as a page's is.
#ifndef TRAIN_LIVE_PROGRAM_H
#define TRAIN_LIVE_PROGRAM_H

#include "train/live/control.h"

typedef struct train_live_program train_live_program;

typedef struct {
  int fd;     // not blocking; closed by destroy
  bool local; // descriptors can be passed
  const train_live_house *house;
  train_live_seat *seat; // [seats] of the server, of which it takes free ones
  int64_t seats;
} train_live_program_options;

// Local. ORR_ENOMEM; the descriptor is the program's from here on, also where this fails.
orr_code train_live_program_create(const train_live_program_options *o, int64_t now_ns,
                                   train_live_program **out);
void train_live_program_destroy(train_live_program *p); // leaves its seats; takes NULL

// Local. What to poll, and whether for writing, too.
int train_live_program_fd(const train_live_program *p);
bool train_live_program_wants_to_write(const train_live_program *p);
// Local. Whether messages have come that are still to be done.
bool train_live_program_has_more(const train_live_program *p);
// Local. Does what has come, for a few milliseconds at most. ORR_EIO: the connection is at its end.
orr_code train_live_program_read(train_live_program *p);
// Local. Writes as much as the connection takes. ORR_EIO: it is at its end.
orr_code train_live_program_write(train_live_program *p);
// Local. Whether it has not yet said what it wants and has had the time to.
bool train_live_program_is_silent(const train_live_program *p, int64_t now_ns);
// Local. Last words to all its sessions; the connection ends once they are written.
void train_live_program_bid_farewell(train_live_program *p, const char *code, const char *words);

#endif
