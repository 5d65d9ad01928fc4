// Film strips of an examination: the simulator's frames over the examinee's.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "data/pictures/tiles.h"
#include "train/exam/paper.h"

enum { SCALE = 2, ROWS = 2, CASES = 2, COLUMNS_MOST = TRAIN_EXAM_FRAMES };

// The films with the smallest and the largest error; false where there is none.
static bool extremes(const train_exam_paper *p, int64_t found[CASES]) {
  double low = INFINITY, high = -INFINITY;
  for (int64_t i = 0; i < 2 * p->rolled; i++) {
    const double v =
        p->film[TRAIN_EXAM_OWN][i * TRAIN_EXAM_FILM_COUNT + TRAIN_EXAM_FILM_position_error];
    if (v < low) {
      low = v;
      found[0] = i;
    }
    if (v > high) {
      high = v;
      found[1] = i;
    }
  }
  return low <= high;
}

static orr_code draw(const train_exam_paper *p, const char *who, const train_exam_set *s,
                     const train_exam_clip *clip, const uint8_t *film, const char *path) {
  const int64_t first = s->event, columns = s->T - first, bytes = s->height * s->width * 3;
  static const char *const titles[CASES] = {"nearest", "farthest"};
  const uint8_t *frame[CASES][ROWS * COLUMNS_MOST];
  data_tiles_label name[COLUMNS_MOST];
  data_tiles_group group[CASES];
  data_tiles_label row[ROWS] = {"simulator"};
  snprintf(row[1], sizeof *row, "%s", who);
  for (int64_t c = 0; c < columns; c++)
    snprintf(name[c], sizeof *name, c ? "+%" PRId64 : "given", c);
  for (int i = 0; i < CASES; i++) {
    for (int64_t c = 0; c < columns; c++) {
      frame[i][c] = train_exam_frame(s, clip[i].episode, first + c);
      frame[i][columns + c] = c ? film + (i * s->T + first + c) * bytes : frame[i][c];
    }
    group[i] = (data_tiles_group){.row = row, .column = name, .frame = frame[i]};
    snprintf(group[i].title, sizeof group[i].title, "%s, %s: %s (episode %" PRId64 ")",
             data_physics_concept_names[p->concept], data_physics_range_names[p->range], titles[i],
             clip[i].episode);
  }
  return data_tiles_write(&(data_tiles){.height = s->height,
                                        .width = s->width,
                                        .scale = SCALE,
                                        .rows = ROWS,
                                        .columns = columns,
                                        .count = CASES,
                                        .group = group},
                          path);
}

static orr_code show(const train_exam_paper *p, const train_examinee *e, const train_exam_set *s,
                     const int64_t found[CASES], const char *path) {
  train_exam_clip clip[CASES];
  uint8_t *film = orr_malloc((size_t)(CASES * s->T * s->height * s->width * 3));
  ORR_CHECK(film, ORR_ENOMEM, "exam: out of memory for a strip");
  for (int i = 0; i < CASES; i++)
    clip[i] = train_exam_possible(s, found[i] / 2, (int)(found[i] % 2));
  orr_code rc = e->predict(e->ctx, clip, CASES, film, NULL);
  if (rc == ORR_OK) rc = draw(p, e->name, s, clip, film, path);
  orr_free(film);
  return rc;
}

orr_code train_exam_paper_show(const train_exam_paper *p, const train_examinee *e,
                               const char *folder) {
  int64_t found[CASES] = {0};
  char name[80];
  orr_path path;
  train_exam_set s;
  if (!extremes(p, found)) return ORR_OK;
  snprintf(name, sizeof name, "case-%s-%s.png", data_physics_concept_names[p->concept],
           data_physics_range_names[p->range]);
  ORR_TRY(orr_fs_join(path, sizeof path, folder, name));
  const train_exam_wish w = train_exam_paper_wish(p, TRAIN_EXAM_pairs);
  ORR_TRY(train_exam_set_load(&w, &s));
  const orr_code rc = show(p, e, &s, found, path);
  train_exam_set_release(&s);
  return rc;
}
