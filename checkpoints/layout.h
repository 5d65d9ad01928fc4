// The layout of a checkpoint's files: which tensor lies where in which file, where the extents are
// cut and which rank writes each of them. Pure arithmetic over the list of tensors, the same on
// every rank, so nobody has to tell anybody where to write; the number of writers decides only who
// writes an extent, never what the files contain.
//
//   file   8 bytes | header (JSON, padded with spaces to a page) | tensors back to back
//   extent [--------- page-aligned slices of the whole file, header included ---------]
//
// safetensors forbids holes. Extents ignore where tensors begin, so nothing needs to be aligned
// between tensors and no pad tensors appear: a strict load of the files finds the model's own
// names.
#ifndef CHECKPOINTS_LAYOUT_H
#define CHECKPOINTS_LAYOUT_H

#include "base/hash.h"
#include "checkpoints/checkpoint.h"

#define CKPT_PAGE         ((uint64_t)4096)    // NFS writes back whole pages
#define CKPT_EXTENT_MIN   ((uint64_t)1 << 20) // Lustre's stripe unit
#define CKPT_EXTENT_MAX   ((uint64_t)16 << 20)
#define CKPT_HEADER_MAX   ((uint64_t)100000000) // safetensors' own limit
#define CKPT_EXTENT_SHARE 64                    // aim: a 64th of the whole, between MIN and MAX

typedef struct {
  int set, tensor;        // indices into the plan
  int file;               // index into files
  uint64_t offset, bytes; // offset from the start of the file
} ckpt_place;

typedef struct {
  char *name;            // model-00001-of-00002.safetensors
  char *header;          // the file's first header_bytes: length word, JSON, spaces
  uint64_t header_bytes; // a multiple of CKPT_PAGE
  uint64_t bytes;        // size of the file
  int first_place, end_place;
} ckpt_file;

typedef struct {
  int file;
  uint64_t offset, bytes; // of the file, header included; offset is a multiple of CKPT_PAGE
} ckpt_extent;

typedef struct {
  ckpt_file *files;
  int file_count;
  ckpt_place *places; // in file order, one for each tensor
  int place_count;
  ckpt_extent *extents; // in file order; together they cover every byte of every file once
  int extent_count;
  uint64_t bytes; // of all files
  orr_hash128 id; // of all headers: equal ids mean equal layouts
} ckpt_layout;

// Local. ORR_EINVAL names a tensor without name or with a bad shape, or a name that occurs twice in
// a series of files. The plan is not kept. On failure *out is empty.
orr_code ckpt_layout_build(const ckpt_plan *plan, ckpt_layout *out);
void ckpt_layout_release(ckpt_layout *l); // takes an empty one

// Local. Extents [*first, *end) are written by `rank` of `ranks`: a contiguous run, balanced to
// within one extent. Every extent has exactly one writer; a rank may have none.
void ckpt_layout_share(const ckpt_layout *l, int rank, int ranks, int *first, int *end);

// Local. Calls `get` for every piece of a tensor in an extent, and copies the header's part, so
// that `host` [extent bytes] holds what the file must contain there.
orr_code ckpt_layout_fill(const ckpt_layout *l, int extent, ckpt_copy_fn get, void *ctx,
                          void *host);

// Local. Calls `visit` for every piece of a tensor in an extent.
orr_code ckpt_layout_visit(const ckpt_layout *l, int extent, ckpt_piece_fn visit, void *ctx);

#endif
