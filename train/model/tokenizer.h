// The tokenizer: patches -> encoder blocks -> FSQ codes -> decoder blocks -> patches. B frames, S
// patches a frame, P = 3 p^2 values a patch, n FSQ dims. One object holds a plan for one B. tp
// splits the blocks; frames do not know of each other, so cp shares them out as dp does clips.
#ifndef TRAIN_TOKENIZER_H
#define TRAIN_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "configs/config.h"
#include "kernels/kern.h"
#include "train/model/block.h"
#include "train/model/params.h"

typedef struct {
  int64_t rows, cols, patch, S, P, layers;
  int n; // FSQ dims
  int32_t levels[KERN_FSQ_MAX];
  double l2, l1;
  bool patchwise; // the encoder sees one patch at a time
  train_block_dims block;
} train_tokenizer_dims;

// Local. The sizes that a configuration describes.
void train_tokenizer_dims_from(const cfg *c, train_tokenizer_dims *out);
int64_t train_tokenizer_codes(const train_tokenizer_dims *d); // V, product of the levels
// Local. Matmul FLOPs of forward and backward for one frame: 6 a weight and token, as for the
// dynamics model.
double train_tokenizer_flops(const train_tokenizer_dims *d);

typedef struct {
  int64_t enc_patch_w, enc_patch_b, enc_norm, enc_code_w, enc_code_b;
  int64_t dec_code_w, dec_code_b, dec_norm, dec_pixel_w, dec_pixel_b;
  train_block_params *enc, *dec; // [layers] each, one malloc'ed block: free enc with orr_free
} train_tokenizer_params;

// Local. Lists the parameters under their names in checkpoints.
orr_code train_tokenizer_list(const train_tokenizer_dims *d, train_params *list,
                              train_tokenizer_params *out);

// Frames [B, rows*p, cols*p, 3] in device memory: exactly one of the two is set.
typedef struct {
  const uint8_t *u8; // 0..255 means 0..1
  const float *f32;
} train_frames;

typedef struct train_tokenizer train_tokenizer;

// Local. Planning as for train_dynamics_create.
orr_code train_tokenizer_create(kern *k, const train_tokenizer_dims *d,
                                const train_tokenizer_params *p, const train_weights *w, int64_t B,
                                train_keep keep, train_tokenizer **out);
void train_tokenizer_destroy(train_tokenizer *m);
// Local. As train_dynamics_place_both and train_dynamics_place.
orr_code train_tokenizer_place_both(train_tokenizer *m, orr_arena *acts, orr_arena *exchange);
orr_code train_tokenizer_place(train_tokenizer *m, orr_arena *acts); // on one rank

// Local. From here on B is `frames`, at most what the model was created for: for tokenizers at work
// whose weights are packed, as products plan for their number of rows otherwise.
void train_tokenizer_take(train_tokenizer *m, int64_t frames);

// Collective over tp, and so is what follows. frames -> index [B,S]: codes 0..V-1 (and the codes
// themselves, kept inside). All arrays here and below lie in device memory.
orr_code train_tokenizer_encode(train_tokenizer *m, const train_frames *frames, int32_t *index);
// Decodes the codes of the last encode, or those of `index` when not NULL, to u8 or f32
// frames.
orr_code train_tokenizer_decode(train_tokenizer *m, const int32_t *index, uint8_t *u8, float *f32);
// Encode and decode, as training does.
orr_code train_tokenizer_forward(train_tokenizer *m, const train_frames *frames);
// After forward: *loss_sum (+=) l2 * squares + l1 * absolute values of the errors, summed over
// pixels and channels, the same on all ranks of tp. With `backward` the gradient of *scale * that
// sum (+=). loss_sum and scale lie in device memory. With run.exact loss_sum has a place for each
// leaf here.
orr_code train_tokenizer_loss(train_tokenizer *m, const train_frames *frames, const float *scale,
                              bool backward, double *loss_sum, train_grad_ready_fn ready,
                              void *ready_ctx);

#endif
