// A calibration that lies beside an exam's sets: fitted once a checkpoint, and found again.
#ifndef TRAIN_EXAM_CALIBRATION_FILE_H
#define TRAIN_EXAM_CALIBRATION_FILE_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "dist/comm.h"
#include "train/exam/exam.h"

// Collective over `all`. Of options as train_exam_calibration_options gives them, whose sets are
// there: from `file`, where it was written under the same `key` (what was examined, and how) and
// has the concepts, else fitted and written by rank 0.
orr_code train_exam_calibration_find(dist_comm *all, const char *file, const json_t *key,
                                     const train_exam_options *o, const train_examinee *e,
                                     train_exam_calibration *out);

#endif
