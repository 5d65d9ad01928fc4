#include "data/shard/views.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "data/shard/format.h"

static bool overlap(const data_view *a, const data_view *b) {
  return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height &&
         b->y < a->y + a->height;
}

static orr_code check_view(const data_view *v, const char *what) {
  ORR_CHECK(v->name[0], ORR_EINVAL, "%s: a view has no name", what);
  ORR_CHECK(v->x >= 0 && v->y >= 0 && v->width >= 1 && v->height >= 1 &&
                v->x <= DATA_SHARD_SIDE_MAX && v->y <= DATA_SHARD_SIDE_MAX &&
                v->width <= DATA_SHARD_SIDE_MAX && v->height <= DATA_SHARD_SIDE_MAX,
            ORR_EINVAL,
            "%s: view %s is %" PRId64 " x %" PRId64 " at %" PRId64 ",%" PRId64
            ", wanted sides of 1 to %d inside the frame",
            what, v->name, v->width, v->height, v->x, v->y, DATA_SHARD_SIDE_MAX);
  return ORR_OK;
}

static orr_code check_apart(const data_views *v, int64_t i, const char *what) {
  for (int64_t j = 0; j < i; j++) {
    ORR_CHECK(strcmp(v->of[i].name, v->of[j].name) != 0, ORR_EINVAL, "%s: two views are named %s",
              what, v->of[i].name);
    ORR_CHECK(!overlap(&v->of[i], &v->of[j]), ORR_EINVAL,
              "%s: views %s and %s overlap; a pixel belongs to one view", what, v->of[j].name,
              v->of[i].name);
  }
  return ORR_OK;
}

orr_code data_views_check(const data_views *v, int64_t height, int64_t width, int64_t area,
                          const char *what) {
  int64_t covered = 0, right = 0, bottom = 0;
  ORR_CHECK(v->n >= 0 && v->n <= DATA_VIEWS_MAX, ORR_EINVAL,
            "%s: %" PRId64 " views, wanted at most %d", what, v->n, DATA_VIEWS_MAX);
  if (v->n == 0) return ORR_OK;
  for (int64_t i = 0; i < v->n; i++) {
    const data_view *x = &v->of[i];
    ORR_TRY(check_view(x, what));
    ORR_TRY(check_apart(v, i, what));
    covered += x->width * x->height;
    if (x->x + x->width > right) right = x->x + x->width;
    if (x->y + x->height > bottom) bottom = x->y + x->height;
  }
  ORR_CHECK(covered == right * bottom, ORR_EINVAL,
            "%s: the views cover %" PRId64 " of the %" PRId64 " x %" PRId64
            " (width x height) that they span; together they are the frame, without a gap",
            what, covered, right, bottom);
  ORR_CHECK(!height || (right == width && bottom == height), ORR_EINVAL,
            "%s: the views span %" PRId64 " x %" PRId64 " (width x height), the frame has %" PRId64
            " x %" PRId64 "; together they are the frame",
            what, right, bottom, width, height);
  ORR_CHECK(height || covered == area, ORR_EINVAL,
            "%s: the views span %" PRId64 " x %" PRId64 " (width x height), the frame has %" PRId64
            " tokens; together they are the frame",
            what, right, bottom, area);
  return ORR_OK;
}

static bool same(const data_view *a, const data_view *b) {
  return strcmp(a->name, b->name) == 0 && a->x == b->x && a->y == b->y && a->width == b->width &&
         a->height == b->height;
}

orr_code data_views_equal(const data_views *a, const char *a_name, const data_views *b,
                          const char *b_name) {
  char in_a[512], in_b[512];
  bool equal = a->n == b->n;
  for (int64_t i = 0; equal && i < a->n; i++) equal = same(&a->of[i], &b->of[i]);
  if (equal) return ORR_OK;
  data_views_words(a, in_a, sizeof in_a);
  data_views_words(b, in_b, sizeof in_b);
  return ORR_FAIL(ORR_EINVAL,
                  "%s: views are %s, but %s in %s; shards of one folder must agree, use a folder "
                  "for each kind",
                  b_name, in_b, in_a, a_name);
}

orr_code data_views_in_patches(const data_views *v, int64_t side, const char *what,
                               data_views *out) {
  *out = *v;
  for (int64_t i = 0; i < v->n; i++) {
    data_view *x = &out->of[i];
    ORR_CHECK(x->x % side == 0 && x->y % side == 0 && x->width % side == 0 && x->height % side == 0,
              ORR_EINVAL,
              "%s: view %s is %" PRId64 " x %" PRId64 " (width x height) at %" PRId64 ",%" PRId64
              ", which does not lie on the patches of %" PRId64
              " pixels of the tokenizer; a token belongs to one view",
              what, x->name, x->width, x->height, x->x, x->y, side);
    x->x /= side;
    x->y /= side;
    x->width /= side;
    x->height /= side;
  }
  return ORR_OK;
}

// -- words and JSON -------------------------------------------------------------------------

void data_views_words(const data_views *v, char *out, size_t size) {
  snprintf(out, size, "none");
  for (int64_t i = 0, used = 0; i < v->n && (size_t)used < size; i++) {
    const data_view *x = &v->of[i];
    used += snprintf(out + used, size - (size_t)used,
                     "%s%s %" PRId64 " x %" PRId64 " at %" PRId64 ",%" PRId64, i ? ", " : "",
                     x->name, x->width, x->height, x->x, x->y);
  }
}

json_t *data_views_json(const data_views *v) {
  json_t *list = json_array();
  for (int64_t i = 0; list && i < v->n; i++) {
    const data_view *x = &v->of[i];
    json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I}", "name", x->name, "x",
                                          (json_int_t)x->x, "y", (json_int_t)x->y, "width",
                                          (json_int_t)x->width, "height", (json_int_t)x->height));
  }
  return list;
}

static orr_code parse_view(const json_t *entry, const char *what, data_view *out) {
  const char *name = NULL;
  ORR_TRY(orr_json_get_str(entry, what, "name", &name));
  ORR_CHECK(strlen(name) < sizeof out->name, ORR_EFORMAT,
            "%s: the name of a view has %zu bytes, wanted at most %zu", what, strlen(name),
            sizeof out->name - 1);
  memcpy(out->name, name, strlen(name) + 1);
  ORR_TRY(orr_json_get_i64(entry, what, "x", &out->x));
  ORR_TRY(orr_json_get_i64(entry, what, "y", &out->y));
  ORR_TRY(orr_json_get_i64(entry, what, "width", &out->width));
  return orr_json_get_i64(entry, what, "height", &out->height);
}

orr_code data_views_parse(const json_t *list, const char *what, data_views *out) {
  *out = (data_views){0};
  ORR_CHECK(json_is_array(list) && json_array_size(list) <= DATA_VIEWS_MAX, ORR_EFORMAT,
            "%s: views are no list of at most %d rectangles", what, DATA_VIEWS_MAX);
  for (size_t i = 0; i < json_array_size(list); i++)
    ORR_TRY(parse_view(json_array_get(list, i), what, &out->of[i]));
  out->n = (int64_t)json_array_size(list);
  return ORR_OK;
}
