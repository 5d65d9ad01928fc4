// How a picture moved from one frame to the next, as one who walks and turns sees it: sideways, up
// and down, and nearer. Arithmetic on plain arrays; local; thread safe.
#ifndef TRAIN_EVAL_FLOW_H
#define TRAIN_EVAL_FLOW_H

#include <stdint.h>

typedef struct {
  double right, down; // pixels that what was seen has moved by
  double nearer;      // by what share it has grown: 0.05 = 5 %
} train_flow;

// Of frames u8 [height,width,3], at least 16 x 16: the shift and growth about the middle under
// which `before` is most like `after`, by squared differences, within a fifth of the width and 10
// %.
train_flow train_flow_between(const uint8_t *before, const uint8_t *after, int64_t height,
                              int64_t width);

#endif
