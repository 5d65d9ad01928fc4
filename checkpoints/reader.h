// One checkpoint, opened; which one is chosen is checkpoints/choose.c. Inside of checkpoints/.
#ifndef CHECKPOINTS_READER_H
#define CHECKPOINTS_READER_H

#include "checkpoints/checkpoint.h"

// Local. Opens a committed folder, or one safetensors file as ckpt_export writes them. ORR_EFORMAT,
// ORR_ECORRUPT.
orr_code ckpt_reader_open(const char *path, ckpt_reader **out);

#endif
