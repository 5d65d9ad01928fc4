// labels: quick
// The report's pages about time: goodput, phases, ranks, events, and two runs side by side.
#include "base/log.h"
#include "data/pictures/film.h"
#include "tests/base/folder.h"
#include "train/report/report.h"

static int setup(void **state) {
  orr_log_setup(ORR_LOG_ERROR, 0, 1);
  return folder_setup(state);
}

static void assert_has(const char *page, const char *piece) {
  if (!strstr(page, piece)) fail_msg("the page has no '%s'", piece);
}

static void store_run(const char *root, const char *name, double ms) {
  char file[128], text[2048];
  snprintf(text, sizeof text,
           "{\"step\": 1, \"loss\": 3, \"step_ms\": %g, \"forward_ms\": 30, \"backward_ms\": 50,"
           " \"tp_ms\": 15, \"other_ms\": 5, \"time\": 1002}\n"
           "{\"step\": 2, \"loss\": 2, \"step_ms\": %g, \"forward_ms\": 30, \"backward_ms\": 50,"
           " \"tp_ms\": 15, \"other_ms\": 5, \"busy_ms_min\": 70, \"busy_ms_median\": 80,"
           " \"busy_ms_max\": 120.5, \"busy_ms_rank\": 3, \"straggler_score\": 1.5, "
           "\"straggler_rank\": 3, \"time\": 1003}\n",
           ms, ms);
  snprintf(file, sizeof file, "%s/metrics.jsonl", name);
  folder_store(root, file, text);
  snprintf(file, sizeof file, "%s/history.jsonl", name);
  folder_store(
      root, file,
      "{\"time\": 1000, \"event\": \"start\", \"step\": 0, \"ranks\": 8, \"host\": \"n<1>\","
      " \"job\": \"42\", \"version\": \"0.1.0\", \"revision\": \"4ecfcc7ab012\","
      " \"memory\": {\"parameters\": 1048576, \"activations\": 3221225472, \"communication\": "
      "24}}\n"
      "{\"time\": 1001, \"event\": \"ready\", \"step\": 0}\n"
      "{\"time\": 1004, \"event\": \"slow\", \"step\": 2, \"words\": \"rank 3 & co\"}\n");
}

static void test_a_run_shows_goodput_phases_ranks_memory_and_events(void **state) {
  char dir[128];
  store_run(*state, "run", 100.0);
  snprintf(dir, sizeof dir, "%s/run", (char *)*state);
  assert_int_equal(train_report_write(dir, NULL), ORR_OK);
  char *page = folder_text(*state, "run/report.html");
  assert_has(page, "5.0% of 4.0 s in steps that counted; 1 start"); // 2 steps of 100 ms
  assert_has(page, "backward <b>50 ms</b> · 50.0%");
  assert_has(page, "waiting along tp <b>15 ms</b> · 15.0%");
  assert_has(page, "<th>computing</th><td>70</td><td>80</td><td>120</td><td>3</td>");
  assert_has(page, "activations <b>3 GiB</b>");
  assert_has(page, "communication <b>24 B</b>");
  assert_has(page, "the first on n&#60;1&#62;");
  assert_has(page, "rank 3 &#38; co");
  assert_null(strstr(page, "busy_ms")); // no curve of its own
  assert_null(strstr(page, "straggler_rank"));
  assert_has(page, "Last start 1970-01-01 00:16:40 UTC on n&#60;1&#62;, 8 ranks, job 42, Orrery "
                   "0.1.0 commit 4ecfcc7ab012.");
  orr_free(page);
}

static void test_two_runs_stand_side_by_side(void **state) {
  char a[128], b[128], out[128];
  store_run(*state, "a", 100.0);
  store_run(*state, "b", 80.0);
  folder_store(*state, "a/config.yaml", "train:\n  steps: 2\n  batch: 4\ndist:\n  tp: 1\n");
  folder_store(*state, "b/config.yaml", "train:\n  steps: 2\n  batch: 8\ndist:\n  tp: 2\n");
  folder_store(*state, "a/eval.json", "{\"loss\": 2}");
  folder_store(*state, "b/eval.json", "{\"loss\": 1.9999}");
  snprintf(a, sizeof a, "%s/a", (char *)*state);
  snprintf(b, sizeof b, "%s/b", (char *)*state);
  snprintf(out, sizeof out, "%s/both.html", (char *)*state);
  assert_int_equal(train_report_compare(a, b, out), ORR_OK);
  char *page = folder_text(*state, "both.html");
  assert_has(page, "<th>ms a step</th><td>100</td><td>80</td><td>-20.0%</td>");
  assert_has(page, "<th>train.batch</th><td>4</td><td>8</td>");
  assert_has(page, "<th>dist.tp</th><td>1</td><td>2</td>");
  assert_null(strstr(page, "train.steps"));
  assert_null(strstr(page, "-0.0%"));
  assert_has(page, "<td>0.0%</td>"); // of 2 and 1.9999
  orr_free(page);
}

// How often `piece` stands in the page.
static int count(const char *page, const char *piece) {
  int n = 0;
  for (const char *at = page; (at = strstr(at, piece)); at++) n++;
  return n;
}

static void store_picture(const char *dir, const char *name) {
  char path[256];
  uint8_t rgb[8 * 8 * 3] = {0};
  snprintf(path, sizeof path, "%s/%s", dir, name);
  assert_int_equal(data_film_write(path, rgb, 1, 8, 8, 10, 1), ORR_OK);
}

static void test_two_evaluations_are_told_apart_by_differences_curves_and_pictures(void **state) {
  char a[128], b[128], out[128];
  store_run(*state, "a", 100.0);
  store_run(*state, "b", 80.0);
  folder_store(*state, "a/eval.json",
               "{\"psnr\": [30, 28.5], \"ssim\": [0.9, 0.85], \"drift\": -1.1, \"steps\": 4, "
               "\"clips\": 64, \"effect_corr\": 0.5}");
  folder_store(*state, "b/eval.json",
               "{\"psnr\": [31, 29.5], \"ssim\": [0.91, 0.87], \"drift\": -1.0, \"steps\": 2, "
               "\"clips\": 64, \"effect_corr\": -0.25}");
  store_picture(*state, "a/strip.png");
  store_picture(*state, "b/strip.png");
  store_picture(*state, "b/rollout.gif");
  snprintf(a, sizeof a, "%s/a", (char *)*state);
  snprintf(b, sizeof b, "%s/b", (char *)*state);
  snprintf(out, sizeof out, "%s/both.html", (char *)*state);
  assert_int_equal(train_report_compare(a, b, out), ORR_OK);
  char *page = folder_text(*state, "both.html");
  assert_has(page, "<th>drift, dB a frame</th><td>−1.100</td><td>−1</td><td>+0.100</td>");
  assert_has(page, "<th>PSNR, dB, 2 frames on</th><td>28.50</td><td>29.50</td><td>+1</td>");
  assert_has(
      page,
      "<th>effect of actions, correlation</th><td>0.5000</td><td>−0.2500</td><td>−0.750</td>");
  assert_has(page, "<th>decoding passes a frame</th><td>4</td><td>2</td><td></td>");
  assert_int_equal(count(page, "<th>steps</th>"), 1); // those of the training
  assert_has(page, "PSNR against horizon, dB");
  assert_has(page, "Structural similarity");
  assert_has(page, "A: strip.png");
  assert_has(page, "B: strip.png");
  assert_has(page, "A: no picture");
  assert_has(page, "B: rollout.gif");
  orr_free(page);
}

static void test_a_comparison_with_nothing_is_refused(void **state) {
  char a[128], b[128];
  store_run(*state, "a", 100.0);
  folder_store(*state, "b/eval.json", "{\"psnr\": [1]}");
  snprintf(a, sizeof a, "%s/a", (char *)*state);
  snprintf(b, sizeof b, "%s/b", (char *)*state);
  assert_int_equal(train_report_compare(a, b, "/nowhere/x.html"), ORR_ENOTFOUND);
  assert_string_equal(orr_status_message(), "b: no metrics.jsonl to compare");
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define EACH(t) cmocka_unit_test_setup_teardown(t, setup, folder_teardown)
      EACH(test_a_run_shows_goodput_phases_ranks_memory_and_events),
      EACH(test_two_runs_stand_side_by_side),
      EACH(test_two_evaluations_are_told_apart_by_differences_curves_and_pictures),
      EACH(test_a_comparison_with_nothing_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
