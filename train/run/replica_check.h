// dist.check_replicas: every so many steps the replicas' weights are compared, to the bit.
#ifndef TRAIN_REPLICA_CHECK_H
#define TRAIN_REPLICA_CHECK_H

#include "dist/replicas.h"
#include "train/step/state.h"

typedef struct train_replica_check train_replica_check;

// Local. The weights of `s` (borrowed, placed in memory) on the replica axis: each parameter's
// master values and its working copy. *out is NULL when the check is off or there is one replica.
// ORR_ENOMEM.
orr_code train_replica_check_create(const cfg *c, const dist_world *w, const train_state *s,
                                    train_replica_check **out);
void train_replica_check_destroy(train_replica_check *r); // takes NULL
// Collective over the replica axis: dist_replicas_check. Waits for the device.
orr_code train_replica_check_run(train_replica_check *r);

// Local, while axes plan. Adds what one comparison that finds no difference moves; nothing where
// none is made.
void train_replica_check_foresee(const cfg *c, const train_axes *axes,
                                 train_moved moved[DIST_AXES][TRAIN_MOVES]);

#endif
