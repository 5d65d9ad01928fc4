// labels: quick; needs: films
// The contact sheet: frames where they belong, bars as long as their actions, any size of frame.
#include "tests/data/shards.h"

#include <png.h>

#include "data/set/sheet.h"

typedef struct {
  uint8_t *rgb;
  int64_t height, width;
} picture;

static picture read_png(const char *path) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  assert_true(png_image_begin_read_from_file(&image, path));
  image.format = PNG_FORMAT_RGB;
  picture p = {malloc(PNG_IMAGE_SIZE(image)), image.height, image.width};
  assert_true(png_image_finish_read(&image, NULL, p.rgb, 0, NULL));
  return p;
}

// Pixels of a colour in columns left .. left+width-1.
static int64_t count(const picture *p, int64_t left, int64_t width, int red, int green, int blue) {
  int64_t n = 0;
  for (int64_t y = 0; y < p->height; y++) {
    for (int64_t x = left; x < left + width; x++) {
      const uint8_t *c = p->rgb + (y * p->width + x) * 3;
      n += c[0] == red && c[1] == green && c[2] == blue;
    }
  }
  return n;
}

// Four of the n black frames of an episode, with the actions of one component.
static picture sheet_of(const char *dir, int64_t height, int64_t width, int64_t n,
                        const float *actions) {
  static const char *const names[] = {"speed"};
  data_shard_format f = shards_format(height, width, 0);
  data_shard_writer *w = NULL;
  data_index *x = NULL;
  data_action_stats stats[1];
  char path[1024];
  uint8_t *frames = calloc((size_t)n, (size_t)(height * width * 3));
  f.Q = 0, f.A = 1, f.action_names = names;
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "shard-00000.h5"), ORR_OK);
  assert_int_equal(data_shard_writer_create(path, &f, DATA_FILTER_NONE, &w), ORR_OK);
  assert_int_equal(
      data_shard_writer_append(w, &(data_shard_rows){.n = n, .frames = frames, .actions = actions}),
      ORR_OK);
  assert_int_equal(data_shard_writer_end_episode(w), ORR_OK);
  assert_int_equal(data_shard_writer_finish(w), ORR_OK);
  data_shard_writer_destroy(w);
  assert_int_equal(data_index_build(dir, NULL), ORR_OK);
  assert_int_equal(data_index_open(dir, &x), ORR_OK);
  assert_int_equal(data_action_stats_read(x, stats), ORR_OK);
  assert_int_equal(orr_fs_join(path, sizeof path, dir, "sheet.png"), ORR_OK);
  assert_int_equal(data_sheet_write(x, stats, 6, 4, path), ORR_OK);
  data_index_close(x);
  free(frames);
  return read_png(path);
}

static void test_bars_are_as_long_as_actions(void **state) {
  const char *dir = shards_folder("sheet-bars");
  const float actions[] = {2, -1, 0.5f, 2}; // the last one leads nowhere
  picture p = sheet_of(dir, 16, 16, 4, actions);
  const int64_t cell = (p.width - 16) / 4;
  int64_t up[4], down[4], black[4];
  for (int i = 0; i < 4; i++) {
    up[i] = count(&p, 16 + i * cell, cell - 16, 38, 110, 200);
    down[i] = count(&p, 16 + i * cell, cell - 16, 214, 96, 24);
    black[i] = count(&p, 16 + i * cell, cell - 16, 0, 0, 0);
    assert_int_equal(black[i], 192 * 192); // each frame, 12 times as large
  }
  assert_true(up[0] > 0 && down[0] == 0 && up[1] == 0 && down[1] > 0 && down[2] == 0);
  assert_true(up[3] == 0 && down[3] == 0);
  // bars have one height, and their ends are rounded to pixels: a range of 3 on 56 of them, of
  // which the mark at zero covers one
  const double bar_height = (double)(up[0] + down[1]) / 56, unit = bar_height * 56 / 3;
  assert_true(up[0] > 2 * unit - 2 * bar_height && up[0] < 2 * unit + 2 * bar_height);
  assert_true(down[1] > unit - 2 * bar_height && down[1] < unit + 2 * bar_height);
  assert_true(up[2] > 0.5 * unit - 2 * bar_height && up[2] < 0.5 * unit + 2 * bar_height);
  free(p.rgb);
  orr_fs_remove_tree(dir);
}

static void test_large_and_long_frames_fit(void **state) {
  const float actions[] = {0, 0, 0, 0}; // a range of nothing
  static const int64_t sizes[][2] = {{720, 1280}, {1, 1}, {400, 8}, {3, 300}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const char *dir = shards_folder("sheet-sizes");
    picture p = sheet_of(dir, sizes[i][0], sizes[i][1], 4, actions);
    assert_true(p.width <= 4 * (384 + 16) + 16 && p.height <= 384 + 200);
    assert_true(count(&p, 0, p.width, 0, 0, 0) > 0);
    free(p.rgb);
    orr_fs_remove_tree(dir);
  }
}

static void test_frames_are_those_between_which_actions_change(void **state) {
  const char *dir = shards_folder("sheet-place");
  float actions[40] = {0};
  actions[33] = 1;
  actions[39] = 9; // leads nowhere
  picture p = sheet_of(dir, 16, 16, 40, actions);
  assert_true(count(&p, 0, p.width, 38, 110, 200) > 0); // the bar of row 33, far from the middle
  free(p.rgb);
  orr_fs_remove_tree(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bars_are_as_long_as_actions),
      cmocka_unit_test(test_large_and_long_frames_fit),
      cmocka_unit_test(test_frames_are_those_between_which_actions_change),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
