// A single safetensors file in the place of a checkpoint's folder.
#ifndef CHECKPOINTS_EXPORTED_H
#define CHECKPOINTS_EXPORTED_H

#include "checkpoints/manifest.h"

#define CKPT_EXPORTED_KEYS "orrery." // what the exporter's keys in __metadata__ begin with

// Local. The manifest that the file at `path` would have: one file of the series "model", one
// extent that counts as verified, for nobody wrote down its checksum, `meta` from the exporter's
// keys (all texts, without their beginning) and the step among them, 0 without. ORR_EFORMAT when it
// is no safetensors file.
orr_code ckpt_exported_manifest(const char *path, ckpt_manifest *out);

#endif
