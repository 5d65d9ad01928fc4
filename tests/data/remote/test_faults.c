// labels: full faults; needs: hdf5
// What can go wrong on the way: each trouble that passes is overcome, each that stays is one clear
// error, and never does a clip differ from the folder's.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>

#include "tests/data/h5_leaks.h"
#include "tests/data/servers.h"

#include "base/clock.h"
#include "base/fault.h"

enum { SHARDS = 3, SAMPLES = 120 };

static int set_up(void **state) {
  return served_set_make(state, "remote-faults", SHARDS, SAMPLES);
}

// Options under which a slow connection is given up after a second, though not the file.
static data_remote_options impatient(const served_set *f) {
  data_remote_options o = set_remote(f->cache);
  o.slow_s = 1;
  return o;
}

static orr_code read_all(const char *where, const data_remote_options *o, orr_hash128 *hash,
                         data_remote_counters *counters) {
  data_remote *r = NULL;
  assert_int_equal(data_remote_create(o, &r), ORR_OK);
  orr_code rc = set_read(where, r, 0, SAMPLES, hash);
  data_remote_count(r, counters);
  data_remote_destroy(r);
  return rc;
}

// Reads the set under `rules` (three at most) and wants the folder's clips.
static data_remote_counters overcome(served_set *f, const data_remote_options *o,
                                     const char *const *rules) {
  const char *words[8] = {0};
  char where[64];
  server s;
  orr_hash128 hash;
  data_remote_counters c;
  served_set_clear(f);
  for (int i = 0; i < 3 && rules[i]; i++) words[2 * i] = "--fault", words[2 * i + 1] = rules[i];
  server_start_with(&s, f->root, f->log, words);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  orr_code rc = read_all(where, o, &hash, &c);
  server_kill(&s);
  if (rc != ORR_OK) fail_msg("%s: %s", rules[0], orr_status_message());
  assert_true(orr_hash_equal(hash, f->folder));
  return c;
}

#define RULES(...)                                                                                 \
  (const char *const[]) {                                                                          \
    __VA_ARGS__, NULL                                                                              \
  }

static void test_trouble_that_passes_is_overcome(void **state) {
  static const struct {
    const char *rules[3];
    uint64_t retries; // at least
  } cases[] = {
      {{"shard-00001,2,cut,70000"}, 2},             // killed in the middle, twice
      {{"index.json,2,cut,10"}, 2},                 // the index too
      {{"shard,3,cut,150000", "shard,9,whole"}, 3}, // ranges are not known there
      {{"shard-00001,5,status,503", "index,2,status,502"}, 7},
      {{"shard-00000,1,status,500", "shard-00001,1,status,429"}, 2},
      {{"shard-00002,1,error,400,RequestTimeout"}, 1},
      {{"shard-00000,1,short,1000"}, 1}, // truncated, and the server denies it
      {{"shard-00000,1,long,1000"}, 1},
      {{"shard-00001,2,wrong,200000"}, 2}, // bytes that are not what was uploaded
      {{"shard-00001,1,cut,200000", "shard-00001,1,wrong,250000"}, 2},
      {{"shard-00002,1,slow,1000"}, 1},
      {{"shard-00001,1,hang"}, 1},
      {{"shard-00001,3,redirect,"}, 0}, // to itself
      {{"index.json,1,redirect,"}, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    data_remote_options o = impatient(*state);
    data_remote_counters c = overcome(*state, &o, cases[i].rules);
    if (c.retries < cases[i].retries)
      fail_msg("%s: %d retries, wanted %d", cases[i].rules[0], (int)c.retries,
               (int)cases[i].retries);
    assert_int_equal(c.downloads, SHARDS);
  }
}

static void test_server_that_asks_to_wait_is_left_alone_that_long(void **state) {
  data_remote_options o = impatient(*state);
  double begin = orr_clock_ms();
  overcome(*state, &o, RULES("shard-00001,1,status,503,2"));
  assert_true(orr_clock_ms() - begin >= 2000); // its own pause is 0.01 s long
}

static void test_what_came_before_a_cut_is_not_fetched_again(void **state) {
  served_set *f = *state;
  data_remote_options o = impatient(f);
  overcome(f, &o, RULES("shard-00001,2,cut,100000"));
  server s = {0};
  snprintf(s.log, sizeof s.log, "%s", f->log);
  assert_int_equal(server_count(&s, "shard-00001", "- 200"), 1);
  assert_int_equal(server_count(&s, "shard-00001", "bytes=100000- 206"), 1);
  assert_int_equal(server_count(&s, "shard-00001", "bytes=200000- 206"), 1);
}

// Reads the set under a rule that stays and wants the error, without anything whole of that shard.
static void refuse(served_set *f, const data_remote_options *o, const char *rule, orr_code wanted) {
  char where[64];
  server s;
  orr_hash128 hash;
  data_remote_counters c;
  served_set_clear(f);
  server_start(&s, f->root, f->log, "--fault", rule);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  orr_code rc = read_all(where, o, &hash, &c);
  server_kill(&s);
  if (rc != wanted) fail_msg("%s: %s (%s)", rule, orr_code_name(rc), orr_status_message());
}

static void test_trouble_that_stays_is_one_clear_error(void **state) {
  static const struct {
    const char *rule;
    orr_code rc;
    const char *words[3];
    double timeout_s; // where it is tried again until then
  } cases[] = {
      {"shard-00001,-1,status,503",
       ORR_EIO,
       {"tabletop/shard-00001.h5", "503", "data.timeout_s"},
       2},
      {"shard-00001,-1,status,503,3600", ORR_EIO, {"shard-00001.h5", "503", "wait longer"}, 2},
      {"index.json,-1,status,500", ORR_EIO, {"tabletop/index.json", "500", "data.timeout_s"}, 2},
      {"shard-00001,-1,cut,50", ORR_EIO, {"shard-00001.h5", "gave up", "data.timeout_s"}, 2},
      {"shard-00001,-1,slow,1000", ORR_EIO, {"shard-00001.h5", "gave up", "data.timeout_s"}, 2},
      {"shard-00001,-1,hang", ORR_EIO, {"shard-00001.h5", "gave up", "data.timeout_s"}, 2},
      {"shard-00001,-1,short,1000",
       ORR_ECORRUPT,
       {"shard-00001.h5", "index.json says", "upload"},
       0},
      {"shard-00001,-1,long,1", ORR_ECORRUPT, {"shard-00001.h5", "more bytes", "upload"}, 0},
      {"shard-00001,-1,wrong,9000", ORR_ECORRUPT, {"shard-00001.h5", "XXH3-128", "upload"}, 0},
      {"shard-00001,-1,status,404", ORR_ENOTFOUND, {"shard-00001.h5", "404", "upload"}, 0},
      {"shard-00001,-1,status,403", ORR_EIO, {"shard-00001.h5", "403", "owner"}, 0},
      {"shard-00001,-1,status,418", ORR_EIO, {"shard-00001.h5", "418", "address"}, 0},
      {"shard-00001,-1,redirect,", ORR_EIO, {"shard-00001.h5", "redirects", "again"}, 0},
      {"shard-00001,-1,redirect,ftp://127.0.0.1", ORR_EIO, {"shard-00001.h5", "", ""}, 0},
      {"index.json,-1,wrong,0", ORR_EFORMAT, {"tabletop/index.json", "", ""}, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    data_remote_options o = impatient(*state);
    if (cases[i].timeout_s > 0) o.timeout_s = cases[i].timeout_s;
    refuse(*state, &o, cases[i].rule, cases[i].rc);
    assert_message_names(cases[i].words[0], cases[i].words[1], cases[i].words[2]);
  }
}

// -- redirects and keys ---------------------------------------------------------------------

static void test_redirect_to_another_host_takes_no_keys_along(void **state) {
  served_set *f = *state;
  char rule[96], where[64], other_log[700];
  server other, s;
  orr_hash128 hash;
  data_remote_counters c;
  data_remote_options o = impatient(f);
  snprintf(other_log, sizeof other_log, "%s/other-log", f->root);
  served_set_clear(f);
  server_start(&other, f->root, other_log, NULL);
  snprintf(rule, sizeof rule, "shard-00001,-1,redirect,http://localhost:%d", other.port);
  server_start(&s, f->root, f->log, "--fault", rule); // plain: it is followed
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  assert_int_equal(read_all(where, &o, &hash, &c), ORR_OK);
  assert_true(orr_hash_equal(hash, f->folder));
  assert_int_equal(server_count(&other, "shard-00001", "200 open"), 1);
  server_kill(&s);
  served_set_clear(f);
  server_forget(&other);
  server_start(&s, f->root, f->log, "--bucket", "clips", "--fault", rule); // signed: it is not
  snprintf(where, sizeof where, "http://127.0.0.1:%d", s.port);
  o.endpoint = where;
  setenv("AWS_ACCESS_KEY_ID", SERVER_KEY, 1);
  setenv("AWS_SECRET_ACCESS_KEY", SERVER_SECRET, 1);
  setenv("AWS_REGION", SERVER_REGION, 1);
  assert_int_equal(read_all("s3://clips/tabletop", &o, &hash, &c), ORR_EIO);
  assert_message_names("s3://clips/tabletop/shard-00001.h5", "another host", "data.endpoint");
  assert_int_equal(server_count(&other, "", ""), 0);
  server_kill(&s);
  server_kill(&other);
}

static void write_keys(const char *path, const char *token) {
  FILE *file = fopen(path, "w");
  fprintf(file,
          "[default]\naws_access_key_id = " SERVER_KEY "\naws_secret_access_key = " SERVER_SECRET
          "\naws_session_token = %s\n",
          token);
  fclose(file);
}

static void test_keys_that_expire_are_looked_up_once_more(void **state) {
  served_set *f = *state;
  char endpoint[64], path[700];
  server s;
  data_remote *r = NULL;
  orr_hash128 hash;
  data_remote_options o = impatient(f);
  served_set_clear(f);
  server_start(&s, f->root, f->log, "--bucket", "clips", "--token");
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", s.port);
  snprintf(path, sizeof path, "%s/credentials", f->root);
  o.endpoint = endpoint;
  unsetenv("AWS_ACCESS_KEY_ID");
  unsetenv("AWS_SECRET_ACCESS_KEY");
  setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
  setenv("AWS_REGION", SERVER_REGION, 1);
  write_keys(path, "expired");
  assert_int_equal(data_remote_create(&o, &r), ORR_OK);
  assert_int_equal(set_read("s3://clips/tabletop", r, 0, SAMPLES, &hash), ORR_EIO);
  assert_message_names("ExpiredToken", "renew");
  assert_null(strstr(orr_status_message(), "words")); // the store's own text may quote the key
  write_keys(path, SERVER_TOKEN); // somebody renewed them while the process runs
  assert_int_equal(set_read("s3://clips/tabletop", r, 0, SAMPLES, &hash), ORR_OK);
  assert_true(orr_hash_equal(hash, f->folder));
  data_remote_destroy(r);
  server_kill(&s);
}

// -- a server that dies ---------------------------------------------------------------------

typedef struct {
  const char *where;
  data_remote *r;
  orr_hash128 hash;
  orr_code rc;
} reading;

static void *read_in_thread(void *ctx) {
  reading *a = ctx;
  a->rc = set_read(a->where, a->r, 0, SAMPLES, &a->hash);
  return NULL;
}

static void test_server_that_is_killed_and_comes_back_is_waited_for(void **state) {
  served_set *f = *state;
  char where[64], port[16];
  server s;
  pthread_t thread;
  data_remote_options o = set_remote(f->cache);
  served_set_clear(f);
  snprintf(port, sizeof port, "%d", server_free_port());
  server_start(&s, f->root, f->log, "--port", port, "--fault", "shard,-1,slow,200000");
  snprintf(where, sizeof where, "http://127.0.0.1:%s/tabletop", port);
  reading a = {.where = where};
  assert_int_equal(data_remote_create(&o, &a.r), ORR_OK);
  assert_int_equal(pthread_create(&thread, NULL, read_in_thread, &a), 0);
  while (server_count(&s, "shard-", "") == 0) usleep(10000);
  usleep(300000); // some of its bytes are there; how many is not asked
  server_kill(&s);
  usleep(200000);
  server_start(&s, f->root, f->log, "--port", port);
  pthread_join(thread, NULL);
  data_remote_destroy(a.r);
  server_kill(&s);
  assert_int_equal(a.rc, ORR_OK);
  assert_true(orr_hash_equal(a.hash, f->folder));
}

static void test_interrupted_reader_does_not_wait_for_its_download(void **state) {
  served_set *f = *state;
  char where[64];
  server s;
  pthread_t thread;
  data_remote_options o = set_remote(f->cache);
  o.timeout_s = o.slow_s = 1e6; // a reader that waits for it outlives the test's own time-out
  served_set_clear(f);
  server_start(&s, f->root, f->log, "--fault", "shard,-1,hang");
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  reading a = {.where = where};
  assert_int_equal(data_remote_create(&o, &a.r), ORR_OK);
  assert_int_equal(pthread_create(&thread, NULL, read_in_thread, &a), 0);
  while (server_count(&s, "shard-", "") == 0) usleep(10000);
  data_remote_interrupt(a.r);
  pthread_join(thread, NULL);
  data_remote_destroy(a.r);
  assert_int_equal(a.rc, ORR_ESTOPPED);
  server_kill(&s);
}

// -- the n-th operation fails ---------------------------------------------------------------
static void test_nth_fault_is_overcome_or_told_and_the_next_run_reads_all(void **state) {
  static const struct {
    orr_fault_kind kind;
    int64_t most;
  } sweeps[] = {{ORR_FAULT_HTTP, 6},  {ORR_FAULT_MALLOC, 60}, {ORR_FAULT_OPEN, 24},
                {ORR_FAULT_READ, 12}, {ORR_FAULT_WRITE, 12},  {ORR_FAULT_RENAME, 4}};
  served_set *f = *state;
  char where[64];
  server s;
  data_remote_options o = impatient(f);
  served_set_clear(f);
  server_start(&s, f->root, f->log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  for (size_t i = 0; i < sizeof sweeps / sizeof *sweeps; i++) {
    for (int64_t n = 1; n <= sweeps[i].most; n++) {
      orr_hash128 hash;
      data_remote *r = NULL;
      assert_int_equal(orr_fs_remove_tree(f->cache), ORR_OK);
      orr_status_clear();
      orr_fault_arm(sweeps[i].kind, n);
      orr_code rc = data_remote_create(&o, &r);
      if (rc == ORR_OK) rc = set_read(where, r, 0, 40, &hash);
      orr_fault_arm(sweeps[i].kind, 0);
      data_remote_destroy(r);
      if (rc != ORR_OK) assert_true(orr_status_message()[0] != 0);
      if (sweeps[i].kind == ORR_FAULT_HTTP) assert_int_equal(rc, ORR_OK);
      data_remote_counters c;
      assert_int_equal(read_all(where, &o, &hash, &c), ORR_OK);
      assert_true(orr_hash_equal(hash, f->folder));
    }
  }
  server_kill(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_trouble_that_passes_is_overcome),
      cmocka_unit_test(test_server_that_asks_to_wait_is_left_alone_that_long),
      cmocka_unit_test(test_what_came_before_a_cut_is_not_fetched_again),
      cmocka_unit_test(test_trouble_that_stays_is_one_clear_error),
      cmocka_unit_test(test_redirect_to_another_host_takes_no_keys_along),
      cmocka_unit_test(test_keys_that_expire_are_looked_up_once_more),
      cmocka_unit_test(test_server_that_is_killed_and_comes_back_is_waited_for),
      cmocka_unit_test(test_interrupted_reader_does_not_wait_for_its_download),
      cmocka_unit_test(test_nth_fault_is_overcome_or_told_and_the_next_run_reads_all),
  };
  setenv("no_proxy", "127.0.0.1,localhost", 1);
  return cmocka_run_group_tests(tests, set_up, served_set_remove);
}
