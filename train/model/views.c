#include "train/model/views.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static orr_code read_view(const char *words, data_view *out) {
  char rest;
  long long x, y, width, height;
  const int n =
      sscanf(words, "%31s %lld %lld %lld %lld %c", out->name, &x, &y, &width, &height, &rest);
  ORR_CHECK(
      n == 5, ORR_ECONFIG,
      "model.views: '%s', wanted \"NAME X Y WIDTH HEIGHT\" in tokens, such as \"wrist 8 0 8 8\"",
      words);
  out->x = x, out->y = y, out->width = width, out->height = height;
  return ORR_OK;
}

orr_code train_views_of(const cfg *c, data_views *out) {
  *out = (data_views){0};
  for (int i = 0; i < c->model.views.n; i++) ORR_TRY(read_view(c->model.views.v[i], &out->of[i]));
  out->n = c->model.views.n;
  const orr_code rc = data_views_check(out, c->model.rows, c->model.cols, 0, "model.views");
  if (rc != ORR_OK) *out = (data_views){0};
  return rc == ORR_EINVAL ? ORR_ECONFIG : rc;
}

// As a line of a configuration would say them.
static void lines_of(const data_views *v, char *out, size_t size) {
  size_t used = (size_t)snprintf(out, size, "[");
  for (int64_t i = 0; i < v->n && used < size; i++)
    used += (size_t)snprintf(
        out + used, size - used, "%s\"%s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\"",
        i ? ", " : "", v->of[i].name, v->of[i].x, v->of[i].y, v->of[i].width, v->of[i].height);
  if (used < size) snprintf(out + used, size - used, "]");
}

orr_code train_views_fit(const data_views *model, int64_t rows, int64_t cols,
                         const data_shard_format *f, const char *dir) {
  data_views theirs = f->views;
  char got[768], wanted[768];
  if (model->n == 0) return ORR_OK;
  if (f->height && theirs.n) {
    const int64_t side = f->height / rows;
    ORR_CHECK(side * rows == f->height && side * cols == f->width, ORR_EINVAL,
              "%s: frames of %" PRId64 " x %" PRId64 " (height x width) are not %" PRId64
              " x %" PRId64 " square tokens",
              dir, f->height, f->width, rows, cols);
    ORR_TRY(data_views_in_patches(&f->views, side, dir, &theirs));
  }
  bool equal = theirs.n == model->n;
  for (int64_t i = 0; equal && i < theirs.n; i++) {
    const data_view *a = &theirs.of[i], *b = &model->of[i];
    equal = strcmp(a->name, b->name) == 0 && a->x == b->x && a->y == b->y && a->width == b->width &&
            a->height == b->height;
  }
  if (equal) return ORR_OK;
  lines_of(&theirs, got, sizeof got);
  lines_of(model, wanted, sizeof wanted);
  return ORR_FAIL(
      ORR_EINVAL,
      "%s: its frames have the views %s (in tokens), the model's are %s; all data sets of "
      "a model with views have the same: set model.views to them, or to [] to take "
      "frames as one picture",
      dir, got, wanted);
}

train_view_place train_views_place(const data_views *v, int64_t cols, int64_t s) {
  const int64_t row = s / cols, col = s % cols;
  for (int64_t i = 0; v && i < v->n; i++) {
    const data_view *x = &v->of[i];
    if (col >= x->x && col < x->x + x->width && row >= x->y && row < x->y + x->height)
      return (train_view_place){.view = (int)i, .row = row - x->y, .col = col - x->x};
  }
  return (train_view_place){.view = -1, .row = row, .col = col};
}
