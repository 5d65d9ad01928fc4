// One safetensors file of a checkpoint's weights, for other people's tools.
#ifndef CHECKPOINTS_EXPORT_H
#define CHECKPOINTS_EXPORT_H

#include "checkpoints/checkpoint.h"

typedef enum { CKPT_EXPORT_F32, CKPT_EXPORT_BF16 } ckpt_export_dtype;

// Local. Writes the model's weights, or their moving average, to `path` under the model's names.
// bfloat16 rounds to nearest even. A reader sees the old file or the new one. Every byte is
// verified on the way. ORR_ENOTFOUND when the checkpoint has no moving average and `ema` asks for
// it; *bytes (may be NULL) is the size of the new file. `more` (may be NULL) is a flat list key,
// value, ..., NULL of at most eight further entries of the file's __metadata__.
orr_code ckpt_export(ckpt_reader *r, const char *path, ckpt_export_dtype dtype, bool ema,
                     const char *const *more, uint64_t *bytes);

// What else an exported file may be. Zeros: float32 weights under the model's names.
typedef struct {
  ckpt_export_dtype dtype;
  bool ema;
  const char *prefix;      // of the names; NULL = none
  const char *const *more; // as above
  // Other tensors than the checkpoint's, whose float32 bytes [first, first+bytes) `read` writes.
  const ckpt_tensor *tensors;
  int count;
  orr_code (*read)(void *ctx, int tensor, uint64_t first, size_t bytes, float *out);
  void *ctx;
} ckpt_export_options;

// Local. As ckpt_export, which is this with the first two.
orr_code ckpt_export_as(ckpt_reader *r, const char *path, const ckpt_export_options *o,
                        uint64_t *bytes);

#endif
