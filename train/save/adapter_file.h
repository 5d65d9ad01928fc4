// Adapters in the format of PEFT (Hugging Face): a folder with adapter_config.json and
// adapter_model.safetensors, whose tensors are base_model.model.NAME.lora_A.weight [rank,in] and
// NAME.lora_B.weight [out,rank] for a matrix NAME.weight, and base_model.model.NAME for what is
// trained whole. The metadata of the safetensors file say which weights it belongs to. Local.
#ifndef TRAIN_ADAPTER_FILE_H
#define TRAIN_ADAPTER_FILE_H

#include "checkpoints/checkpoint.h"
#include "configs/config.h"

#define TRAIN_ADAPTER_FILE   "adapter_model.safetensors"
#define TRAIN_ADAPTER_PREFIX "base_model.model."

// Writes the adapter of checkpoint `r`, of a run with train.lora_rank, into folder `dir`, made
// where there is none; of its moving average with `ema`. ORR_EINVAL when it holds none, ORR_EIO.
orr_code train_adapter_file_write(ckpt_reader *r, const char *dir, bool ema);

#endif
