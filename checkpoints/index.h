// SERIES.safetensors.index.json: the table from tensor to file that Hugging Face's loaders look
// for.
#ifndef CHECKPOINTS_INDEX_H
#define CHECKPOINTS_INDEX_H

#include "checkpoints/manifest.h"

// Local. One index for each series of files of the plan. `*out` and its names and texts are freed
// with ckpt_index_release.
orr_code ckpt_index_build(const ckpt_plan *plan, const ckpt_layout *l, ckpt_text_file **out,
                          int *count);
void ckpt_index_release(ckpt_text_file *files, int count);

#endif
