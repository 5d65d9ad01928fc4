// Views: several cameras in one frame, as named rectangles of it. Together they are the frame: each
// of its pixels belongs to one of them. A frame without views is one picture.
//
// As text, in the attribute `views` of a shard and in index.json:
//   [{"name": "base", "x": 0, "y": 0, "width": 64, "height": 64},
//    {"name": "wrist", "x": 64, "y": 0, "width": 64, "height": 64}]
// Their order is that of the views' embedding in a model. Numbers are pixels of /frames from its
// upper left corner; where there are /tokens alone, tokens of a frame.
#ifndef DATA_VIEWS_H
#define DATA_VIEWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"

enum { DATA_VIEWS_MAX = 16, DATA_VIEW_NAME_MAX = 32 }; // the name's end included

typedef struct {
  char name[DATA_VIEW_NAME_MAX];
  int64_t x, y, width, height;
} data_view;

// Of a frame; n = 0: it is one picture.
typedef struct {
  int64_t n;
  data_view of[DATA_VIEWS_MAX];
} data_views;

// Local. Whether they are named apart and together make up a frame of [height,width], or, with
// height 0, one of `area` in all. ORR_EINVAL names `what`, the view and what is wrong with it.
orr_code data_views_check(const data_views *v, int64_t height, int64_t width, int64_t area,
                          const char *what);
// Local. ORR_EINVAL naming what differs unless both have the same views.
orr_code data_views_equal(const data_views *a, const char *a_name, const data_views *b,
                          const char *b_name);
// Local. *out (=) the same rectangles in units of `side` pixels. ORR_EINVAL names `what` and a view
// whose sides do not lie on multiples of it.
orr_code data_views_in_patches(const data_views *v, int64_t side, const char *what,
                               data_views *out);

// Local. "base 64 x 64 at 0,0, wrist 64 x 64 at 64,0" (width x height), or "none".
void data_views_words(const data_views *v, char *out, size_t size);
// Local. A new array, NULL when out of memory.
json_t *data_views_json(const data_views *v);
// Local. The reverse. ORR_EFORMAT names `what`.
orr_code data_views_parse(const json_t *list, const char *what, data_views *out);

#endif
