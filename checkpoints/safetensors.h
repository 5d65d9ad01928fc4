// The safetensors container (format 0.x of huggingface/safetensors): 8 bytes little-endian length
// of the header, the header (a JSON object: name -> dtype, shape, data_offsets), then the data
// without holes. The parser is strict: what it accepts is a file that every other reader accepts
// too.
#ifndef CHECKPOINTS_SAFETENSORS_H
#define CHECKPOINTS_SAFETENSORS_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

#define CKPT_NDIM_MAX 4 // as ckpt_tensor

typedef struct {
  char *name;
  char dtype[8]; // "F32", "BF16", "U8", ...
  int ndim;
  int64_t shape[CKPT_NDIM_MAX];
  uint64_t offset, bytes; // offset from the start of the file
} ckpt_entry;

typedef struct {
  ckpt_entry *entries; // by offset
  int count;
  uint64_t header_bytes; // length word and header: where the data begins
} ckpt_table;

// Local. Total size of the length word and the header that `head` (the file's first 8 bytes)
// announces. ORR_EFORMAT when that is more than the file or the format's 100 MB.
orr_code ckpt_safetensors_length(const char *path, const unsigned char head[8], uint64_t file_bytes,
                                 uint64_t *header_bytes);
// Local. `header` holds header_bytes bytes from the start of the file; `path` is for messages.
// ORR_EFORMAT names what is wrong: JSON, dtype, shape, a size that disagrees with its shape,
// overlapping data, holes, data beyond the file's end.
orr_code ckpt_safetensors_parse(const char *path, const char *header, uint64_t header_bytes,
                                uint64_t file_bytes, ckpt_table *out);
// Local. *out (json_decref) is the file's __metadata__, an object of texts, empty without one; the
// arguments and errors are those of parse.
orr_code ckpt_safetensors_metadata(const char *path, const char *header, uint64_t header_bytes,
                                   json_t **out);
// Local. Builds the first bytes of a file from entries whose offsets count from the end of the
// header (in order, without holes): length word, JSON, spaces up to a multiple of `align`.
// `metadata` is a flat list key, value, key, value, ..., NULL. *out is freed with orr_free.
orr_code ckpt_safetensors_build(const ckpt_entry *entries, int count, const char *const *metadata,
                                uint64_t align, char **out, uint64_t *header_bytes);
void ckpt_table_release(ckpt_table *t);     // takes an empty one
size_t ckpt_dtype_bytes(const char *dtype); // 0 for an unknown one

#endif
