// The state in the memory of the nodes, twice: every ckpt.copies_every steps each rank writes its
// part of a checkpoint, and the part of the rank ckpt.copies_shift before it, into a folder of its
// own on its node (ckpt.copies_dir, a tmpfs). When a node is lost, what the others have is a whole
// checkpoint (slurm/job.sh puts it together). Files and extents are those of any checkpoint
// (checkpoints/layout.h), with holes where others write; rank 0's folder has the manifest.
#ifndef TRAIN_COPIES_H
#define TRAIN_COPIES_H

#include <jansson.h>

#include "configs/config.h"
#include "train/model/axes.h"
#include "train/save/saver.h"
#include "train/step/state.h"

typedef struct train_copies train_copies;

// Local, while axes plan. What copies will need, on top of what *out has; nothing where there are
// none.
orr_code train_copies_plan(const cfg *c, train_axes *axes, train_state *state,
                           train_saver_needs *out);
// Local. *out (=) NULL where the configuration asks for none, or there is one rank. Borrows axes
// and state.
orr_code train_copies_create(const cfg *c, train_axes *axes, train_state *state,
                             train_copies **out);
void train_copies_destroy(train_copies *x); // takes NULL
// Collective over the world. Writes both parts of the state after `step`; what could not be written
// is warned of, and training goes on. `meta` is taken over.
orr_code train_copies_make(train_copies *x, int64_t step, json_t *meta);
// Collective over the world, once the lines of all steps up to the copies' are written. They take
// the place of the copies before them.
orr_code train_copies_conclude(train_copies *x);

#endif
