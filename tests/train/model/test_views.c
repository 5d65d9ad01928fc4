// labels: quick
// Views of a model: what they are, what they do to the places of tokens, and which data sets they
// take.
#include <stdio.h>

#include "tests/base/assert.h"
#include "train/model/rope.h"
#include "train/model/views.h"

static cfg *config(const char *views) {
  char text[256];
  cfg *c = NULL;
  assert_ok(cfg_create(&c));
  assert_ok(cfg_set(c, "model.rows=2"));
  assert_ok(cfg_set(c, "model.cols=3"));
  snprintf(text, sizeof text, "model.views=%s", views);
  assert_ok(cfg_set(c, text));
  return c;
}

static void test_words_become_views_or_are_refused_by_name(void **state) {
  static const struct {
    const char *words, *says;
  } bad[] = {{"[base 0 0 2 2]", "span 2 x 2"},
             {"[base 0 0 2 2, wrist 1 0 2 2]", "overlap"},
             {"[base 0 0 3]", "wanted \"NAME X Y WIDTH HEIGHT\""},
             {"[base 0 0 3 2 1]", "'base 0 0 3 2 1'"},
             {"[base 0 0 2 2, base 2 0 1 2]", "named base"}};
  data_views v;
  cfg *c = config("[base 0 0 2 2, wrist 2 0 1 2]");
  assert_ok(train_views_of(c, &v));
  assert_true(v.n == 2 && v.of[1].x == 2 && v.of[1].width == 1 && v.of[1].height == 2);
  assert_string_equal(v.of[1].name, "wrist");
  cfg_destroy(c);
  c = config("[]");
  assert_ok(train_views_of(c, &v));
  assert_int_equal(v.n, 0);
  cfg_destroy(c);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    c = config(bad[i].words);
    assert_int_equal(train_views_of(c, &v), ORR_ECONFIG);
    assert_message_names("model.views", bad[i].says);
    cfg_destroy(c);
  }
}

static void test_places_count_from_the_corner_of_a_view(void **state) {
  const data_views v = {2, {{"base", 0, 0, 2, 2}, {"wrist", 2, 0, 1, 2}}};
  train_rope apart = {0}, one = {0};
  const train_view_place p = train_views_place(&v, 3, 5), q = train_views_place(NULL, 3, 5);
  assert_true(p.view == 1 && p.row == 1 && p.col == 0);
  assert_true(q.view == -1 && q.row == 1 && q.col == 2);
  assert_ok(train_rope_space(&apart, 1, 2, 3, 1, 8, &v));
  assert_ok(train_rope_space(&one, 1, 2, 3, 1, 8, NULL));
  const size_t row = 4 * sizeof(float);
  for (int n = 0; n < 8; n++) { // tokens 1 .. 6 lie in the frame; 3 and 6 in the second view
    const bool wrist = n == 3 || n == 6;
    const float *got = apart.host + n * 4, *same = one.host + (wrist ? n - 2 : n) * 4;
    assert_memory_equal(got, same, row);
  }
  train_rope_release(&one);
  train_rope_release(&apart);
}

static void test_a_data_set_of_other_views_is_refused(void **state) {
  const data_views model = {2, {{"base", 0, 0, 2, 2}, {"wrist", 2, 0, 1, 2}}}, none = {0};
  data_shard_format tokens = {.S = 6, .views = model},
                    frames = {.height = 16,
                              .width = 24,
                              .views = {2, {{"base", 0, 0, 16, 16}, {"wrist", 16, 0, 8, 16}}}};
  assert_ok(train_views_fit(&model, 2, 3, &tokens, "set"));
  assert_ok(train_views_fit(&model, 2, 3, &frames, "set"));
  assert_ok(train_views_fit(&none, 2, 3, &frames, "set")); // one picture
  frames.views.of[1].width = 4;
  frames.views.of[0].width = 20;
  frames.views.of[1].x = 20;
  assert_int_equal(train_views_fit(&model, 2, 3, &frames, "set"), ORR_EINVAL);
  assert_message_names("set", "view base", "patches of 8");
  tokens.views.of[0].width = 1;
  tokens.views.of[1] = (data_view){"wrist", 1, 0, 2, 2};
  assert_int_equal(train_views_fit(&model, 2, 3, &tokens, "set"), ORR_EINVAL);
  assert_message_names("set", "\"wrist 1 0 2 2\"", "\"wrist 2 0 1 2\"");
  tokens.views.n = 0;
  assert_int_equal(train_views_fit(&model, 2, 3, &tokens, "set"), ORR_EINVAL);
  assert_message_names("views []", "model.views");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words_become_views_or_are_refused_by_name),
      cmocka_unit_test(test_places_count_from_the_corner_of_a_view),
      cmocka_unit_test(test_a_data_set_of_other_views_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
