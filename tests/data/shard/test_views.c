// labels: quick
// Views of a frame: written, read back through shard and index, and refused where they are none.
#include "tests/data/shards.h"

static const data_views pair = {2, {{"base", 0, 0, 16, 8}, {"wrist", 16, 0, 8, 8}}};

static data_shard_format format_with(data_views v) {
  data_shard_format f = shards_format(8, 24, 0);
  f.views = v;
  return f;
}

static void test_views_are_read_back_through_shard_and_index(void **state) {
  const char *dir = shards_folder("views");
  const data_shard_format f = format_with(pair);
  char path[1024], words[256];
  data_shard *s = NULL;
  data_index *x = NULL;
  shards_data_set(dir, &f, 2, 2, 5);
  assert_int_equal(data_shard_name_in(dir, 1, path, sizeof path), ORR_OK);
  assert_int_equal(data_shard_open(path, &s), ORR_OK);
  assert_int_equal(data_views_equal(&pair, "a", &data_shard_get_format(s)->views, "b"), ORR_OK);
  data_shard_close(s);
  assert_int_equal(data_index_open(dir, &x), ORR_OK);
  assert_int_equal(data_views_equal(&pair, "a", &x->format.views, "b"), ORR_OK);
  data_index_close(x);
  data_views_words(&pair, words, sizeof words);
  assert_string_equal(words, "base 16 x 8 at 0,0, wrist 8 x 8 at 16,0");
  orr_fs_remove_tree(dir);
}

// One that differs from `pair` in its second view.
static data_views second(const char *name, int64_t x, int64_t y, int64_t width, int64_t height) {
  data_views v = pair;
  v.of[1] = (data_view){.x = x, .y = y, .width = width, .height = height};
  snprintf(v.of[1].name, sizeof v.of[1].name, "%s", name);
  return v;
}

static void test_what_is_no_frame_of_views_is_refused(void **state) {
  const struct {
    data_views views;
    const char *says;
  } cases[] = {
      {second("", 16, 0, 8, 8), "no name"},          {second("base", 16, 0, 8, 8), "named base"},
      {second("wrist", 8, 0, 16, 8), "overlap"},     {second("wrist", 16, 0, 8, 4), "gap"},
      {second("wrist", 16, 0, 9, 8), "span 25 x 8"}, {second("wrist", -1, 0, 8, 8), "wrist"},
      {second("wrist", 16, 0, 0, 8), "wrist"},       {second("wrist", 20, 0, 4, 8), "gap"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const data_shard_format f = format_with(cases[i].views);
    data_shard_writer *w = NULL;
    assert_int_equal(data_shard_writer_create("views.h5", &f, DATA_FILTER_NONE, &w), ORR_EINVAL);
    assert_message_names("views.h5", cases[i].says);
  }
  assert_false(orr_fs_exists("views.h5"));
}

static void test_shards_of_other_views_are_no_data_set(void **state) {
  const char *dir = shards_folder("views-differ");
  const data_shard_format a = format_with(pair), b = format_with((data_views){0});
  const int64_t length = 3;
  char path[1024];
  for (int i = 0; i < 2; i++) {
    assert_int_equal(data_shard_name_in(dir, i, path, sizeof path), ORR_OK);
    assert_int_equal(shards_write(path, i ? &b : &a, DATA_FILTER_NONE, i, &length, 1, 0), ORR_OK);
  }
  assert_int_equal(data_index_build(dir, NULL), ORR_EINVAL);
  assert_message_names("shard-00001.h5", "views are none", "wrist 8 x 8 at 16,0");
  orr_fs_remove_tree(dir);
}

static void test_views_in_patches(void **state) {
  data_views v;
  assert_int_equal(data_views_in_patches(&pair, 8, "set", &v), ORR_OK);
  assert_true(v.of[1].x == 2 && v.of[1].width == 1 && v.of[0].height == 1);
  assert_int_equal(data_views_check(&v, 0, 0, 3, "set"), ORR_OK); // three tokens
  assert_int_equal(data_views_check(&v, 0, 0, 4, "set"), ORR_EINVAL);
  assert_int_equal(data_views_in_patches(&pair, 16, "set", &v), ORR_EINVAL);
  assert_message_names("set", "base", "patches of 16");
}

static void test_text_that_is_no_list_of_views_is_refused(void **state) {
  static const char *const texts[] = {"{}", "[1]", "[{\"name\": \"a\", \"x\": 0}]",
                                      "[{\"name\": \"01234567890123456789012345678901\", \"x\": 0, "
                                      "\"y\": 0, \"width\": 1, \"height\": 1}]"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    json_t *j = NULL;
    data_views v;
    assert_int_equal(orr_json_parse("text", texts[i], strlen(texts[i]), &j), ORR_OK);
    assert_int_equal(data_views_parse(j, "shard.h5", &v), ORR_EFORMAT);
    assert_message_names("shard.h5");
    json_decref(j);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_views_are_read_back_through_shard_and_index),
      cmocka_unit_test(test_what_is_no_frame_of_views_is_refused),
      cmocka_unit_test(test_shards_of_other_views_are_no_data_set),
      cmocka_unit_test(test_views_in_patches),
      cmocka_unit_test(test_text_that_is_no_list_of_views_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
