// Rollouts: frame after frame, each decoded in a few passes from a wholly masked frame (MaskGIT,
// Chang et al. 2022), with the time blocks' keys and values of earlier frames in a ring.
//
// At frame t a time block sees the current frame, the `window - 1` frames before it, and frame 0 as
// attention sink (Xiao et al. 2024). Keys are kept rotated by their frame number, so scores depend
// on distances alone; once frame 0 has left the window its distance stays at `window`. Clips of T
// frames hold distances up to T - 1, so a window of at most T - 1 (train_decoder_window) keeps
// every distance inside the range that training saw: a rollout never has to end. Up to frame
// `window` this equals the full forward pass.
//
// B clips run side by side; S positions, N tokens a frame, A actions, V codes.
#ifndef TRAIN_DECODER_H
#define TRAIN_DECODER_H

#include <stdint.h>

#include "base/status.h"
#include "configs/config.h"
#include "kernels/kern.h"
#include "train/model/dynamics.h"

typedef struct {
  int64_t B;
  int64_t window;            // frames a time block sees, the current one included, besides frame 0
  int64_t steps;             // passes a frame (K)
  double temperature;        // of the drawn codes; 0 = the likeliest
  double choice_temperature; // Gumbel noise on the confidence that orders the positions
  uint64_t seed;
} train_decoder_options;

// What leads to a frame. action [B,2A]: action * valid, valid.
typedef struct {
  const float *action;
  const uint8_t *has_action; // [B]
  const int32_t *branch;     // [B]
} train_decoder_input;

typedef struct train_decoder train_decoder;

// The window of a rollout of `frames` frames, prompt included, by a model trained with `c`: at most
// model.window, no distance that data.frames did not hold, and no more than there is to see.
int64_t train_decoder_window(const cfg *c, int64_t frames);
// Local. Borrows k (committed), p and w. All memory is taken here.
orr_code train_decoder_create(kern *k, const train_dynamics_dims *d, const train_dynamics_params *p,
                              const train_weights *w, const train_decoder_options *o,
                              train_decoder **out);
void train_decoder_destroy(train_decoder *m); // takes NULL
// Local. Back to frame 0. sample [B]: keys of the random numbers; clips that share a key share
// draws.
orr_code train_decoder_reset(train_decoder *m, const uint64_t *sample);
int64_t train_decoder_frame(const train_decoder *m); // number of the next frame
// Local. Appends a known frame, tokens [B,S].
orr_code train_decoder_push(train_decoder *m, const int32_t *tokens, const train_decoder_input *in);
// Local. Decodes the next frame to tokens [B,S] and appends it.
orr_code train_decoder_next(train_decoder *m, const train_decoder_input *in, int32_t *tokens);
// Local. Logits [B*S,V] of the next frame if its tokens were these; appends nothing. All arrays
// here lie in host memory.
orr_code train_decoder_logits(train_decoder *m, const int32_t *tokens,
                              const train_decoder_input *in, float *logits);

#endif
