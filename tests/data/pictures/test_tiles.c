// labels: quick
// Frames under letters: each where it belongs, labelled, and in a picture that fits a screen.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pictures/tiles.h"

enum { H = 5, W = 7, BYTES = H * W * 3, MOST = 64 };

typedef struct {
  uint8_t frames[MOST][BYTES]; // of one colour each
  const uint8_t *frame[MOST];
  data_tiles_label name[MOST];
} fixture;

static void make(fixture *f, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    memset(f->frames[i], (int)(60 + i), BYTES);
    f->frame[i] = f->frames[i];
    snprintf(f->name[i], sizeof f->name[i], "%d", (int)i);
  }
}

static data_canvas draw(const data_tiles *t) {
  data_canvas c = {0};
  data_tiles_size(t, &c.height, &c.width);
  c.rgb = malloc((size_t)(c.height * c.width * 3));
  memset(c.rgb, 1, (size_t)(c.height * c.width * 3)); // no pixel may stay
  data_tiles_draw(t, &c);
  return c;
}

// Pixels of one grey in rows [top,top+height).
static int64_t greys(const data_canvas *c, int64_t top, int64_t height, int grey) {
  int64_t n = 0;
  for (int64_t i = top * c->width; i < (top + height) * c->width; i++)
    n += c->rgb[3 * i] == grey && c->rgb[3 * i + 1] == grey && c->rgb[3 * i + 2] == grey;
  return n;
}

// The first pixel of a grey, in reading order.
static void place(const data_canvas *c, int grey, int64_t *y, int64_t *x) {
  int64_t i = 0;
  while (i < c->height * c->width && c->rgb[3 * i] != grey) i++;
  assert_true(i < c->height * c->width);
  *y = i / c->width;
  *x = i % c->width;
}

static void test_every_frame_is_shown_whole_and_in_its_place(void **state) {
  fixture f;
  make(&f, 6);
  data_tiles_group g = {.frame = f.frame};
  const data_tiles t = {
      .height = H, .width = W, .scale = 4, .rows = 2, .columns = 3, .count = 1, .group = &g};
  data_canvas c = draw(&t);
  int64_t y[6], x[6];
  for (int i = 0; i < 6; i++) {
    assert_int_equal(greys(&c, 0, c.height, 60 + i), H * W * 16);
    place(&c, 60 + i, &y[i], &x[i]);
  }
  assert_true(y[0] == y[1] && y[1] == y[2] && y[3] >= y[0] + H * 4 && y[3] == y[5]);
  assert_true(x[0] == x[3] && x[1] == x[4] && x[1] >= x[0] + W * 4 && x[2] >= x[1] + W * 4);
  assert_int_equal(greys(&c, 0, c.height, 1), 0);  // all was written
  assert_int_equal(greys(&c, 0, c.height, 32), 0); // no letters without labels
  free(c.rgb);
}

static void test_a_place_without_a_frame_stays_empty(void **state) {
  fixture f;
  make(&f, 4);
  f.frame[2] = NULL;
  data_tiles_group g = {.frame = f.frame};
  data_canvas c = draw(&(data_tiles){
      .height = H, .width = W, .scale = 1, .rows = 2, .columns = 2, .count = 1, .group = &g});
  assert_int_equal(greys(&c, 0, c.height, 62), 0);
  assert_int_equal(greys(&c, 0, c.height, 63), H * W);
  free(c.rgb);
}

static void test_many_columns_wrap_into_bands_that_fit_a_screen(void **state) {
  fixture f;
  make(&f, 36);
  data_tiles_group g = {.column = f.name, .frame = f.frame};
  data_tiles t = {
      .height = H, .width = W, .scale = 50, .rows = 1, .columns = 36, .count = 1, .group = &g};
  data_canvas c = draw(&t); // 350 pixels each: four a band
  int64_t y[36], x[36];
  assert_true(c.width <= DATA_TILES_WIDTH);
  for (int i = 0; i < 36; i++) {
    assert_int_equal(greys(&c, 0, c.height, 60 + i), H * W * 2500);
    place(&c, 60 + i, &y[i], &x[i]);
    assert_int_equal(x[i], x[i % 4]);
    assert_true(i < 4 ? y[i] == y[0] : y[i] > y[i - 4]);
    if (i % 4 == 0) assert_true(greys(&c, y[i] - 18, 18, 32) > 0); // every band has its labels
  }
  t.scale = 300; // one frame is wider than the picture may be
  int64_t height, width;
  data_tiles_size(&t, &height, &width);
  assert_true(width >= W * 300 && width < W * 300 + 20);
  free(c.rgb);
}

static void test_titles_and_rows_are_labelled_and_never_cut(void **state) {
  fixture f;
  make(&f, 2);
  const data_tiles_label rows[] = {"real", "model"};
  data_tiles_group g[2] = {
      {.title = "a rather long title of a picture", .row = rows, .frame = f.frame},
      {.title = "second", .row = rows, .frame = f.frame}};
  const data_tiles t = {
      .height = H, .width = W, .scale = 8, .rows = 2, .columns = 1, .count = 2, .group = g};
  data_canvas c = draw(&t);
  assert_true(c.width >= (int64_t)strlen(g[0].title) * DATA_FONT_ADVANCE * 2);
  int64_t y, x;
  place(&c, 60, &y, &x);
  assert_true(x >= 5 * DATA_FONT_ADVANCE * 2); // right of the longest row's name
  assert_true(greys(&c, 0, y, 32) > 100);
  assert_int_equal(greys(&c, 0, c.height, 60), 2 * H * W * 64); // in both groups
  free(c.rgb);
}

static void test_the_room_for_letters_can_be_set_so_that_a_film_keeps_its_size(void **state) {
  fixture f;
  make(&f, 2);
  data_tiles_group g = {.column = f.name, .frame = f.frame};
  data_tiles t = {.height = H,
                  .width = W,
                  .scale = 10,
                  .rows = 1,
                  .columns = 2,
                  .letters = 9,
                  .count = 1,
                  .group = &g};
  int64_t height[2], width[2];
  for (int i = 0; i < 2; i++) {
    data_tiles_size(&t, &height[i], &width[i]);
    snprintf(f.name[0], sizeof f.name[0], "model +12");
  }
  assert_true(height[0] == height[1] && width[0] == width[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_frame_is_shown_whole_and_in_its_place),
      cmocka_unit_test(test_a_place_without_a_frame_stays_empty),
      cmocka_unit_test(test_many_columns_wrap_into_bands_that_fit_a_screen),
      cmocka_unit_test(test_titles_and_rows_are_labelled_and_never_cut),
      cmocka_unit_test(test_the_room_for_letters_can_be_set_so_that_a_film_keeps_its_size),
  };
  return cmocka_run_group_tests_name("data/pictures/tiles", tests, NULL, NULL);
}
