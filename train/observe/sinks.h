// Where else a run's metrics go: TensorBoard's files, a Pushgateway, a webhook. Rank 0 hands them
// to a thread of their own through a short queue; a sink that is slow or down loses values, never
// time of a step, and is tried again later.
#ifndef TRAIN_SINKS_H
#define TRAIN_SINKS_H

#include "base/status.h"
#include "configs/config.h"
#include "train/observe/append.h"
#include "train/observe/scalars.h"
#include "train/observe/vitals.h"

typedef struct train_sinks train_sinks;

// Local, rank 0. Starts the thread; *out is NULL when the configuration names no sink. Steps after
// `from` will be written anew. `outage`: of the run's folder, borrowed. ORR_EIO, ORR_ENOMEM.
orr_code train_sinks_create(const cfg *c, int64_t from, train_outage *outage, train_sinks **out);
// Local. Queues a step's numbers, or drops them when the queue is full. Takes NULL.
void train_sinks_put(train_sinks *s, const train_scalars *v);
// Local. Queues a picture, a PNG file that stays; a later one takes the place of one that waits.
// `tag` lives as long as the program. Takes NULL.
void train_sinks_show(train_sinks *s, const char *tag, int64_t step, const char *path);
// Local. Steps after `from` will be written anew. Takes NULL.
void train_sinks_rewind(train_sinks *s, int64_t from);
// Local. Queues a change of state for the webhook: "started", "skipped", "finished", ... with a
// sentence. Takes NULL.
void train_sinks_tell(train_sinks *s, const char *state, int64_t step, const char *words);
// Local. How the run fares, for the next push; one at once when the state is another. Takes NULL.
void train_sinks_vitals(train_sinks *s, const train_vitals *v);
// Local. After a run that has finished or stopped nothing of it stays at the gateway: it would
// stand there for ever. One that failed stays as it was last. Gives what is queued some seconds to
// leave, then ends the thread. Takes NULL.
void train_sinks_destroy(train_sinks *s);

#endif
