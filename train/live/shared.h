// Memory that the server and a program both map, so that pixels need not travel. It has no name: it
// reaches the program as a descriptor and is gone with both ends.
#ifndef TRAIN_LIVE_SHARED_H
#define TRAIN_LIVE_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
  uint8_t *at; // NULL = none
  size_t bytes;
} train_live_shared;

// Local. *fd is the caller's to pass on and close. Its size is sealed: nobody can cut it short
// under the server. ORR_EIO.
orr_code train_live_shared_create(size_t bytes, train_live_shared *s, int *fd);
void train_live_shared_release(train_live_shared *s);

#endif
