// manifest.json: what makes a folder a checkpoint. It lists every file with its size and the
// checksums of its extents, carries the caller's `meta`, and a checksum of itself.
//
//   {"format": "orrery-checkpoint", "version": 1, "step": 1000, "layout": "<hash of the headers>",
//    "files": [{"name": ..., "bytes": ..., "extents": [[offset, bytes, "<XXH3-128>"], ...]}, ...],
//    "meta": {...}, "checksum": "<XXH3-128 of the rest, as compact JSON with sorted keys>"}
#ifndef CHECKPOINTS_MANIFEST_H
#define CHECKPOINTS_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>

#include "checkpoints/layout.h"

#define CKPT_VERSION 1

typedef struct {
  int file; // index into files
  uint64_t offset, bytes;
  orr_hash128 sum;
  bool verified; // by this reader
} ckpt_sum;

typedef struct {
  char *name;
  uint64_t bytes;
  int first_sum, end_sum; // extents in order; they cover the file without holes
} ckpt_manifest_file;

typedef struct {
  json_t *root; // keeps meta alive
  const json_t *meta;
  int64_t step;
  ckpt_manifest_file *files;
  int file_count;
  ckpt_sum *sums;
  int sum_count;
} ckpt_manifest;

// A small file of the checkpoint, given with its whole content.
typedef struct {
  char *name;
  char *text;
} ckpt_text_file;

// Local. The manifest of a layout with one checksum an extent, and of further text files. The new
// object is the caller's.
orr_code ckpt_manifest_build(const ckpt_layout *l, const orr_hash128 *sums, int64_t step,
                             const ckpt_text_file *texts, int text_count, const json_t *meta,
                             json_t **out);
// Local. Reads and checks DIR/manifest.json. ORR_ENOTFOUND without one; ORR_EFORMAT for another
// format, a newer version or senseless contents; ORR_ECORRUPT when its checksum does not match.
orr_code ckpt_manifest_load(const char *dir, ckpt_manifest *out);
void ckpt_manifest_release(ckpt_manifest *m);

#endif
