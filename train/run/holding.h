// The folder of a run, as rank 0 holds it: for this run alone, tidied when it is taken.
#ifndef TRAIN_HOLDING_H
#define TRAIN_HOLDING_H

#include "configs/config.h"
#include "train/observe/append.h"
#include "train/run/lease.h"

// Starts as zeros; ranks other than 0 leave it so.
typedef struct {
  train_lease *lease;
  train_outage outage;
  const char *config; // words of config.yaml that had no room yet; NULL = none
} train_holding;

// Local. Makes and takes run.dir (train_lease_take), and sweeps what killed processes left half
// written. ORR_EBUSY, ORR_EIO, ORR_EACCESS, ...
orr_code train_holding_take(train_holding *f, const cfg *c);
// Local. train_lease_held; ORR_OK without a lease. After ORR_EBUSY nothing is written any more.
orr_code train_holding_held(train_holding *f);
// Local. config.yaml gets these words (borrowed until the folder is left), now or when there is
// room.
orr_code train_holding_write_config(train_holding *f, const cfg *c, const char *text);
// Local. The folder is free.
void train_holding_leave(train_holding *f, const cfg *c);

#endif
