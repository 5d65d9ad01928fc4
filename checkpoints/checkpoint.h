// Checkpoint folders: Hugging-Face-style safetensors files and a manifest that commits them.
// The layout of every file follows from the list of tensors alone; each rank writes its own
// extents in place. Ranks are plain integers: the caller carries checksums between ranks.
//
//   ROOT/step-00001000/{model-00001-of-0000N.safetensors, optim-..., manifest.json}
//   ROOT/latest   (text: name of the newest committed folder)
#ifndef CHECKPOINTS_CHECKPOINT_H
#define CHECKPOINTS_CHECKPOINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

typedef struct {
  const char *name;
  int ndim;
  int64_t shape[4];
} ckpt_tensor; // float32 always

// A set of tensors that becomes one series of files: "model", "optim", ...
// Tensor names in files are prefix + name, e.g. "m.blocks.0.norm1.weight" in the optim files.
typedef struct {
  const char *file;   // "model", "optim"
  const char *prefix; // "" for the model
  const ckpt_tensor *tensors;
  int count;
} ckpt_set;

typedef struct {
  const ckpt_set *sets; // sets with the same `file` share a series of files, in this order
  int count;
  int64_t file_bytes;
} ckpt_plan;

// Copies bytes [first, first+bytes) of tensor `t` of set `s` (row-major float32, little endian)
// between the caller's memory and `host`. The caller may be asked for any range of an extent that
// is this rank's, in increasing order.
typedef orr_code (*ckpt_copy_fn)(void *ctx, int s, int t, uint64_t first, size_t bytes, void *host);
// Waits for the copies asked for so far: an implementation of ckpt_copy_fn may only start them.
typedef orr_code (*ckpt_arrived_fn)(void *ctx);

// -- writing --------------------------------------------------------------------------------
typedef struct ckpt_writer ckpt_writer;
typedef struct {
  const char *root; // RUN_DIR/ckpt
  int rank, ranks;
  bool async;
  bool plan;      // only lays out: for host_bytes, sums_bytes and visit
  bool own_root;  // the root is this rank's alone: every rank prepares it, and keeps what it wrote
  bool stands_in; // for rank `rank`, whose extents it writes beside those of this process' own
                  // writer
  int64_t keep, keep_every;
  ckpt_arrived_fn arrived; // called with the copies' ctx before their bytes are read; may be NULL
  orr_arena staging; // made by the caller, empty, for the staging buffer; without a name: host
                     // memory
} ckpt_writer_options;

// Local. Lays out the files and takes all memory that saving needs; plan and options are not kept,
// and what `staging` allocates with outlives the writer.
// ORR_EINVAL for a bad plan, ORR_ENOMEM names the bytes of the staging buffer.
orr_code ckpt_writer_create(const ckpt_plan *plan, const ckpt_writer_options *o, ckpt_writer **out);
// Local. What create takes, or would take, to copy this rank's extents into and to sum them up.
uint64_t ckpt_writer_host_bytes(const ckpt_writer *w);
uint64_t ckpt_writer_sums_bytes(const ckpt_writer *w); // of ckpt_save_sums' text, its 0 included
// Local. Calls `visit` for every piece of a tensor that rank `rank` of the writer's ranks writes,
// in order: bytes [first, first+bytes) of tensor t of set s.
typedef orr_code (*ckpt_piece_fn)(void *ctx, int s, int t, uint64_t first, uint64_t bytes);
orr_code ckpt_writer_visit(const ckpt_writer *w, int rank, ckpt_piece_fn visit, void *ctx);
// Rank 0 only, or with own_root every rank, before any rank begins: makes a fresh .tmp-step-*
// folder.
orr_code ckpt_save_prepare(ckpt_writer *w, int64_t step);
// Every rank: copies its extents to the staging buffer (the only stall), then writes and fsyncs in
// the background (at once when not async). ORR_EINVAL while an earlier save is unfinished.
orr_code ckpt_save_begin(ckpt_writer *w, int64_t step, ckpt_copy_fn get, void *ctx);
// True when this rank's work in the background, files or commit, is done or failed; *rc is the
// outcome.
bool ckpt_save_written(ckpt_writer *w, orr_code *rc);
// This rank's extents and checksums as text, to be carried to rank 0. Borrowed until the next
// begin.
orr_code ckpt_save_sums(ckpt_writer *w, const char **text);
// Rank 0: manifest from all ranks' texts and `meta` (object: config, hash, layout, samples, epoch,
// seeds, ...; borrowed), fsync, rename, fsync of the parent, `latest`, retention. In the background
// when async; ckpt_save_written tells when it is over, ckpt_writer_wait waits.
orr_code ckpt_save_commit(ckpt_writer *w, const char *const *texts, const json_t *meta);
// With own_root, every rank but 0, where rank 0 commits: what it has written becomes step-*, and
// retention. Only the folder of rank 0 has a manifest.
orr_code ckpt_save_keep(ckpt_writer *w);
orr_code ckpt_writer_wait(ckpt_writer *w); // this rank's background work; outcome of it
void ckpt_save_abandon(ckpt_writer *w);    // after a failure on any rank: forget, remove .tmp
void ckpt_writer_destroy(ckpt_writer *w);  // waits; takes NULL

// -- reading --------------------------------------------------------------------------------
typedef struct ckpt_reader ckpt_reader;
// Opens ROOT/step-* (a folder), or ROOT (its latest good one); a run's folder stands for the ROOT
// ckpt/ in it. A damaged checkpoint is named in a
// warning and the one before it is used (only for ROOT, whose candidates are verified whole before
// one is chosen; the files of a folder that is named itself are verified as they are read).
// ORR_ENOTFOUND when there is none, ORR_ECORRUPT when all are damaged. With several ranks, one
// should open ROOT and the others ckpt_reader_path of it, so that all of them take the same one.
orr_code ckpt_open(const char *path, ckpt_reader **out);
// The latest good one of ROOT, or of a run's folder, whose step is at most `most`; likewise.
orr_code ckpt_open_until(const char *root, int64_t most, ckpt_reader **out);
// As ckpt_open, for weights alone: `path` may also be one safetensors file as ckpt_export writes
// them, in float32 or bfloat16. Its tensors are those of the "model" files; meta is what its
// __metadata__ says under "orrery.". It has no checksums.
orr_code ckpt_open_weights(const char *path, ckpt_reader **out);
const char *ckpt_reader_path(const ckpt_reader *r);
int64_t ckpt_reader_step(const ckpt_reader *r);
const json_t *ckpt_reader_meta(const ckpt_reader *r); // borrowed
// Checks names and shapes of a set; ORR_EINVAL names the first tensor that differs, got and wanted.
orr_code ckpt_reader_match(const ckpt_reader *r, const ckpt_set *set);
bool ckpt_reader_has(const ckpt_reader *r, const char *file, const char *tensor);
// Tensor `i` of a series of files, in file order: its full name (borrowed), and shape[4].
orr_code ckpt_reader_tensor(const ckpt_reader *r, const char *file, int i, const char **name,
                            int *ndim, int64_t *shape);
int ckpt_reader_count(const ckpt_reader *r, const char *file);
// Reads bytes [first, first+bytes) of one tensor, as float32; checks the checksums of the extents
// it touches (each extent once per reader). ORR_ECORRUPT names file and extent.
orr_code ckpt_read(ckpt_reader *r, const char *file, const char *tensor, uint64_t first,
                   size_t bytes, void *host);
orr_code ckpt_verify(ckpt_reader *r); // all extents
void ckpt_close(ckpt_reader *r);

#endif
