// How well a tokenizer gives back what it was given: PSNR, structural similarity, sharpness, and
// how many of its codes it uses. Sums that grow by frames; read out as members of eval.json. Local;
// one object a thread.
#ifndef TRAIN_RECONSTRUCTION_H
#define TRAIN_RECONSTRUCTION_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

typedef struct train_reconstruction train_reconstruction;

// Local. For frames u8 [height,width,3] of S codes 0..codes-1. ORR_ENOMEM.
orr_code train_reconstruction_create(int64_t height, int64_t width, int64_t S, int64_t codes,
                                     train_reconstruction **out);
void train_reconstruction_destroy(train_reconstruction *r); // takes NULL
// Local. real, decoded [n,height,width,3]; index [n,S] the codes in between.
void train_reconstruction_add(train_reconstruction *r, const uint8_t *real, const uint8_t *decoded,
                              const int32_t *index, int64_t n);
// Local. Adds to `out`: tokenizer_psnr, tokenizer_ssim, tokenizer_sharpness, codes, codes_used,
// code_perplexity (docs/evaluation.md). A figure that is no finite number is null.
void train_reconstruction_tell(const train_reconstruction *r, json_t *out);

#endif
