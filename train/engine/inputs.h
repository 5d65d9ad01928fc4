// What the host says about the frames of a batch, and what it hears: laid out alike on either side
// of the border between host and device, so that each crosses in one copy.
#ifndef TRAIN_ENGINE_INPUTS_H
#define TRAIN_ENGINE_INPUTS_H

#include "base/arena.h"
#include "train/model/dynamics.h"

// Row b is the batch's frame b. What changes from pass to pass has a row of `batch` for each.
typedef struct {
  float *outcome[TRAIN_OUTCOMES]; // [batch,bins] the heads' logits; NULL without such a head
  int32_t *tokens;                // [batch,S]; the device's becomes what is decoded
  int32_t *before;                // [batch,S] of the frame before, where the model asks for it
  float *action;                  // [batch,2A]
  uint8_t *has_action;            // [batch]
  uint8_t *no_action;             // [batch] zeros: of frames whose action is not told
  int32_t *branch;                // [batch]
  int32_t *ring;                  // [batch]
  int64_t *frame;                 // [batch]
  float *cos_, *sin_;             // [batch,K/2] of this frame
  float *sink_cos, *sink_sin;     // [batch,K/2] of frame 0 as it sees it
  // With a memory (train/engine/memory.h): slots that the frame sees; the slot of the frame that
  // leaves the window as this one is appended, its number and the angles of that.
  int32_t *pin, *pin_to;    // [batch,memory], [batch]
  int64_t *pin_from;        // [batch]
  float *pin_cos, *pin_sin; // [batch,K/2]
  uint64_t *seed, *sample;  // [batch]
  float *temperature;       // [batch]
  uint64_t *draw;           // [steps,batch]
  float *noise;             // [steps,batch]
  int32_t *left;            // [steps,batch]
  double *nll;              // [batch]; the device's becomes what is decoded
} train_engine_inputs;

typedef struct {
  orr_arena arena;
  train_engine_inputs in;
} train_engine_side;

// Local. Takes everything; once counting, once committed.
void train_engine_side_place(train_engine_side *s, const train_dynamics_dims *d, int64_t batch,
                             int64_t steps, int64_t memory);

#endif
