// labels: quick
// The report: what it reads, how it writes, and the page as a whole.
#include <ctype.h>
#include <math.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "data/pictures/film.h"
#include "tests/base/folder.h"
#include "train/report/report.h"
#include "train/report/chart.h"
#include "train/report/data.h"
#include "train/report/html.h"

static int setup(void **state) {
  orr_log_setup(ORR_LOG_ERROR, 0, 1);
  return folder_setup(state);
}

// `steps` lines of falling loss; step `spike` jumps to 77.
static void store_metrics(const char *dir, const char *name, int steps, int spike) {
  size_t room = (size_t)steps * 128 + 1, used = 0;
  char *text = malloc(room);
  for (int s = 1; s <= steps; s++)
    used += (size_t)snprintf(text + used, room - used,
                             "{\"step\": %d, \"loss\": %.5f, \"lr\": 1e-3, \"step_ms\": 12.5, "
                             "\"comm_ms\": 2.5}\n",
                             s, s == spike ? 7654.0 : 1 + 5 * exp(-s / 100.0));
  folder_store(dir, name, text);
  free(text);
}

static void store_pictures(const char *dir, const char *folder) {
  uint8_t frames[3][8][8][3];
  for (size_t i = 0; i < sizeof frames; i++) (&frames[0][0][0][0])[i] = (uint8_t)(i * 7);
  char path[256];
  snprintf(path, sizeof path, "%s/%s/rollout.gif", dir, folder);
  assert_int_equal(data_film_write(path, frames[0][0][0], 3, 8, 8, 10, 1), ORR_OK);
  snprintf(path, sizeof path, "%s/%s/strip.png", dir, folder);
  assert_int_equal(data_film_write(path, frames[0][0][0], 3, 8, 8, 10, 1), ORR_OK);
}

// The demo's shape: two stages, figures and pictures.
static void store_demo(const char *dir) {
  store_metrics(dir, "tokenizer/metrics.jsonl", 30, 0);
  store_metrics(dir, "dynamics/metrics.jsonl", 50, 0);
  folder_store(dir, "tokenizer/config.yaml", "train:\n  stage: tokenizer\n  steps: 30\n");
  folder_store(dir, "dynamics/config.yaml", "train:\n  stage: dynamics\n  steps: 80\n");
  folder_store(
      dir, "eval.json",
      "{\"tokenizer_psnr\": 34.56, \"psnr\": [31, 30, 29, 28.31, 27], \"persistence_psnr\": "
      "[26, 25, 24, 23, 22], \"drift\": -1.3, \"effect_corr\": 0.78, \"position_error\": [0.1, "
      "0.2], \"data\": \"clips/<test>\"}");
  store_pictures(dir, ".");
}

static char *page_of(const char *dir) {
  assert_ok(train_report_write(dir, NULL));
  return folder_text(dir, "report.html");
}

static void assert_holds(const char *page, const char *piece) {
  if (!strstr(page, piece)) fail_msg("the page lacks '%s'", piece);
}

static void assert_lacks(const char *page, const char *piece) {
  if (strstr(page, piece)) fail_msg("the page holds '%s'", piece);
}

static bool is_void(const char *name) {
  const char *const voids[] = {"meta", "input", "img", "br", "!doctype", NULL};
  for (int i = 0; voids[i]; i++)
    if (strcmp(name, voids[i]) == 0) return true;
  return false;
}

// Every element is closed, in order. Script and style hold no tags.
static void assert_balanced(const char *page) {
  char open[64][16];
  int depth = 0;
  for (const char *p = strchr(page, '<'); p; p = strchr(p, '<')) {
    bool closing = p[1] == '/';
    char name[16] = "";
    for (int i = 0; i < 15 && (isalnum((unsigned char)p[1 + closing + i]) || p[1 + i] == '!'); i++)
      name[i] = p[1 + closing + i];
    assert_true(name[0]);
    p += 1;
    for (bool quoted = false; *p && (*p != '>' || quoted); p++) quoted ^= *p == '"';
    assert_int_equal(*p, '>');
    if (closing) {
      assert_true(depth > 0);
      assert_string_equal(name, open[--depth]);
    } else if (!is_void(name) && p[-1] != '/') {
      assert_true(depth < 64);
      memcpy(open[depth++], name, sizeof name);
      if (!strcmp(name, "script")) p = strstr(p, "</script>") - 1;
      if (!strcmp(name, "style")) p = strstr(p, "</style>") - 1;
    }
    p++;
  }
  assert_int_equal(depth, 0);
}

static void test_demo_page_shows_all_and_stands_alone(void **state) {
  const char *dir = *state;
  store_demo(dir);
  char *page = page_of(dir);
  assert_balanced(page);
  const char *const pieces[] = {"34.6",
                                "data:image/gif;base64,R0lGOD",
                                "data:image/png;base64,iVBORw",
                                "PSNR against horizon",
                                "persistence",
                                "Training: tokenizer",
                                "Training: dynamics",
                                "30 of 30 steps",
                                "50 of 80 steps, not finished",
                                "drift −1.3 dB",
                                "+5.3 dB", // 28.31 - 23 at horizon 4
                                "stage: dynamics",
                                "Learning rate",
                                "computing <b>10 ms</b> · 80.0%",
                                "waiting for other ranks <b>2.50 ms</b> · 20.0%"};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) assert_holds(page, pieces[i]);
  assert_holds(page, "Evaluated on clips/&#60;test&#62;.");
  assert_true(strstr(page, "Training: tokenizer") < strstr(page, "Training: dynamics"));
  const char *const outside[] = {"http:", "https:", "src=\"/", "href=", "@import", "url("};
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) assert_lacks(page, outside[i]);
  orr_free(page);
}

static const char tokenizer_figures[] =
    "{\"tokenizer_psnr\": 31.5, \"tokenizer_ssim\": 0.912, \"tokenizer_sharpness\": 0.87, "
    "\"codes\": 1000, \"codes_used\": 640, \"code_perplexity\": 210.4, \"frames\": 64}";

static void test_a_tokenizer_run_shows_its_figures_and_what_became_of_frames(void **state) {
  const char *dir = *state;
  store_metrics(dir, "metrics.jsonl", 30, 0);
  folder_store(dir, "config.yaml", "train:\n  stage: tokenizer\n  steps: 30\n");
  folder_store(dir, "eval.json", tokenizer_figures);
  store_pictures(dir, ".");
  char *page = page_of(dir);
  assert_balanced(page);
  const char *const pieces[] = {"Tokenizer PSNR",
                                "31.5",
                                "Tokenizer SSIM",
                                "0.912",
                                "Sharpness",
                                "0.87",
                                "Codes used",
                                ">64<span",
                                "640 of 1000",
                                "210 used alike",
                                "<h2>Reconstructions</h2>",
                                "what the tokenizer makes of them"};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) assert_holds(page, pieces[i]);
  assert_lacks(page, "How far ahead");
  assert_lacks(page, "what the model predicts");
  orr_free(page);
}

static void test_an_exam_shows_figures_with_intervals_and_its_cases(void **state) {
  const char *dir = *state;
  folder_store(
      dir, "exam.json",
      "{\"examinee\": \"model\", \"motion\": {\"inside\": {\"surprise_accuracy\": {\"value\": "
      "0.875, \"low\": 0.75, \"high\": 0.96}, \"ece\": {\"value\": null, \"low\": null, "
      "\"high\": null}}}}");
  uint8_t frame[8][8][3] = {0};
  orr_path folder, picture;
  assert_ok(orr_fs_join(folder, sizeof folder, dir, "exam"));
  assert_ok(orr_fs_mkdirs(folder));
  assert_ok(orr_fs_join(picture, sizeof picture, folder, "case-motion-inside.png"));
  assert_ok(data_film_write(picture, frame[0][0], 1, 8, 8, 10, 1));
  char *page = page_of(dir);
  assert_balanced(page);
  const char *const pieces[] = {"<h2>Exam</h2>",  "motion, inside", "0.875",
                                "0.750 to 0.960", "Film strips",    "case-motion-inside.png"};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) assert_holds(page, pieces[i]);
  assert_lacks(page, "model, inside"); // what holds no ranges is no concept
  orr_free(page);
}

static void test_branches_have_a_table_films_and_strips(void **state) {
  const char *dir = *state;
  folder_store(dir, "branches.json",
               "{\"checkpoint\": \"x\", \"branches\": {\"worlds\": {\"psnr\": [30, 29, 28.25], "
               "\"persistence_psnr\": [25, 24, 23], \"action_accuracy\": 0.912, "
               "\"real_action_accuracy\": 0.957}, \"avatars\": {\"psnr\": [31, 30, 20.5], "
               "\"persistence_psnr\": [25, 24, 23], \"mouth_corr\": 0.834, \"eyes_shut\": null}}}");
  uint8_t frame[2][8][32][3] = {0};
  static const char *const files[] = {"rollout-worlds.gif", "rollout-avatars.gif",
                                      "strip-avatars.png", "rollout.gif"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    orr_path path;
    assert_ok(orr_fs_join(path, sizeof path, dir, files[i]));
    assert_ok(data_film_write(path, frame[0][0][0], 2, 8, 32, 10, 1));
  }
  char *page = page_of(dir);
  assert_balanced(page);
  const char *const pieces[] = {"<h2>Branches</h2>",
                                "+5.2 dB</b> over persistence",
                                "<b class=down>",
                                "movements that are as told",
                                "0.912<br><small>real 0.957",
                                "0.834",
                                "worlds. Rollout",
                                "avatars. In each pair"};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) assert_holds(page, pieces[i]);
  assert_lacks(page, "eyes shut"); // nobody has the figure
  int films = 0;
  for (const char *at = page; (at = strstr(at, "data:image/gif")); at++) films++;
  assert_int_equal(films, 3); // each once
  orr_free(page);
}

// An eval.json that is one by branch is taken for what it is; a file that is none is named.
static void test_branches_are_known_by_what_they_hold(void **state) {
  const char *dir = *state;
  folder_store(dir, "eval.json", "{\"branches\": {\"worlds a/b\": {\"psnr\": [30, 29]}}}");
  uint8_t frame[8][32][3] = {0};
  orr_path path;
  assert_ok(orr_fs_join(path, sizeof path, dir, "strip-worlds-a-b.png"));
  assert_ok(data_film_write(path, frame[0][0], 1, 8, 32, 10, 1));
  char *page = page_of(dir);
  assert_holds(page, "<h2>Branches</h2>");
  assert_holds(page, "worlds a/b. In each pair");
  orr_free(page);
  folder_store(dir, "branches.json", "{\"psnr\": [30]}");
  page = page_of(dir);
  assert_holds(page, "branches.json: no object");
  assert_holds(page, "<h2>Branches</h2>");
  orr_free(page);
}

static void test_exams_while_training_stand_over_flop(void **state) {
  const char *dir = *state;
  folder_store(dir, "metrics.jsonl",
               "{\"step\": 1, \"loss\": 2, \"tflop\": 0.125, \"eval_exam_tool\": 0.5}\n"
               "{\"step\": 2, \"loss\": 1, \"tflop\": 0.25}\n"
               "{\"step\": 3, \"loss\": 1, \"tflop\": 0.375, \"eval_exam_tool\": 0.75}\n");
  char *page = page_of(dir);
  assert_balanced(page);
  assert_holds(page, "Exam: impossible told");
  assert_holds(page, "\"TFLOP\"");
  assert_holds(page, "[0.125,0.375]");
  orr_free(page);
}

static void test_a_rollouts_strip_stands_above_a_tokenizers(void **state) {
  const char *dir = *state;
  store_metrics(dir, "tokenizer/metrics.jsonl", 30, 0);
  store_metrics(dir, "dynamics/metrics.jsonl", 50, 0);
  folder_store(dir, "tokenizer/config.yaml", "train:\n  stage: tokenizer\n  steps: 30\n");
  folder_store(dir, "tokenizer/eval.json", tokenizer_figures);
  folder_store(dir, "dynamics/eval.json",
               "{\"tokenizer_psnr\": 34, \"psnr\": [31, 30, 29, 28], \"ssim\": [0.9, 0.8, 0.7, "
               "0.61], \"decoded_persistence_psnr\": [20, 19, 18, 17], \"persistence_ssim\": [0.5, "
               "0.5, 0.5, 0.5]}");
  store_pictures(dir, "tokenizer");
  store_pictures(dir, "dynamics");
  char *page = page_of(dir);
  assert_balanced(page);
  assert_holds(page, "Structural similarity");
  assert_holds(page, "persistence through the tokenizer");
  const char *model = strstr(page, "what the model predicts"),
             *codec = strstr(page, "strip.png: Held-out frames above");
  assert_true(model && codec && model < codec);
  assert_holds(page, "Evaluation of tokenizer");
  orr_free(page);
}

static void test_caption_says_what_stands_beside_what(void **state) {
  const char *dir = *state;
  store_metrics(dir, "metrics.jsonl", 3, 0);
  store_pictures(dir, "."); // square films
  folder_store(dir, "config.yaml", "model: {rows: 4, cols: 4}\n");
  char *page = page_of(dir);
  assert_holds(page, "Rollout: after the first frames");
  assert_lacks(page, "Left the real frames");
  orr_free(page);
  folder_store(dir, "config.yaml", "model: {rows: 8, cols: 4}\n"); // frames half as wide
  page = page_of(dir);
  assert_holds(page, "Left the real frames, right the model");
  orr_free(page);
}

static void test_run_still_going_has_a_page(void **state) {
  const char *dir = *state;
  store_metrics(dir, "metrics.jsonl", 3, 0);
  char *page = page_of(dir);
  assert_balanced(page);
  assert_lacks(page, "PSNR");
  assert_lacks(page, "Evaluated on");
  assert_holds(page, "Loss");
  orr_free(page);
  folder_store(dir, "metrics.jsonl",
               "{\"step\": 1, \"loss\": 2, \"step_ms\": 3}\n"); // a single point
  page = page_of(dir);
  assert_balanced(page);
  assert_lacks(page, "nan");
  assert_lacks(page, "inf");
  orr_free(page);
}

static void test_damaged_pieces_become_notes(void **state) {
  const char *dir = *state;
  store_metrics(dir, "metrics.jsonl", 3, 0);
  folder_store(dir, "eval.json", "{\"psnr\": [1, 2");
  folder_store(dir, "rollout.gif", "no film");
  folder_store(dir, "config.yaml", "train: {bogus: 1}\n<script>alert(1)</script>\n");
  char *page = page_of(dir);
  assert_balanced(page);
  assert_holds(page, "Not shown");
  assert_holds(page, "eval.json: not valid JSON");
  assert_holds(page, "rollout.gif: not the picture");
  assert_holds(page, "bogus");
  assert_lacks(page, "<script>alert");
  orr_free(page);
}

static void test_odd_values_do_not_break_the_page(void **state) {
  const char *dir = *state;
  folder_store(dir, "metrics.jsonl",
               "{\"step\": 1, \"loss\": null, \"</script><b>\": 4, \"lr\": 0}\n"
               "{\"step\": 2, \"loss\": 1e300, \"</script><b>\": 5, \"lr\": 0}\n"
               "{\"step\": 3, \"loss\": -4, \"</script><b>\": 5e-300, \"lr\": 0}\n");
  folder_store(
      dir, "eval.json",
      "{\"psnr\": [null, 20, 1e9], \"persistence_psnr\": [1], \"drift\": null, \"x\": {\"y\": "
      "[\"&\"]}, "
      "\"many\": [[1], [2]], \"effect_corr\": [], \"tokenizer_psnr\": \"<i>\"}");
  char *page = page_of(dir);
  assert_balanced(page);
  assert_holds(page, "1 steps without a finite loss");
  assert_lacks(page, "</script><b>");
  assert_lacks(page, "nan");
  orr_free(page);
}

static void test_page_of_a_long_run_stays_small(void **state) {
  const char *dir = *state;
  store_metrics(dir, "metrics.jsonl", 40000, 12345);
  char *page = page_of(dir);
  assert_in_range(strlen(page), 1000, 150000); // measured 73 kB; the metrics are 4 MB
  assert_holds(page, ",7654,");                // the spike is still there, in a bucket's high
  orr_free(page);
}

static void test_nothing_to_report_is_an_error_that_says_what_was_wanted(void **state) {
  const char *dir = *state;
  assert_int_equal(train_report_write(dir, NULL), ORR_ENOTFOUND);
  assert_non_null(strstr(orr_status_message(), "metrics.jsonl"));
  assert_int_equal(train_report_write("/nowhere/at/all", NULL), ORR_ENOTFOUND);
  assert_non_null(strstr(orr_status_message(), "/nowhere/at/all"));
  char *none[] = {"report", NULL};
  assert_int_equal(train_cmd_report(1, none), ORR_ECONFIG);
}

static void test_out_names_the_page(void **state) {
  const char *dir = *state;
  store_metrics(dir, "metrics.jsonl", 3, 0);
  char out[256];
  snprintf(out, sizeof out, "%s/elsewhere.html", dir);
  char *argv[] = {"report", *state, "--out", out, NULL};
  assert_int_equal(train_cmd_report(4, argv), ORR_OK);
  assert_true(orr_fs_exists(out));
}

static void test_torn_last_line_is_skipped_and_repeated_steps_replaced(void **state) {
  const char *dir = *state;
  folder_store(
      dir, "metrics.jsonl",
      "{\"step\": 1, \"loss\": 5}\n{\"step\": 2, \"loss\": 4}\n{\"step\": 3, \"loss\": 9, "
      "\"old\": 1}\n"
      "{\"step\": 2, \"loss\": 3}\nrubbish\n\n{\"step\": 3, \"loss\": 2}\n{\"step\": 4, \"lo");
  char path[256];
  train_columns m;
  snprintf(path, sizeof path, "%s/metrics.jsonl", dir);
  assert_int_equal(train_columns_read(path, &m), ORR_OK);
  assert_int_equal(m.rows, 3);
  assert_int_equal(m.unreadable, 1);
  const double *loss = train_columns_find(&m, "loss"), *old = train_columns_find(&m, "old");
  assert_true(loss[0] == 5 && loss[1] == 3 && loss[2] == 2);
  assert_true(isnan(old[0]) && isnan(old[2]));
  assert_null(train_columns_find(&m, "absent"));
  train_columns_release(&m);
}

static void test_curve_keeps_extremes_and_means(void **state) {
  enum { STEPS = 10007 };
  double *x = malloc(STEPS * sizeof *x), *y = malloc(STEPS * sizeof *y), low = INFINITY,
         high = -INFINITY;
  for (int i = 0; i < STEPS; i++) {
    x[i] = i + 1;
    y[i] = i == 5000 ? NAN : sin(i * 0.7) + (i == 4321 ? 50 : 0) - (i == 8000 ? 40 : 0);
  }
  train_curve *c = malloc(sizeof *c);
  train_curve_of(x, y, STEPS, c);
  assert_true(c->n <= TRAIN_CURVE_POINTS);
  assert_true(c->x[c->n - 1] == STEPS);
  for (int64_t b = 0; b < c->n; b++) {
    assert_true(c->low[b] <= c->mean[b] && c->mean[b] <= c->high[b]);
    low = fmin(low, c->low[b]);
    high = fmax(high, c->high[b]);
  }
  assert_true(low == y[8000] && high == y[4321]);
  for (int i = 0; i < STEPS; i++) y[i] = 3;
  train_curve_of(x, y, STEPS, c);
  for (int64_t b = 0; b < c->n; b++) // an average of equal values, a few roundings
    assert_true(fabs(c->smooth[b] - 3) < 1e-12);
  free(c);
  free(x);
  free(y);
}

static void test_numbers_read_well(void **state) {
  const struct {
    double value;
    int digits;
    const char *text;
  } cases[] = {{0, 3, "0"},          {0.5123, 3, "0.512"}, {34.567, 3, "34.6"}, {-0.61, 2, "−0.61"},
               {1500, 4, "1500"},    {420, 4, "420"},      {20134, 3, "20.1k"}, {1.5e6, 3, "1.50M"},
               {3e-4, 3, "3e-4"},    {0.0123, 2, "0.012"}, {NAN, 3, "–"},       {INFINITY, 3, "∞"},
               {2.5e-5, 3, "2.5e-5"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_string_equal(train_number_of(cases[i].value, cases[i].digits).s, cases[i].text);
  assert_string_equal(train_duration_of(0.25).s, "250 ms");
  assert_string_equal(train_duration_of(200).s, "3 min 20 s");
  assert_string_equal(train_duration_of(7500).s, "2 h 05 min");
}

static void test_text_is_escaped_and_base64_is_right(void **state) {
  train_html h = {0};
  train_html_text(&h, "<a href=\"x\">&'\x01 \xc3\xa9 \xff\xe2\x82");
  assert_string_equal(h.text, "&#60;a href=&#34;x&#34;&#62;&#38;&#39;\xef\xbf\xbd \xc3\xa9 "
                              "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  train_html_release(&h);
  train_html_json(&h, "a\"b\\</script>\n");
  assert_string_equal(h.text, "\"a\\u0022b\\u005c\\u003c/script\\u003e\\u000a\"");
  train_html_release(&h);
  const char *const vectors[][2] = {{"f", "Zg=="},         {"fo", "Zm8="},
                                    {"foo", "Zm9v"},       {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="}, {"\xff\xfe\xfd", "//79"}};
  for (size_t i = 0; i < 6; i++) { // RFC 4648, section 10
    train_html_base64(&h, vectors[i][0], strlen(vectors[i][0]));
    assert_string_equal(h.text, vectors[i][1]);
    train_html_release(&h);
  }
}

static void sweep(const char *dir, orr_fault_kind kind, orr_code wanted) {
  for (int n = 1; n < 2000; n++) {
    orr_fault_arm(kind, n);
    orr_code rc = train_report_write(dir, NULL);
    bool fired = orr_fault_fired(kind);
    orr_fault_arm(kind, 0);
    if (!fired) {
      assert_int_equal(rc, ORR_OK);
      assert_true(n > 1);
      return;
    }
    if (rc != wanted) fail_msg("fault %d: %s, %s", n, orr_code_name(rc), orr_status_message());
    assert_true(orr_status_message()[0]);
  }
  fail_msg("the sweep did not end");
}

static void test_every_fault_is_a_clean_error_and_the_old_page_stays(void **state) {
  const char *dir = *state;
  store_demo(dir);
  char *before = page_of(dir);
  store_metrics(dir, "dynamics/metrics.jsonl", 60, 0);
  const struct {
    orr_fault_kind kind;
    orr_code wanted;
  } kinds[] = {
      {ORR_FAULT_WRITE, ORR_EFULL}, {ORR_FAULT_FSYNC, ORR_EIO}, {ORR_FAULT_RENAME, ORR_EIO}};
  for (int i = 0; i < 3; i++) {
    orr_fault_arm(kinds[i].kind, 1);
    assert_int_equal(train_report_write(dir, NULL), kinds[i].wanted);
    orr_fault_arm(kinds[i].kind, 0);
    char *text = folder_text(dir, "report.html");
    assert_string_equal(text, before);
    orr_free(text);
  }
  for (int i = 0; i < 3; i++) sweep(dir, kinds[i].kind, kinds[i].wanted);
  sweep(dir, ORR_FAULT_MALLOC, ORR_ENOMEM);
  orr_free(before);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_demo_page_shows_all_and_stands_alone),
      TEST(test_a_tokenizer_run_shows_its_figures_and_what_became_of_frames),
      TEST(test_an_exam_shows_figures_with_intervals_and_its_cases),
      TEST(test_branches_have_a_table_films_and_strips),
      TEST(test_branches_are_known_by_what_they_hold),
      TEST(test_exams_while_training_stand_over_flop),
      TEST(test_a_rollouts_strip_stands_above_a_tokenizers),
      TEST(test_caption_says_what_stands_beside_what),
      TEST(test_run_still_going_has_a_page),
      TEST(test_damaged_pieces_become_notes),
      TEST(test_odd_values_do_not_break_the_page),
      TEST(test_page_of_a_long_run_stays_small),
      TEST(test_nothing_to_report_is_an_error_that_says_what_was_wanted),
      TEST(test_out_names_the_page),
      TEST(test_torn_last_line_is_skipped_and_repeated_steps_replaced),
      TEST(test_curve_keeps_extremes_and_means),
      TEST(test_numbers_read_well),
      TEST(test_text_is_escaped_and_base64_is_right),
      TEST(test_every_fault_is_a_clean_error_and_the_old_page_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
