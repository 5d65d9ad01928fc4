// Structural similarity of two frames: Wang, Bovik, Sheikh and Simoncelli, "Image quality
// assessment: from error visibility to structural similarity", 2004. In windows of 11 x 11 pixels,
// weighted by a Gaussian of 1.5 pixels,
//
//   ssim = (2 mx my + C1) (2 sxy + C2) / ((mx^2 + my^2 + C1) (sxx + syy + C2))
//
// with C1 = (0.01 * 255)^2 and C2 = (0.03 * 255)^2; the mean over all windows that lie inside the
// frame, and over the three channels. 1 for equal frames. A frame that is smaller than 11 pixels
// has windows of its shorter side, made odd. Local; one object a thread.
#ifndef TRAIN_SSIM_H
#define TRAIN_SSIM_H

#include <stdint.h>

#include "base/status.h"

typedef struct train_ssim train_ssim;

// Local. For frames u8 [height,width,3]. ORR_ENOMEM. The caller destroys it.
orr_code train_ssim_create(int64_t height, int64_t width, train_ssim **out);
void train_ssim_destroy(train_ssim *s); // takes NULL
// Local.
double train_ssim_of(train_ssim *s, const uint8_t *a, const uint8_t *b);

#endif
