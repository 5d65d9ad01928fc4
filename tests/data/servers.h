// Servers for tests of remote data: tests/data/remote_server.py and nginx, each on a free port of
// this machine, and what they were asked.
#ifndef TESTS_DATA_SERVERS_H
#define TESTS_DATA_SERVERS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "data/clips/clip_batch.h"
#include "data/clips/mix.h"
#include "tests/data/shards.h"
#include "base/fs.h"

extern char **environ;

#define SERVER_PYTHON "/usr/bin/python3"
#define SERVER_KEY    "AKIDTESTTESTTESTTEST"
#define SERVER_SECRET "verySECRETtestKEYverySECRETtest+/0123456"
#define SERVER_TOKEN  "toKen+/=0123"
#define SERVER_REGION "eu-test-1"

typedef struct {
  pid_t pid;
  int port, in; // in: it ends when this is closed
  char log[704];
} server;

static inline pid_t server_spawn(const char *const *words, int in, int out) {
  posix_spawn_file_actions_t to;
  pid_t pid = -1;
  posix_spawn_file_actions_init(&to);
  posix_spawn_file_actions_adddup2(&to, in, 0);
  posix_spawn_file_actions_adddup2(&to, out, 1);
  assert_int_equal(
      posix_spawnp(&pid, words[0], &to, NULL, (char *const *)(uintptr_t)words, environ), 0);
  posix_spawn_file_actions_destroy(&to);
  return pid;
}

// Starts the server over `root` with more words (ended by NULL); `log` is kept from earlier ones.
static inline void server_start_with(server *s, const char *root, const char *log,
                                     const char *const *more) {
  const char *words[40] = {SERVER_PYTHON, ORR_SOURCE_DIR "/tests/data/remote_server.py",
                           "--root",      root,
                           "--log",       s->log};
  int n = 6, in[2], out[2];
  char line[16] = "";
  snprintf(s->log, sizeof s->log, "%s", log);
  while (more && *more && n < 39) words[n++] = *more++;
  assert_int_equal(pipe2(in, O_CLOEXEC), 0);
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  s->pid = server_spawn(words, in[0], out[1]);
  s->in = in[1];
  close(in[0]);
  close(out[1]);
  assert_true(read(out[0], line, sizeof line - 1) > 0);
  close(out[0]);
  s->port = (int)strtol(line, NULL, 10);
  assert_true(s->port > 0);
}

#define server_start(s, root, log, ...)                                                            \
  server_start_with(s, root, log, (const char *const[]){__VA_ARGS__, NULL})

static inline void server_kill(server *s) {
  kill(s->pid, SIGKILL);
  waitpid(s->pid, NULL, 0);
  close(s->in);
  s->pid = 0;
}

// Lines of the log that hold both words.
static inline int server_count(const server *s, const char *word, const char *other) {
  char line[4096];
  int n = 0;
  FILE *f = fopen(s->log, "r");
  while (f && fgets(line, sizeof line, f)) n += strstr(line, word) && strstr(line, other);
  if (f) fclose(f);
  return n;
}

static inline void server_forget(const server *s) {
  assert_int_equal(truncate(s->log, 0), 0);
}

// A port that nobody listens on now.
static inline int server_free_port(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, size) == 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
  close(fd);
  return ntohs(a.sin_port);
}

// Until something listens there; two minutes are for a machine that is busy with other things.
static inline bool server_listens(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr = {htonl(INADDR_LOOPBACK)},
                          .sin_port = htons((uint16_t)port)};
  for (int i = 0; i < 12000; i++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool up = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    if (up) return true;
    usleep(10000);
  }
  return false;
}

// -- a data set and what is read of it ------------------------------------------------------

enum { SET_HEIGHT = 32, SET_WIDTH = 48, SET_T = 4 };

static inline data_mix_options set_options(const char *const *where, data_remote *remote) {
  return (data_mix_options){.dirs = where,
                            .count = 1,
                            .kind = DATA_FRAMES,
                            .T = SET_T,
                            .stride = 1,
                            .height = SET_HEIGHT,
                            .width = SET_WIDTH,
                            .A = 2,
                            .remote = remote};
}

// `shards` shards of about 300 kB: two episodes of 32 to 34 frames each.
static inline void set_make(const char *dir, int shards) {
  data_shard_format f = shards_format(SET_HEIGHT, SET_WIDTH, 0);
  assert_int_equal(orr_fs_mkdirs(dir), ORR_OK);
  shards_data_set(dir, &f, shards, 2, 32);
}

// Reads samples [first,first+n) and folds all that came into *hash.
static inline orr_code set_read(const char *where, data_remote *remote, uint64_t first, uint64_t n,
                                orr_hash128 *hash) {
  data_mix_options o = set_options(&where, remote);
  data_mix *m = NULL;
  data_clip_batch *b = NULL;
  orr_hash_stream *h = orr_hash_stream_create();
  if (!h)
    return ORR_FAIL(ORR_ENOMEM, "out of memory: cannot fold clips"); // a fault of the test's own
  orr_code rc = data_mix_open(&o, 5, &m);
  if (rc == ORR_OK) rc = data_clip_batch_create(&o, 1, 0, &b);
  for (uint64_t g = first; rc == ORR_OK && g < first + n; g++) {
    rc = data_mix_read(m, g, b, 0);
    if (rc != ORR_OK) break;
    orr_hash_stream_update(h, b->frames, SET_T * SET_HEIGHT * SET_WIDTH * 3);
    orr_hash_stream_update(h, b->action, SET_T * 2 * sizeof(float));
  }
  *hash = orr_hash_stream_digest(h);
  orr_hash_stream_destroy(h);
  data_clip_batch_destroy(b);
  data_mix_close(m);
  return rc;
}

// Options for a test: quick to try again, quick to give up.
static inline data_remote_options set_remote(const char *cache) {
  data_remote_options o = data_remote_defaults();
  o.cache_dir = cache;
  o.backoff_s = 0.01;
  o.timeout_s = 300; // what is not meant to fail does not, however busy the machine
  o.connect_s = 100;
  return o;
}

// -- a folder to be served, and the places of a test beside it ------------------------------

typedef struct {
  char root[512], set[600], cache[600], log[600];
  orr_hash128 folder; // of the first samples, read from the folder
} served_set;

// cmocka's state is a set of `shards` shards; `samples` go into its hash.
static inline int served_set_make(void **state, const char *name, int shards, uint64_t samples) {
  served_set *f = calloc(1, sizeof *f);
  snprintf(f->root, sizeof f->root, "%s", shards_folder(name));
  snprintf(f->set, sizeof f->set, "%s/tabletop", f->root);
  snprintf(f->cache, sizeof f->cache, "%s/cache", f->root);
  snprintf(f->log, sizeof f->log, "%s/log", f->root);
  set_make(f->set, shards);
  assert_ok(set_read(f->set, NULL, 0, samples, &f->folder));
  *state = f;
  return 0;
}

static inline int served_set_remove(void **state) {
  served_set *f = *state;
  folder_remove(f->root);
  free(f);
  return 0;
}

// A fresh cache and a fresh log.
static inline void served_set_clear(const served_set *f) {
  unlink(f->log);
  folder_remove(f->cache);
}

// The setup of a test of its own.
static inline int served_set_start(void **state) {
  served_set_clear(*state);
  return 0;
}

#endif
