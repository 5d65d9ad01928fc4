// The programs that have connected (train/live/program.h), and where they do.
#ifndef TRAIN_LIVE_PROGRAMS_H
#define TRAIN_LIVE_PROGRAMS_H

#include <poll.h>

#include "train/live/control.h"

enum {
  TRAIN_LIVE_PROGRAMS_MOST = 64, // at once
  TRAIN_LIVE_PROGRAMS_POLLS = TRAIN_LIVE_PROGRAMS_MOST + 1,
};

typedef struct train_live_programs train_live_programs;

// Local. Listens at `where` (train/live/listen.h); programs take free ones of the server's seats.
// ORR_ECONFIG, ORR_EIO.
orr_code train_live_programs_create(const char *where, const train_live_house *house,
                                    train_live_seat *seats, int64_t count,
                                    train_live_programs **out);
void train_live_programs_destroy(train_live_programs *p); // takes NULL

// Local. What to poll for: TRAIN_LIVE_PROGRAMS_POLLS entries.
void train_live_programs_watch(const train_live_programs *p, struct pollfd *polls);
// Local. Whether messages have come that are still to be done, so that nothing is to wait.
bool train_live_programs_have_more(const train_live_programs *p);
// Local. Does what has come, as poll found it.
void train_live_programs_serve(train_live_programs *p, const struct pollfd *polls);
// Local. Writes what frames there are.
void train_live_programs_write(train_live_programs *p);
// Local. Last words, and the end of all connections.
void train_live_programs_end(train_live_programs *p, const char *code, const char *words);

#endif
