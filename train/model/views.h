// The views of a model's frames (data/shard/views.h), in tokens: each has its own rows and columns
// for the rotary embedding of space, and an embedding that its tokens carry. Local.
#ifndef TRAIN_VIEWS_H
#define TRAIN_VIEWS_H

#include "base/status.h"
#include "configs/config.h"
#include "data/shard/shard.h"

// *out (=) those of model.views: "NAME X Y WIDTH HEIGHT" each; none when that is empty. ORR_ECONFIG
// names the entry, or what they do not make up of model.rows x model.cols.
orr_code train_views_of(const cfg *c, data_views *out);
// ORR_EINVAL names both unless the frames of a data set have the views of the model, which has rows
// x cols tokens. A model without views takes any frame as one picture.
orr_code train_views_fit(const data_views *model, int64_t rows, int64_t cols,
                         const data_shard_format *f, const char *dir);

typedef struct {
  int view;         // -1: there are none
  int64_t row, col; // in the view, or in the frame where there are none
} train_view_place;
// Of token s of frames of `cols` columns.
train_view_place train_views_place(const data_views *v, int64_t cols, int64_t s);

#endif
