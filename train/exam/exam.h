// An examination (docs/exam.md): does the examinee know what causes what? Sets of small worlds, one
// a concept and range, and figures with intervals of what it makes of them.
//
// Every number is a function of the sets, the seed and the examinee: groups of episodes are shared
// out among the ranks, what a group comes to is brought together as it is, and figures and
// intervals are made of all of it in one order. So exam.json has the same bits over any number of
// ranks.
#ifndef TRAIN_EXAM_H
#define TRAIN_EXAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "dist/comm.h"
#include "train/exam/calibration.h"
#include "train/exam/examinee.h"

typedef struct {
  const char *root;   // folder of the sets
  const char *strips; // folder for film strips; NULL: none
  bool concept[DATA_PHYSICS_CONCEPTS];
  bool range[DATA_PHYSICS_RANGES]; // inside, outside
  int64_t pairs;                   // a concept and range; two of them are a group
  int64_t rollouts;                // possible endings that are predicted, at most as many as pairs
  int64_t changes;                 // twos of worlds that differ in one thing
  int64_t longs;                   // rollouts of TRAIN_EXAM_AHEAD frames
  const train_exam_calibration *calibration; // what its nats are worth; NULL: not known
  int64_t height, width;
  uint64_t seed;
  const char *branch;
  int processes; // that make the sets
} train_exam_options;

// Local. What `n` pairs and long rollouts a concept are asked for a calibration: worlds of the
// training range, under a seed that is not the exam's.
train_exam_options train_exam_calibration_options(const train_exam_options *o, int64_t n);
// Collective over `all`; NULL: local. Fits *out (=), the same on all ranks, to what the examinee
// makes of the worlds of such options.
orr_code train_exam_calibrate(dist_comm *all, const train_exam_options *o, const train_examinee *e,
                              train_exam_calibration *out);

// Local. Makes the sets that are missing: before threads, OpenGL and HDF5. ORR_EUNSUPPORTED without
// a simulator, ORR_EIO.
orr_code train_exam_make(const train_exam_options *o);
// Collective over `all`; NULL: local, this rank is alone. *out (=) a new object, {CONCEPT:
// {"inside": {FIGURE: {"value", "low", "high"}}, "outside": ..}}, the same on all ranks, and "all"
// for what several concepts come to together. Rank 0 writes the strips.
orr_code train_exam_run(dist_comm *all, const train_exam_options *o, const train_examinee *e,
                        json_t **out);

#endif
