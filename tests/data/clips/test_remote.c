// labels: quick
// Remote data sets: over http, https and from an object store that checks signatures, the same
// clips as from the folder.
#define _GNU_SOURCE
#include <fcntl.h>

#include "tests/data/servers.h"

#include "data/clips/order.h"

enum { SHARDS = 5, SAMPLES = 300 };

static int set_up(void **state) {
  return served_set_make(state, "remote", SHARDS, SAMPLES);
}

// Reads the samples at `where` and wants those of the folder.
static void assert_same_clips(const served_set *f, const char *where, const data_remote_options *o,
                              data_remote_counters *counters) {
  data_remote *r = NULL;
  orr_hash128 hash;
  assert_int_equal(data_remote_create(o, &r), ORR_OK);
  if (set_read(where, r, 0, SAMPLES, &hash) != ORR_OK) fail_msg("%s", orr_status_message());
  data_remote_count(r, counters);
  data_remote_destroy(r);
  assert_true(orr_hash_equal(hash, f->folder));
}

static void assert_refused(const served_set *f, const char *where, const data_remote_options *o,
                           orr_code wanted) {
  data_remote *r = NULL;
  orr_hash128 hash;
  assert_int_equal(data_remote_create(o, &r), ORR_OK);
  assert_int_equal(set_read(where, r, 0, SAMPLES, &hash), wanted);
  data_remote_destroy(r);
  assert_null(strstr(orr_status_message(), SERVER_SECRET));
  assert_null(strstr(orr_status_message(), SERVER_TOKEN));
  assert_null(strstr(orr_status_message(), SERVER_KEY));
}

static void test_clips_over_http_equal_those_of_the_folder(void **state) {
  served_set *f = *state;
  server s;
  char where[64];
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  server_start(&s, f->root, f->log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop/", s.port);
  assert_same_clips(f, where, &o, &c);
  assert_int_equal(c.downloads, SHARDS);
  assert_int_equal(c.retries, 0);
  assert_int_equal(server_count(&s, "shard-", "200"), SHARDS);
  // A second process finds all of it, and asks for the index only.
  server_forget(&s);
  assert_same_clips(f, where, &o, &c);
  assert_int_equal(c.downloads, 0);
  assert_int_equal(c.waits, 0);
  assert_true(c.hits >= SHARDS);
  assert_int_equal(server_count(&s, "shard-", ""), 0);
  assert_int_equal(server_count(&s, "index.json", ""), 1);
  server_kill(&s);
}

// The places of the cache's whole files, by name.
static int cached_shards(const char *cache, char paths[][700], int most) {
  char command[800];
  int n = 0;
  snprintf(command, sizeof command, "find %s -name '*.h5' | sort", cache);
  FILE *p = popen(command, "r");
  while (n < most && fgets(paths[n], 700, p)) paths[n][strcspn(paths[n], "\n")] = 0, n++;
  pclose(p);
  return n;
}

static void test_damaged_file_of_the_cache_is_fetched_again(void **state) {
  served_set *f = *state;
  server s;
  char where[64], paths[SHARDS][700];
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  server_start(&s, f->root, f->log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  assert_same_clips(f, where, &o, &c);
  assert_int_equal(cached_shards(f->cache, paths, SHARDS), SHARDS);
  int fd = open(paths[1], O_RDWR);
  assert_int_equal(pwrite(fd, "!", 1, 200000), 1); // one byte among the frames
  close(fd);
  assert_int_equal(truncate(paths[3], 100000), 0);
  assert_same_clips(f, where, &o, &c);
  assert_int_equal(c.downloads, 2);
  server_kill(&s);
}

// Where the name of a shard stands in the log, for the order of requests.
static void test_shards_come_in_the_order_of_the_sampler(void **state) {
  served_set *f = *state;
  server s;
  char where[64], line[4096];
  const char *dirs = f->set;
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  data_mix_options mo = set_options(&dirs, NULL);
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  int order[SHARDS], n = 0, asked = 0;
  o.downloads = 1;
  // The order in which the sampler first touches shards, told by the episodes' actions.
  assert_int_equal(data_mix_open(&mo, 5, &m), ORR_OK);
  assert_int_equal(data_clip_batch_create(&mo, 1, 0, &b), ORR_OK);
  for (uint64_t g = 0; g < SAMPLES && n < SHARDS; g++) {
    assert_int_equal(data_mix_read(m, g, b, 0), ORR_OK);
    int shard = (int)(b->action[2] / 100) / 2, k = 0; // two episodes a shard
    while (k < n && order[k] != shard) k++;
    if (k == n) order[n++] = shard;
  }
  data_clip_batch_destroy(b);
  data_mix_close(m);
  assert_int_equal(n, SHARDS);
  server_start(&s, f->root, f->log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  assert_same_clips(f, where, &o, &c);
  FILE *log = fopen(f->log, "r");
  while (fgets(line, sizeof line, log)) {
    const char *shard = strstr(line, "shard-");
    if (shard) assert_int_equal(strtol(shard + 6, NULL, 10), order[asked++]);
  }
  fclose(log);
  assert_int_equal(asked, SHARDS);
  server_kill(&s);
}

static void test_shards_are_fetched_before_they_are_wanted(void **state) {
  served_set *f = *state;
  server s;
  char where[64], paths[SHARDS][700];
  const char *dirs = where;
  data_remote *r = NULL;
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  server_start(&s, f->root, f->log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  assert_int_equal(data_remote_create(&o, &r), ORR_OK);
  data_mix_options mo = set_options(&dirs, r);
  assert_int_equal(data_mix_open(&mo, 5, &m), ORR_OK);
  assert_int_equal(data_clip_batch_create(&mo, 1, 0, &b), ORR_OK);
  assert_int_equal(data_mix_read(m, 0, b, 0), ORR_OK); // asks for one shard
  while (cached_shards(f->cache, paths, SHARDS) < SHARDS) usleep(10000);
  for (uint64_t g = 1; g < SAMPLES; g++) assert_int_equal(data_mix_read(m, g, b, 0), ORR_OK);
  data_clip_batch_destroy(b);
  data_mix_close(m);
  data_remote_count(r, &c);
  data_remote_destroy(r);
  assert_int_equal(c.waits, 1); // for the first
  assert_int_equal(c.hits, SHARDS - 1);
  server_kill(&s);
}

// -- the object store -----------------------------------------------------------------------

static void set_keys(const char *key, const char *secret, const char *token) {
  setenv("AWS_ACCESS_KEY_ID", key, 1);
  setenv("AWS_SECRET_ACCESS_KEY", secret, 1);
  setenv("AWS_SESSION_TOKEN", token, 1);
  setenv("AWS_REGION", SERVER_REGION, 1);
}

static void test_server_agrees_with_the_published_example_of_a_signature(void **state) {
  const char *const words[] = {SERVER_PYTHON, ORR_SOURCE_DIR "/tests/data/remote_server.py",
                               "--self-test", NULL};
  int status = -1;
  assert_true(waitpid(server_spawn(words, 0, 1), &status, 0) > 0);
  assert_int_equal(status, 0);
}

static void test_clips_of_a_store_that_checks_signatures_equal_the_folder(void **state) {
  served_set *f = *state;
  server s;
  char endpoint[64];
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  server_start(&s, f->root, f->log, "--bucket", "clips", "--token");
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", s.port);
  o.endpoint = endpoint;
  set_keys(SERVER_KEY, SERVER_SECRET, SERVER_TOKEN);
  assert_same_clips(f, "s3://clips/tabletop", &o, &c);
  assert_int_equal(server_count(&s, "shard-", "200 signed"), SHARDS);
  server_kill(&s);
}

static void test_keys_come_from_the_profile_of_the_aws_files(void **state) {
  served_set *f = *state;
  server s;
  char endpoint[64], path[700];
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  server_start(&s, f->root, f->log, "--bucket", "clips");
  snprintf(path, sizeof path, "%s/credentials", f->root);
  setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
  FILE *file = fopen(path, "w");
  fprintf(file, "[default]\naws_access_key_id = other\naws_secret_access_key = wrong\n"
                "# the one that is used\n[clips]\naws_access_key_id=" SERVER_KEY
                "\naws_secret_access_key = " SERVER_SECRET " \n");
  fclose(file);
  snprintf(path, sizeof path, "%s/config", f->root);
  setenv("AWS_CONFIG_FILE", path, 1);
  file = fopen(path, "w");
  fprintf(file,
          "[default]\nregion = nowhere-1\n[profile clips]\nregion = " SERVER_REGION
          "\ns3 =\n  endpoint_url = http://wrong:1\nendpoint_url = http://127.0.0.1:%d/\n",
          s.port);
  fclose(file);
  unsetenv("AWS_ACCESS_KEY_ID");
  unsetenv("AWS_SECRET_ACCESS_KEY");
  unsetenv("AWS_SESSION_TOKEN");
  unsetenv("AWS_REGION");
  setenv("AWS_PROFILE", "clips", 1);
  assert_same_clips(f, "s3://clips/tabletop", &o, &c);
  unsetenv("AWS_PROFILE"); // the default one has other keys, and the endpoint comes from a variable
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", s.port);
  setenv("AWS_ENDPOINT_URL", endpoint, 1);
  assert_refused(f, "s3://clips/tabletop", &o, ORR_EIO);
  assert_message_names("s3://clips/tabletop/index.json", "403", "InvalidAccessKeyId", "profile");
  setenv("AWS_PROFILE", "absent", 1);
  assert_refused(f, "s3://clips/tabletop", &o, ORR_EINVAL);
  assert_message_names("absent", "~/.aws/credentials");
  unsetenv("AWS_PROFILE");
  unsetenv("AWS_ENDPOINT_URL");
  server_kill(&s);
}

static void test_store_that_refuses_is_named_with_its_reason(void **state) {
  served_set *f = *state;
  server s;
  char endpoint[64], path[700];
  data_remote_options o = set_remote(f->cache);
  server_start(&s, f->root, f->log, "--bucket", "clips", "--token");
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", s.port);
  o.endpoint = endpoint;
  set_keys(SERVER_KEY, SERVER_SECRET, "an older token");
  assert_refused(f, "s3://clips/tabletop", &o, ORR_EIO);
  assert_message_names("s3://clips/tabletop/index.json", "400", "ExpiredToken", "renew");
  set_keys(SERVER_KEY, "another secret", SERVER_TOKEN);
  assert_refused(f, "s3://clips/tabletop", &o, ORR_EIO);
  assert_message_names("403", "SignatureDoesNotMatch", "secret");
  set_keys(SERVER_KEY, SERVER_SECRET, SERVER_TOKEN);
  assert_refused(f, "s3://others/tabletop", &o, ORR_ENOTFOUND);
  assert_message_names("s3://others/tabletop/index.json", "404", "NoSuchBucket");
  snprintf(path, sizeof path, "%s/nothing", f->root);
  setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
  setenv("AWS_CONFIG_FILE", path, 1);
  set_keys("", "", "");
  assert_refused(f, "s3://clips/tabletop", &o, ORR_EIO);
  assert_message_names("403", "AccessDenied", "AWS_ACCESS_KEY_ID");
  assert_int_equal(server_count(&s, "index.json", "open"), 1);
  server_kill(&s);
}

// -- encryption -----------------------------------------------------------------------------

static void run_words(const char *const *words) {
  int status = -1;
  assert_true(waitpid(server_spawn(words, 0, 2), &status, 0) > 0);
  assert_int_equal(status, 0);
}

// A certificate of the test's own for `name`, signed by itself.
static void make_certificate(const char *cert, const char *key, const char *name) {
  char subject[64];
  snprintf(subject, sizeof subject, "subjectAltName=%s", name);
  run_words((const char *const[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                  "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
                                  cert, "-days", "2", "-subj", "/CN=test", "-addext", subject,
                                  NULL});
}

static void test_only_a_trusted_certificate_of_that_host_is_accepted(void **state) {
  served_set *f = *state;
  server good, other;
  char where[64], cert[600], key[600];
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  snprintf(cert, sizeof cert, "%s/cert.pem", f->root);
  snprintf(key, sizeof key, "%s/key.pem", f->root);
  make_certificate(cert, key, "IP:127.0.0.1");
  server_start(&good, f->root, f->log, "--tls", cert, key);
  snprintf(where, sizeof where, "https://127.0.0.1:%d/tabletop", good.port);
  assert_refused(f, where, &o, ORR_EIO); // nobody vouches for it
  assert_message_names("https://127.0.0.1", "certificate", "data.ca_file");
  o.ca_file = cert;
  assert_same_clips(f, where, &o, &c);
  server_kill(&good);
  make_certificate(cert, key, "DNS:elsewhere.test"); // trusted, but another host's
  server_start(&other, f->root, f->log, "--tls", cert, key);
  snprintf(where, sizeof where, "https://127.0.0.1:%d/tabletop", other.port);
  assert_refused(f, where, &o, ORR_EIO);
  assert_message_names("https://127.0.0.1", "certificate");
  o.ca_file = "/nowhere.pem";
  assert_refused(f, where, &o, ORR_EIO);
  assert_message_names("data.ca_file");
  server_kill(&other);
}

// -- nginx ----------------------------------------------------------------------------------

static void test_clips_served_by_nginx_equal_those_of_the_folder(void **state) {
  static const char program[] = "/usr/sbin/nginx";
  served_set *f = *state;
  char conf[600], where[64], paths[SHARDS][700];
  server s = {.port = server_free_port()};
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  if (!orr_fs_exists(program)) {
    print_message("skipped: no %s (install nginx-light)\n", program);
    skip();
  }
  snprintf(s.log, sizeof s.log, "%s", f->log);
  snprintf(conf, sizeof conf, "%s/nginx.conf", f->root);
  FILE *file = fopen(conf, "w");
  fprintf(file,
          "daemon off; master_process off; pid %s/nginx.pid; error_log stderr crit;\n"
          "events {}\n"
          "http { log_format short '$uri $http_range $status'; access_log %s short;\n"
          "client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s;\n"
          "uwsgi_temp_path %s; scgi_temp_path %s;\n"
          "server { listen 127.0.0.1:%d; root %s; } }\n",
          f->root, f->log, f->root, f->root, f->root, f->root, f->root, s.port, f->root);
  fclose(file);
  s.pid = server_spawn(
      (const char *const[]){program, "-e", "stderr", "-p", f->root, "-c", conf, NULL}, 0, 2);
  s.in = dup(0);
  assert_true(server_listens(s.port));
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  assert_same_clips(f, where, &o, &c);
  // What a process left half done goes on where it stopped.
  assert_int_equal(cached_shards(f->cache, paths, SHARDS), SHARDS);
  char part[800];
  uint64_t bytes = 0;
  assert_int_equal(orr_fs_size(paths[2], &bytes), ORR_OK);
  snprintf(part, sizeof part, "%.*s.%d.part", (int)strlen(paths[2]) - 3, paths[2], (int)bytes);
  assert_int_equal(rename(paths[2], part), 0);
  assert_int_equal(truncate(part, 123456), 0);
  server_forget(&s);
  assert_same_clips(f, where, &o, &c);
  server_kill(&s); // with its log written
  assert_int_equal(server_count(&s, "shard-00002.h5 bytes=123456-", "206"), 1);
  assert_int_equal(server_count(&s, "shard-", ""), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_clips_over_http_equal_those_of_the_folder, served_set_start),
      cmocka_unit_test_setup(test_damaged_file_of_the_cache_is_fetched_again, served_set_start),
      cmocka_unit_test_setup(test_shards_come_in_the_order_of_the_sampler, served_set_start),
      cmocka_unit_test_setup(test_shards_are_fetched_before_they_are_wanted, served_set_start),
      cmocka_unit_test(test_server_agrees_with_the_published_example_of_a_signature),
      cmocka_unit_test_setup(test_clips_of_a_store_that_checks_signatures_equal_the_folder,
                             served_set_start),
      cmocka_unit_test_setup(test_keys_come_from_the_profile_of_the_aws_files, served_set_start),
      cmocka_unit_test_setup(test_store_that_refuses_is_named_with_its_reason, served_set_start),
      cmocka_unit_test_setup(test_only_a_trusted_certificate_of_that_host_is_accepted,
                             served_set_start),
      cmocka_unit_test_setup(test_clips_served_by_nginx_equal_those_of_the_folder,
                             served_set_start),
  };
  // A proxy of the user's is not for servers of this machine.
  setenv("no_proxy", "127.0.0.1", 1);
  return cmocka_run_group_tests(tests, set_up, served_set_remove);
}
