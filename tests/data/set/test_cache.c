// labels: quick
// The cache that the processes of a node share: what leaves it and what never does, one download a
// shard, processes that die, disks that fill up.
#define _GNU_SOURCE
#include <inttypes.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/data/servers.h"

#include "base/fault.h"
#include "data/remote/cache.h"
#include "data/set/verify.h"

// EPOCH: samples, at least; two episodes of 29 to 31 clips a shard.
enum { SHARDS = 20, EPOCH = SHARDS * 62 };

static int set_up(void **state) {
  return served_set_make(state, "cache", SHARDS, 0);
}

// -- eviction -------------------------------------------------------------------------------

// The need of a file is the number at the end of its stem's name; a letter there = nobody knows.
static uint64_t need_by_name(void *ctx, const char *stem) {
  const char *digits = strrchr(stem, '-') + 1;
  char *end = NULL;
  uint64_t need = strtoull(digits, &end, 10);
  return *end ? DATA_CACHE_NEVER : need;
}

static void count_gone(void *ctx, const char *stem) {
  ++*(int *)ctx;
}

static const char *in_cache(const served_set *f, const char *name) {
  static char path[1400];
  snprintf(path, sizeof path, "%s/set/%s", f->cache, name);
  return path;
}

static void put_file(const served_set *f, const char *name, size_t bytes, time_t used) {
  static char zeros[100000];
  const struct timespec times[2] = {{.tv_sec = used}, {.tv_sec = used}};
  int fd = open(in_cache(f, name), O_CREAT | O_WRONLY, 0600);
  assert_true(fd >= 0 && write(fd, zeros, bytes) == (ssize_t)bytes && futimens(fd, times) == 0);
  close(fd);
}

static void test_what_is_needed_last_leaves_first_and_nothing_open(void **state) {
  served_set *f = *state;
  data_cache *c = NULL;
  int gone = 0, pin = -1, claim = -1;
  bool fits = false;
  const data_cache_need needs = {.of = need_by_name, .gone = count_gone, .ctx = &gone};
  assert_int_equal(data_cache_open(f->cache, 250000, 4, &c), ORR_OK);
  assert_int_equal(orr_fs_mkdirs(in_cache(f, "")), ORR_OK);
  put_file(f, "s-5.h5", 50000, 9);
  put_file(f, "s-70.h5", 50000, 8);
  put_file(f, "s-90.h5", 50000, 7);
  put_file(f, "s-x.h5", 50000, 6);      // of nobody here, used later than the next
  put_file(f, "s-y.100000.part", 3, 5); // counts with all it will have
  assert_int_equal(data_cache_pin(in_cache(f, "s-90.h5"), &pin), ORR_OK);
  assert_int_equal(data_cache_claim(in_cache(f, "s-8.100000.part"), &claim), ORR_OK);
  assert_int_equal(data_cache_fit(c, 60, &needs, &fits), ORR_OK); // 400000, 250000 may be
  assert_true(fits);
  assert_int_equal(gone, 2);
  assert_false(orr_fs_exists(in_cache(f, "s-y.100000.part")));
  assert_false(orr_fs_exists(in_cache(f, "s-x.h5")));
  put_file(f, "s-1.h5", 60000, 1);
  assert_int_equal(data_cache_fit(c, 60, &needs, &fits), ORR_OK); // 90 is open: 70 has to go
  assert_false(fits);                                             // 260000: 5 is needed sooner
  assert_true(orr_fs_exists(in_cache(f, "s-90.h5")));
  assert_false(orr_fs_exists(in_cache(f, "s-70.h5")));
  close(pin);
  assert_int_equal(data_cache_fit(c, 60, &needs, &fits), ORR_OK);
  assert_true(fits);
  assert_false(orr_fs_exists(in_cache(f, "s-90.h5")));
  assert_true(orr_fs_exists(in_cache(f, "s-5.h5")) && orr_fs_exists(in_cache(f, "s-1.h5")));
  assert_true(orr_fs_exists(in_cache(f, "s-8.100000.part"))); // somebody is fetching it
  close(claim);
  data_cache_close(c);
}

static void test_locks_are_one_a_file_and_n_a_node(void **state) {
  served_set *f = *state;
  data_cache *c = NULL;
  int first = -1, second = -1, slots[3] = {-1, -1, -1};
  assert_int_equal(data_cache_open(f->cache, 1, 2, &c), ORR_OK);
  assert_int_equal(orr_fs_mkdirs(in_cache(f, "")), ORR_OK);
  assert_int_equal(data_cache_claim(in_cache(f, "s.1.part"), &first), ORR_OK);
  assert_int_equal(data_cache_claim(in_cache(f, "s.1.part"), &second), ORR_OK);
  assert_true(first >= 0 && second == -1);
  close(first);
  assert_int_equal(data_cache_claim(in_cache(f, "s.1.part"), &second), ORR_OK);
  assert_true(second >= 0);
  close(second);
  for (int i = 0; i < 3; i++) assert_int_equal(data_cache_slot(c, &slots[i]), ORR_OK);
  assert_true(slots[0] >= 0 && slots[1] >= 0 && slots[2] == -1);
  close(slots[0]);
  assert_int_equal(data_cache_slot(c, &slots[2]), ORR_OK);
  assert_true(slots[2] >= 0);
  close(slots[1]);
  close(slots[2]);
  data_cache_close(c);
}

// -- budgets --------------------------------------------------------------------------------

static uint64_t bytes_in(const char *cache) {
  char command[800], line[64] = "";
  snprintf(command, sizeof command, "find %s -type f -printf '%%s\\n' | awk '{n+=$1} END{print n}'",
           cache);
  FILE *p = popen(command, "r");
  assert_non_null(fgets(line, sizeof line, p));
  pclose(p);
  return strtoull(line, NULL, 10);
}

// Opens and checks every shard in turn, and wants them right.
static void verify_all(const char *where, const data_remote_options *o, uint64_t most_bytes,
                       data_remote_counters *counters) {
  data_remote *r = NULL;
  data_index *x = NULL;
  assert_int_equal(data_remote_create(o, &r), ORR_OK);
  if (data_index_open_from(where, r, &x) != ORR_OK) fail_msg("%s", orr_status_message());
  assert_int_equal(data_index_want_in_order(x, 0), ORR_OK);
  for (int64_t i = 0; i < x->count; i++) {
    if (data_verify_shard(x, i) != ORR_OK) fail_msg("%s", orr_status_message());
    assert_int_equal(data_index_want_in_order(x, i + 1), ORR_OK);
    assert_true(bytes_in(o->cache_dir) <= most_bytes);
  }
  data_index_close(x);
  data_remote_count(r, counters);
  data_remote_destroy(r);
}

static uint64_t largest_shard(const served_set *f) {
  data_index *x = NULL;
  uint64_t most = 0;
  assert_int_equal(data_index_open(f->set, &x), ORR_OK);
  for (int64_t i = 0; i < x->count; i++)
    most = x->shards[i].bytes > most ? x->shards[i].bytes : most;
  data_index_close(x);
  return most;
}

static void test_set_larger_than_the_budget_passes_through_it(void **state) {
  served_set *f = *state;
  server s;
  char where[64];
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  server_start(&s, f->root, f->log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  o.cache_bytes = 4 * largest_shard(f);
  verify_all(where, &o, o.cache_bytes, &c);
  assert_int_equal(c.downloads, SHARDS);
  assert_true(c.evictions >= SHARDS - 4);
  o.cache_bytes = 1; // what is open has room all the same, and nothing else
  verify_all(where, &o, 3 * largest_shard(f), &c);
  assert_true(c.downloads >= SHARDS - 4);
  server_kill(&s);
}

static void test_disk_smaller_than_the_budget_is_used_up_and_no_more(void **state) {
  served_set *f = *state;
  server s;
  char where[64], size[32];
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  assert_int_equal(orr_fs_mkdirs(f->cache), ORR_OK);
  snprintf(size, sizeof size, "size=%" PRIu64 "k", largest_shard(f) * 4 / 1024);
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("none", f->cache, "tmpfs", 0, size) != 0) {
    print_message("skipped: this process may not mount a small disk\n");
    skip();
  }
  server_start(&s, f->root, f->log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  verify_all(where, &o, UINT64_MAX, &c); // makes room for itself
  assert_true(c.evictions > 0);
  umount(f->cache);
  snprintf(size, sizeof size, "size=%" PRIu64 "k", largest_shard(f) / 2048);
  assert_int_equal(mount("none", f->cache, "tmpfs", 0, size), 0); // half a shard
  data_remote *r = NULL;
  data_index *x = NULL;
  assert_int_equal(data_remote_create(&o, &r), ORR_OK);
  assert_int_equal(data_index_open_from(where, r, &x), ORR_OK);
  assert_int_equal(data_verify_shard(x, 0), ORR_EFULL);
  assert_message_names(f->cache, "No space left", "data.cache_dir");
  data_index_close(x);
  data_remote_destroy(r);
  assert_true(bytes_in(f->cache) == 0); // and leaves nothing lying there
  umount(f->cache);
  server_kill(&s);
}

static void test_write_that_fails_makes_room_or_says_so(void **state) {
  served_set *f = *state;
  server s;
  char where[64];
  data_remote *r = NULL;
  data_index *x = NULL;
  data_remote_counters c;
  data_remote_options o = set_remote(f->cache);
  server_start(&s, f->root, f->log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  assert_int_equal(data_remote_create(&o, &r), ORR_OK);
  assert_int_equal(data_index_open_from(where, r, &x), ORR_OK);
  orr_fault_arm(ORR_FAULT_WRITE, 1);
  assert_int_equal(data_verify_shard(x, 0), ORR_EFULL); // nothing could make room
  assert_message_names("No space left", "data.cache_dir");
  assert_int_equal(data_verify_shard(x, 0), ORR_OK);
  orr_fault_arm(ORR_FAULT_WRITE, 1);
  assert_int_equal(data_verify_shard(x, 1), ORR_OK); // shard 0 leaves
  assert_true(orr_fault_fired(ORR_FAULT_WRITE));
  data_remote_count(r, &c);
  assert_int_equal(c.evictions, 1);
  data_index_close(x);
  data_remote_destroy(r);
  server_kill(&s);
}

// -- processes ------------------------------------------------------------------------------

// Runs in a child: reads clips of all shards and compares them with the folder's.
static int child_reads(const served_set *f, const char *where) {
  data_remote_options o = set_remote(f->cache);
  data_remote *r = NULL;
  orr_hash128 own, folder;
  if (data_remote_create(&o, &r) != ORR_OK) return 1;
  bool same = set_read(where, r, 0, EPOCH, &own) == ORR_OK &&
              set_read(f->set, NULL, 0, EPOCH, &folder) == ORR_OK && orr_hash_equal(own, folder);
  data_remote_destroy(r);
  return same ? 0 : 1;
}

static void test_8_processes_that_start_cold_make_20_downloads(void **state) {
  served_set *f = *state;
  server s;
  char where[64];
  pid_t children[8];
  server_start(&s, f->root, f->log, NULL);
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  for (int i = 0; i < 8; i++) {
    children[i] = fork();
    assert_true(children[i] >= 0);
    if (children[i] == 0) _exit(child_reads(f, where));
  }
  for (int i = 0; i < 8; i++) {
    int status = -1;
    assert_int_equal(waitpid(children[i], &status, 0), children[i]);
    assert_int_equal(status, 0);
  }
  assert_int_equal(server_count(&s, "shard-", ""), SHARDS);
  assert_int_equal(server_count(&s, "shard-", "- 200"), SHARDS);
  server_kill(&s);
}

// Bytes of the partial files there.
static uint64_t partial_bytes(const char *cache) {
  char command[800], line[64] = "0";
  snprintf(command, sizeof command,
           "find %s -name '*.part' -printf '%%s\\n' 2>/dev/null | awk '{n+=$1} END{print n+0}'",
           cache);
  FILE *p = popen(command, "r");
  assert_non_null(fgets(line, sizeof line, p));
  pclose(p);
  return strtoull(line, NULL, 10);
}

static void test_process_that_is_killed_leaves_its_download_to_the_next(void **state) {
  served_set *f = *state;
  server s;
  char where[64], port[16];
  snprintf(port, sizeof port, "%d", server_free_port());
  server_start(&s, f->root, f->log, "--port", port, "--fault", "shard,-1,slow,200000");
  snprintf(where, sizeof where, "http://127.0.0.1:%s/tabletop", port);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(child_reads(f, where));
  // it stands still while it is looked at: what is seen is what it leaves
  for (uint64_t left = 0; left < 40000;) {
    usleep(10000);
    kill(child, SIGSTOP);
    int status = 0;
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status)); // not through before some of it was seen
    left = partial_bytes(f->cache);
    if (left < 40000) kill(child, SIGCONT);
  }
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  server_kill(&s);
  server_forget(&s);
  server_start(&s, f->root, f->log, "--port", port);
  assert_int_equal(child_reads(f, where), 0);
  assert_int_equal(server_count(&s, "shard-", ""), SHARDS);
  assert_true(server_count(&s, "bytes=", "206") >= 1); // what it had is not fetched again
  server_kill(&s);
}

static void test_waiting_process_takes_over_from_one_that_is_killed(void **state) {
  served_set *f = *state;
  server s;
  char where[64];
  server_start(&s, f->root, f->log, "--fault", "shard,4,hang"); // the first process gets stuck
  snprintf(where, sizeof where, "http://127.0.0.1:%d/tabletop", s.port);
  pid_t stuck = fork();
  assert_true(stuck >= 0);
  if (stuck == 0) _exit(child_reads(f, where));
  while (server_count(&s, "shard-", "") < 4) usleep(10000);
  pid_t next = fork();
  assert_true(next >= 0);
  if (next == 0) _exit(child_reads(f, where));
  usleep(300000); // it waits for locks that the first one holds; the claim does not depend on it
  assert_int_equal(server_count(&s, "shard-", ""), 4);
  kill(stuck, SIGKILL);
  waitpid(stuck, NULL, 0);
  int status = -1;
  assert_int_equal(waitpid(next, &status, 0), next);
  assert_int_equal(status, 0);
  server_kill(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_what_is_needed_last_leaves_first_and_nothing_open,
                             served_set_start),
      cmocka_unit_test_setup(test_locks_are_one_a_file_and_n_a_node, served_set_start),
      cmocka_unit_test_setup(test_set_larger_than_the_budget_passes_through_it, served_set_start),
      cmocka_unit_test_setup(test_write_that_fails_makes_room_or_says_so, served_set_start),
      cmocka_unit_test_setup(test_8_processes_that_start_cold_make_20_downloads, served_set_start),
      cmocka_unit_test_setup(test_process_that_is_killed_leaves_its_download_to_the_next,
                             served_set_start),
      cmocka_unit_test_setup(test_waiting_process_takes_over_from_one_that_is_killed,
                             served_set_start),
      cmocka_unit_test_setup(test_disk_smaller_than_the_budget_is_used_up_and_no_more,
                             served_set_start),
  };
  setenv("no_proxy", "127.0.0.1", 1);
  return cmocka_run_group_tests(tests, set_up, served_set_remove);
}
