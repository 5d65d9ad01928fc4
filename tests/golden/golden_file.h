// A golden file: what a reference implementation computed, as one safetensors file whose metadata
// holds the sizes of the two models. Names: <model>.in.*, <model>.weight.*, <model>.grad.*,
// <model>.loss, tokenizer.out.index, dynamics.out.logits.
#ifndef TESTS_GOLDEN_GOLDEN_FILE_H
#define TESTS_GOLDEN_GOLDEN_FILE_H

#include <jansson.h>

#include "base/status.h"
#include "checkpoints/safetensors.h"

typedef struct {
  const char *path; // not owned
  char *bytes;      // the whole file
  ckpt_table table;
  json_t *tokenizer, *dynamics; // sizes
} golden_file;

// Local. ORR_EFORMAT names what is missing. Closed with golden_close also after a failure.
orr_code golden_open(const char *path, golden_file *out);
void golden_close(golden_file *f); // takes an empty one

// Local. The entry of that name; ORR_EFORMAT when it is not there.
orr_code golden_entry(const golden_file *f, const char *name, const ckpt_entry **out);
// Local. Copies a tensor's `count` values, converting BOOL and I64 to the type of `out`.
// ORR_EFORMAT names a tensor of another type or another number of elements.
orr_code golden_f32(const golden_file *f, const char *name, int64_t count, float *out);
orr_code golden_i32(const golden_file *f, const char *name, int64_t count, int32_t *out);
orr_code golden_bool(const golden_file *f, const char *name, int64_t count, uint8_t *out);

#endif
