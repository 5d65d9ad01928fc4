// labels: full; needs: orrery
// Commands that read data sets at an address do what they do with the folder.
#define _GNU_SOURCE // pipe2
#include "tests/data/servers.h"
#include "tests/train/program.h"
#include "tests/train/small_run.h"

#include "train/infer/episodes.h"

// An epoch of 20 shards has 720 clips.
enum { SHARDS = 20, STEPS = 12 };

// Twenty shards of random tokens in ROOT/many, and frames in ROOT/frames.
static int set_up(void **state) {
  if (small_run_setup(state) != 0) return -1;
  small_run *r = *state;
  char dir[256], path[512];
  snprintf(dir, sizeof dir, "%s/many", r->root);
  assert_ok(orr_fs_mkdirs(dir));
  for (int i = 0; i < SHARDS; i++) {
    assert_ok(data_shard_name_in(dir, i, path, sizeof path));
    small_run_shard(path, 50 + (uint64_t)i, SMALL_RUN_CODES, 6);
  }
  assert_ok(data_index_build(dir, NULL));
  snprintf(dir, sizeof dir, "%s/frames", r->root);
  set_make(dir, 3);
  return 0;
}

// Trains STEPS steps of 64 clips on `ranks` ranks with the program; stderr goes to ROOT/name.err.
// Returns the exit code.
static int train_code(small_run *r, const char *name, const char *data, const char *ranks,
                      const char *knob) {
  char file[64], err[512], cache[512];
  snprintf(err, sizeof err, "%s/%s.err", r->root, name);
  snprintf(cache, sizeof cache, "data.cache_dir=%s/cache-%s", r->root, name);
  cfg *c = small_run_config(r, name,
                            (const char *const[]){"train.steps=12", "optim.decay_steps=1",
                                                  "train.batch=64", "ckpt.every=0", data, cache,
                                                  knob, NULL});
  snprintf(file, sizeof file, "%s.yaml", name);
  const char *config = small_run_store(r, file, c);
  return program_wait(
      program_start((const char *const[]){"mpirun", "--allow-run-as-root", "--oversubscribe", "-n",
                                          ranks, program_path, "train", config, NULL},
                    err, true));
}

// The text of ROOT/name.err; free with orr_free.
static char *said(small_run *r, const char *name) {
  char err[64];
  snprintf(err, sizeof err, "%s.err", name);
  return folder_text(r->root, err);
}

static void train(small_run *r, const char *name, const char *data, const char *ranks,
                  const char *knob) {
  int code = train_code(r, name, data, ranks, knob);
  if (code != 0) fail_msg("%s: exit code %d: %s", name, code, said(r, name));
}

// The sum over a run's steps of a number in metrics.jsonl; fails on a line without it.
static double metric_sum(small_run *r, const char *name, const char *key) {
  char path[512], line[8192];
  double sum = 0;
  snprintf(path, sizeof path, "%s/%s/metrics.jsonl", r->root, name);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f)) {
    json_t *j = NULL;
    assert_ok(orr_json_parse(path, line, strlen(line), &j));
    assert_true(json_is_number(json_object_get(j, key)));
    sum += json_number_value(json_object_get(j, key));
    json_decref(j);
  }
  fclose(f);
  return sum;
}

static void assert_same_losses(small_run *r, const char *a, const char *b) {
  double x[SMALL_RUN_STEPS_MAX], y[SMALL_RUN_STEPS_MAX];
  assert_int_equal(small_run_losses(r, a, x), STEPS);
  assert_int_equal(small_run_losses(r, b, y), STEPS);
  assert_memory_equal(x, y, STEPS * sizeof *x);
}

static void test_8_ranks_train_on_an_address_with_20_downloads_as_on_the_folder(void **state) {
  small_run *r = *state;
  char data[600], log[600];
  server s;
  snprintf(log, sizeof log, "%s/http.log", r->root);
  server_start(&s, r->root, log, NULL);
  snprintf(data, sizeof data, "data.train=[%s/many]", r->root);
  train(r, "folder", data, "8", "data.downloads=4");
  snprintf(data, sizeof data, "data.train=['http://127.0.0.1:%d/many']", s.port);
  train(r, "address", data, "8", "data.downloads=4");
  assert_same_losses(r, "folder", "address");
  assert_true(metric_sum(r, "address", "data_fetched_bytes") > 0);
  assert_true(metric_sum(r, "address", "data_cache_hits") +
                  metric_sum(r, "address", "data_fetch_waits") >=
              16); // the first block's shards, by rank 0
  assert_int_equal(server_count(&s, "shard-", ""), SHARDS);
  server_kill(&s);
}

static void test_ranks_that_got_another_index_say_so(void **state) {
  small_run *r = *state;
  char data[600], log[600], rule[64];
  server s;
  snprintf(log, sizeof log, "%s/other.log", r->root);
  char *text = folder_text(r->root, "tokens/index.json");
  const char *word = strstr(text, "random tokens"); // one of two ranks will read "sandom tokens"
  assert_non_null(word);
  snprintf(rule, sizeof rule, "index.json,1,wrong,%d", (int)(word - text));
  orr_free(text);
  // Each rank reads it once, though it looks for faults before it opens the set.
  server_start(&s, r->root, log, "--fault", "index.json,1,whole", "--fault", rule);
  snprintf(data, sizeof data, "data.train=['http://127.0.0.1:%d/tokens']", s.port);
  assert_int_equal(train_code(r, "other", data, "2", "data.branch=[worlds]"), 2);
  assert_int_equal(server_count(&s, "index.json", ""), 2);
  text = said(r, "other");
  assert_non_null(strstr(text, "index.json of its data sets is not rank 0's"));
  orr_free(text);
  server_kill(&s);
}

static bool holds(const char *root, const char *folder, const char *word) {
  char command[700];
  snprintf(command, sizeof command, "grep -rqF -- '%s' %s/%s %s/%s.err %s/%s.yaml", word, root,
           folder, root, folder, root, folder);
  return system(command) == 0;
}

static void test_training_from_a_store_leaves_no_key_in_any_file(void **state) {
  small_run *r = *state;
  char data[600], log[600], endpoint[64];
  server s;
  snprintf(log, sizeof log, "%s/s3.log", r->root);
  server_start(&s, r->root, log, "--bucket", "clips", "--token", "--fault",
               "shard-00001,1,status,503");
  setenv("AWS_ACCESS_KEY_ID", SERVER_KEY, 1);
  setenv("AWS_SECRET_ACCESS_KEY", SERVER_SECRET, 1);
  setenv("AWS_SESSION_TOKEN", SERVER_TOKEN, 1);
  setenv("AWS_REGION", SERVER_REGION, 1);
  snprintf(endpoint, sizeof endpoint, "data.endpoint=http://127.0.0.1:%d", s.port);
  train(r, "store", "data.train=['s3://clips/tokens']", "2", endpoint);
  snprintf(data, sizeof data, "data.train=[%s/tokens]", r->root);
  train(r, "store-folder", data, "2", endpoint);
  assert_same_losses(r, "store", "store-folder");
  assert_true(holds(r->root, "store", "s3://clips/tokens")); // the search finds what is there
  assert_false(holds(r->root, "store", SERVER_SECRET));
  assert_false(holds(r->root, "store", SERVER_TOKEN));
  assert_false(holds(r->root, "store", SERVER_KEY));
  server_kill(&s);
}

static void run_data(small_run *r, const char *verb, const char *where, const char *json) {
  char err[512], cache[512];
  snprintf(err, sizeof err, "%s/data.err", r->root);
  snprintf(cache, sizeof cache, "data.cache_dir=%s/cache-data", r->root);
  assert_int_equal(
      program_wait(program_start((const char *const[]){program_path, "data", verb, where, "--set",
                                                       cache, json ? "--json" : NULL, json, NULL},
                                 err, true)),
      0);
}

static void test_inspect_and_verify_say_the_same_of_address_and_folder(void **state) {
  small_run *r = *state;
  char where[64], folder[256], log[600], a[256], b[256];
  server s;
  snprintf(log, sizeof log, "%s/data.log", r->root);
  server_start(&s, r->root, log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/frames", s.port);
  snprintf(folder, sizeof folder, "%s/frames", r->root);
  snprintf(a, sizeof a, "%s/a.json", r->root);
  snprintf(b, sizeof b, "%s/b.json", r->root);
  run_data(r, "verify", where, NULL);
  run_data(r, "inspect", where, a);
  run_data(r, "inspect", folder, b);
  char *afar = folder_read(a), *here = folder_read(b);
  assert_string_equal(afar, here);
  assert_int_equal(server_count(&s, "shard-", ""), 3);
  orr_free(afar);
  orr_free(here);
  server_kill(&s);
}

// What eval and rollout read.
static void test_episodes_of_an_address_equal_those_of_the_folder(void **state) {
  small_run *r = *state;
  char where[64], folder[256], cache[256], log[600];
  enum { T = 12, PIXELS = T * SET_HEIGHT * SET_WIDTH * 3 };
  static uint8_t frames[2][PIXELS];
  float actions[2][T * 2], states[2][T * 3];
  data_remote *remote = NULL;
  train_episodes *e[2] = {0};
  server s;
  snprintf(log, sizeof log, "%s/episodes.log", r->root);
  server_start(&s, r->root, log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/frames", s.port);
  snprintf(folder, sizeof folder, "%s/frames", r->root);
  snprintf(cache, sizeof cache, "%s/cache-episodes", r->root);
  data_remote_options o = set_remote(cache);
  assert_ok(data_remote_create(&o, &remote));
  assert_ok(train_episodes_open(where, remote, &e[0]));
  assert_ok(train_episodes_open(folder, remote, &e[1]));
  assert_int_equal(train_episodes_count(e[0]), train_episodes_count(e[1]));
  for (int64_t i = 0; i < train_episodes_count(e[0]); i++) {
    for (int k = 0; k < 2; k++)
      assert_ok(train_episodes_read(e[k], i, i % 3, T, 2, frames[k], actions[k], states[k]));
    assert_memory_equal(frames[0], frames[1], PIXELS);
    assert_memory_equal(actions[0], actions[1], (T - 1) * 2 * sizeof(float));
    assert_memory_equal(states[0], states[1], sizeof states[0]);
  }
  train_episodes_close(e[0]);
  train_episodes_close(e[1]);
  data_remote_destroy(remote);
  server_kill(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_8_ranks_train_on_an_address_with_20_downloads_as_on_the_folder),
      cmocka_unit_test(test_ranks_that_got_another_index_say_so),
      cmocka_unit_test(test_training_from_a_store_leaves_no_key_in_any_file),
      cmocka_unit_test(test_inspect_and_verify_say_the_same_of_address_and_folder),
      cmocka_unit_test(test_episodes_of_an_address_equal_those_of_the_folder),
  };
  setenv("no_proxy", "127.0.0.1", 1);
  return cmocka_run_group_tests(tests, set_up, small_run_teardown);
}
