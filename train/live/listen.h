// Where programs on this machine connect (train/live/programs.h): a UNIX socket, or TCP on
// loopback.
#ifndef TRAIN_LIVE_LISTEN_H
#define TRAIN_LIVE_LISTEN_H

#include <stdbool.h>

#include "base/status.h"

// Local. Listens at `where`: the path of a UNIX socket, which only its owner may connect to, or
// ADDRESS:PORT with an address of loopback. *local: descriptors can be passed through it. A socket
// that a killed server left is replaced. ORR_ECONFIG for a place that is neither, ORR_EIO for one
// that is taken.
orr_code train_live_listen(const char *where, int *fd, bool *local);
// Local. Closes it, and takes the path away.
void train_live_listen_end(const char *where, int fd);

#endif
