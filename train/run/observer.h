// What watches a run: the profile of each step, the ranks compared, the trace, and on rank 0
// metrics.jsonl, history.jsonl and the sinks.
#ifndef TRAIN_OBSERVER_H
#define TRAIN_OBSERVER_H

#include "base/status.h"
#include "configs/config.h"
#include "dist/world.h"
#include "train/run/accounting.h"
#include "train/observe/metrics.h"
#include "train/timing/profile.h"

typedef struct train_observer train_observer;

// Collective over the world. For a run that goes on after step `from`; rank 0 cuts metrics.jsonl
// back to that, and notes its memory by class and when it began. `outage` is borrowed. ORR_ECONFIG,
// ORR_EIO, ORR_ENOMEM on the rank that met it: agree.
orr_code train_observer_create(const cfg *c, dist_world *w, const train_accounting *memory,
                               double begun_ms, int64_t from, train_outage *outage,
                               train_observer **out);
void train_observer_destroy(train_observer *o); // takes NULL; waits some seconds for the sinks
// Local. NULL when steps are not profiled (metrics.profile), or o is.
train_profile *train_observer_profile(train_observer *o);

// Local. Step number `step` begins. ORR_ENOMEM.
orr_code train_observer_begin(train_observer *o, int64_t step);
// Local. The step ends, and number `step` begins in the same moment: what is done in between
// (lines, comparisons) is a part of that one. ORR_ENOMEM.
orr_code train_observer_turn(train_observer *o, int64_t step);
// Local. How long the step took that ended last: the sum of its phases; NaN without a profile.
double train_observer_step_ms(const train_observer *o);
// Collective over the world, after the turn of that step. Its line is written on rank 0 if *logged
// is ORR_OK; in *logged, to be agreed on before the next collective.
orr_code train_observer_end(train_observer *o, const train_step_metrics *s, orr_code *logged);
// Collective over the world. No step follows: what could not be written of the trace is tried
// again.
orr_code train_observer_finish(train_observer *o);
// Local. Something happened that people want to hear of: history.jsonl and the webhook. Rank 0
// alone speaks; takes NULL.
void train_observer_tell(train_observer *o, const char *event, int64_t step, const char *words);

// Local. A picture (PNG) of a step, for those sinks that show some; "" or an unreadable file: none.
// Rank 0 alone.
void train_observer_show(train_observer *o, const char *tag, int64_t step, const char *path);

// Local. For history.jsonl alone. Rank 0 alone speaks; takes NULL.
// Local. The checkpoint of that step is the newest one in its place.
void train_observer_saved(train_observer *o, int64_t step);
void train_observer_note(train_observer *o, const char *event, int64_t step);

// Local. The same with a sentence made of parts, which is logged as a warning, too.
void train_observer_tell_step(train_observer *o, const char *event, int64_t step, const char *fmt,
                              ...) __attribute__((format(printf, 4, 5)));
// Local. The run goes back to just after step `from`: metrics.jsonl is cut back, what is lost is
// noted.
orr_code train_observer_rewind(train_observer *o, int64_t from);

#endif
