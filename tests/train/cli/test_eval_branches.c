// labels: quick
// The table of `orrery eval --by-branch`: a column a branch, a row a figure that any of them has.
#include "tests/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

#include "train/cli/eval_branches.h"

static void test_columns_are_branches_and_rows_figures(void **state) {
  json_t *all = json_object();
  json_t *rooms = json_pack("{s:[f,f,f,f,f], s:f, s:n}", "psnr", 30.0, 29.0, 28.0, 27.0, 26.0,
                            "action_accuracy", 0.875, "revisit_gap_db");
  json_t *face = json_pack("{s:[f], s:f}", "psnr", 31.0, "mouth_corr", 0.5);
  assert_ok(train_eval_branches_add(all, "worlds", "a", rooms));
  assert_ok(train_eval_branches_add(all, "avatars", "b", face));
  assert_ok(train_eval_branches_add(all, "worlds", "c", face)); // a second set of a branch
  assert_int_equal(json_object_size(all), 3);
  assert_non_null(json_object_get(all, "worlds c"));
  char *text = NULL;
  size_t size = 0;
  FILE *to = open_memstream(&text, &size);
  train_eval_branches_print(to, all);
  fclose(to);
  static const char *const lines[] = {
      "                                     worlds      avatars     worlds c\n",
      "  psnr at 1                          30.000       31.000       31.000\n",
      "  psnr at 4                          27.000            -            -\n",
      "  psnr at the last                   26.000       31.000       31.000\n",
      "  action_accuracy                     0.875            -            -\n",
      "  mouth_corr                              -        0.500        0.500\n"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    if (!strstr(text, lines[i])) fail_msg("no '%s' in\n%s", lines[i], text);
  assert_null(strstr(text, "revisit_gap_db")); // nobody has it
  free(text);
  json_decref(face);
  json_decref(rooms);
  json_decref(all);
}

static void assert_strip(const json_t *all, const char *path, const char *branch,
                         const char *wanted) {
  char *out = NULL;
  assert_ok(train_eval_branches_strip(all, path, branch, "runs/b", &out));
  if (wanted)
    assert_string_equal(out, wanted);
  else
    assert_null(out);
  free(out);
}

static void test_a_strip_has_the_name_of_its_branch(void **state) {
  json_t *all = json_pack("{s:{}}", "avatars");
  assert_strip(all, "runs/v1.2/strip.png", "worlds", "runs/v1.2/strip-worlds.png");
  assert_strip(all, "runs/v1.2/strip", "worlds", "runs/v1.2/strip-worlds");
  assert_strip(all, "strip.png", "../x", "strip----x.png");
  assert_strip(all, "strip.png", "avatars", "strip-avatars-runs-b.png"); // the name is taken
  assert_strip(all, NULL, "worlds", NULL);
  json_decref(all);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_columns_are_branches_and_rows_figures),
      cmocka_unit_test(test_a_strip_has_the_name_of_its_branch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
