// `orrery play --record DIR`: sessions become a data set. A session that ends is kept as
// DIR/session-NNNNN.orrery at once; in idle time it is decoded again, unseen, into
// DIR/shard-NNNNN.h5: one episode, its frames those that were seen, its action t the one that led
// from frame t to t+1. Whatever is missing, after a crash too, is made the next time. index.json is
// written while nobody plays, and at the end. One thread at a time.
#ifndef TRAIN_LIVE_SCRIBE_H
#define TRAIN_LIVE_SCRIBE_H

#include <stdbool.h>

#include "train/live/record.h"
#include "train/live/world.h"

typedef struct train_live_scribe train_live_scribe;

typedef struct {
  const char *dir;  // made when missing
  int32_t slot;     // of the world's engine, nobody else's
  const char *name; // of the branch of sessions
  double fps;       // of the model's frames
  int64_t A;        // components
  const char *const *action_names;
} train_live_scribe_options;

// Local. Borrows the options' texts and the world. ORR_EINVAL for a folder of other shards, or one
// that another process records into.
orr_code train_live_scribe_create(const train_live_scribe_options *o, train_live_world *w,
                                  train_live_scribe **out);
void train_live_scribe_destroy(train_live_scribe *s); // takes NULL
// Local. Keeps a session that has ended. ORR_EIO.
orr_code train_live_scribe_keep(train_live_scribe *s, const train_record *r);
// Local. Decodes one frame of a session that is not in the data set; `alone`: nobody plays, so that
// what takes longer may be done. Says by *more whether there is more to do.
orr_code train_live_scribe_work(train_live_scribe *s, bool alone, bool *more);

#endif
