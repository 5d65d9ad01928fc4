// One concept in one range: what the examinee made of each group of episodes, before it becomes
// figures. Plain arrays of numbers, so that ranks can add theirs to zeros.
#ifndef TRAIN_EXAM_PAPER_H
#define TRAIN_EXAM_PAPER_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "dist/comm.h"
#include "train/eval/arithmetic.h"
#include "train/exam/exam.h"
#include "train/exam/figures.h"

// Who predicted a film: the examinee, or what it is compared with.
enum { TRAIN_EXAM_OWN, TRAIN_EXAM_STILL, TRAIN_EXAM_STRAIGHT, TRAIN_EXAM_PREDICTORS };
// Worlds in which colour tells mass rightly, and wrongly.
enum { TRAIN_EXAM_LINKS = 2 };

typedef struct {
  const train_exam_options *o;
  data_physics_concept concept;
  data_physics_range range;
  int64_t groups, rolled, changes;     // groups of pairs, those rolled out, groups of changes
  int64_t longs;                       // long rollouts
  int64_t numbers;                     // in all of what follows
  double *nats;                        // [groups,4,TRAIN_EXAM_MOST]
  double *film[TRAIN_EXAM_PREDICTORS]; // [rolled,2,TRAIN_EXAM_FILM_COUNT]
  double *link[TRAIN_EXAM_LINKS]; // [rolled,2] position errors; NULL where mass does not matter
  double *effect;                 // [changes,TRAIN_EXAM_EFFECTS] sums of train_measure_effect
  double *wrong; // [longs,2] how unsure at its first frames; 1 where it was wrong at the last
} train_exam_paper;

enum { TRAIN_EXAM_EFFECTS = sizeof(train_measure_effect) / sizeof(int64_t) };

// Local. Zeros. ORR_ENOMEM.
orr_code train_exam_paper_create(const train_exam_options *o, data_physics_concept concept,
                                 data_physics_range range, train_exam_paper *out);
void train_exam_paper_release(train_exam_paper *p);
// Collective over `all` (NULL: local). Asks the examinee and brings the answers of all ranks
// together.
orr_code train_exam_paper_write(train_exam_paper *p, dist_comm *all, const train_examinee *e);
// Local. Figures of its films with their intervals, into `out`. ORR_ENOMEM.
orr_code train_exam_paper_mark(const train_exam_paper *p, json_t *out);
// Local. A picture of the rollout that is nearest to the simulator, and of the one farthest from
// it.
orr_code train_exam_paper_show(const train_exam_paper *p, const train_examinee *e,
                               const char *folder);

// Local. Whether the paper asks about sets of a kind at all.
bool train_exam_paper_asks(const train_exam_paper *p, train_exam_kind kind);
// Local. Which set of a kind the paper is about.
train_exam_wish train_exam_paper_wish(const train_exam_paper *p, train_exam_kind kind);
// Local. Clip of the possible ending number `which` (0, 1) of a group of four.
static inline train_exam_clip train_exam_possible(const train_exam_set *s, int64_t group,
                                                  int which) {
  return (train_exam_clip){.set = s, .episode = 4 * group + 2 * which, .given = s->event + 1};
}

#endif
