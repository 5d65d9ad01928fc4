// labels: full mpi; ranks: 4; wrap: orr_malloc orr_calloc orr_realloc orr_malloc_aligned orr_malloc_pages orr_free
// What is announced before the first step against what is taken and counted: memory of a rank, and
// the traffic of saving and of comparing replicas (that of a step: tests/train/layouts.h).
#include "tests/dist/world_folder.h"
#include "tests/train/layouts.h"

#include <inttypes.h>
#include <malloc.h>

#include "base/fs.h"
#include "dist/replicas.h"
#include "train/run/accounting.h"
#include "train/run/replica_check.h"

static const layout layouts[] = {
    {.tp = 2, .cp = 1, .dp = 2, .zero = 1, .bf16 = true, .wide = true, .batch = 8},
    {.tp = 2, .cp = 2, .dp = 1, .wide = true, .batch = 8},
    {.tp = 4, .cp = 1, .dp = 1, .bf16 = true, .wide = true, .batch = 8},
    {.tp = 1, .cp = 1, .dp = 4, .zero = 1, .wide = true, .batch = 8},
    {.tp = 1, .cp = 2, .dp = 2, .wide = true, .batch = 8},
    {.tp = 2, .cp = 1, .dp = 2, .zero = 2, .bf16 = true, .wide = true, .batch = 8, .micro = 2},
    {.tp = 1, .cp = 1, .dp = 4, .zero = 3, .shard = 2, .wide = true, .batch = 8, .micro = 1},
    {.tp = 1, .cp = 2, .dp = 2, .zero = 3, .bf16 = true, .wide = true, .batch = 8, .muon = true},
    {.tp = 2, .cp = 2, .dp = 1, .zero = 1, .bf16 = true, .batch = 8, .tokenizer = true},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };
// Names, places of rows, a test's batch, requests: none of it grows with the width of the model.
#define TABLES (256 * 1024) // measured 185,629

// Bytes that came from base/mem.h and have not gone back. This program stands in front of it
// (linked with --wrap), so that what MPI takes for itself is left out.
static int64_t live_bytes;

void *__real_orr_malloc(size_t bytes);
void *__real_orr_calloc(size_t count, size_t size);
void *__real_orr_malloc_aligned(size_t bytes, size_t align);
void *__real_orr_malloc_pages(size_t bytes);
void *__real_orr_realloc(void *p, size_t bytes);
void __real_orr_free(void *p);
void *__wrap_orr_malloc(size_t bytes);
void *__wrap_orr_calloc(size_t count, size_t size);
void *__wrap_orr_malloc_aligned(size_t bytes, size_t align);
void *__wrap_orr_malloc_pages(size_t bytes);
void *__wrap_orr_realloc(void *p, size_t bytes);
void __wrap_orr_free(void *p);

static void *counted(void *p) {
  live_bytes += (int64_t)malloc_usable_size(p);
  return p;
}

void *__wrap_orr_malloc(size_t bytes) {
  return counted(__real_orr_malloc(bytes));
}

void *__wrap_orr_calloc(size_t count, size_t size) {
  return counted(__real_orr_calloc(count, size));
}

void *__wrap_orr_malloc_aligned(size_t bytes, size_t align) {
  return counted(__real_orr_malloc_aligned(bytes, align));
}

void *__wrap_orr_malloc_pages(size_t bytes) {
  return counted(__real_orr_malloc_pages(bytes));
}

void *__wrap_orr_realloc(void *p, size_t bytes) {
  live_bytes -= (int64_t)malloc_usable_size(p);
  return counted(__real_orr_realloc(p, bytes));
}

void __wrap_orr_free(void *p) {
  live_bytes -= (int64_t)malloc_usable_size(p);
  __real_orr_free(p);
}

static uint64_t announced_bytes(const train_accounting *a) {
  train_account all[TRAIN_ACCOUNTS];
  uint64_t sum = 0;
  train_accounting_memory(a, all);
  for (int i = 0; i < TRAIN_ACCOUNTS; i++) sum += all[i].bytes;
  return sum;
}

static void note_traffic(const dist_world *w, dist_traffic *t) {
  for (int a = 0; a < DIST_AXES; a++) t[a] = dist_comm_traffic(w->axis[a]);
}

// What the communicators counted since `before` against the announcement.
static void check_moved(const dist_world *w, const dist_traffic *before,
                        const train_moved moved[DIST_AXES][TRAIN_MOVES], const char *what) {
  for (int a = 0; a < DIST_AXES; a++) {
    const dist_traffic now = dist_comm_traffic(w->axis[a]);
    int64_t calls = 0, bytes = 0;
    for (int m = 0; m < TRAIN_MOVES; m++) {
      calls += moved[a][m].calls;
      bytes += moved[a][m].bytes;
    }
    if (dist_comm_size(w->axis[a]) == 1) continue;
    if (now.calls - before[a].calls != calls || now.bytes - before[a].bytes != bytes)
      fail_msg("rank %d, %s, %s axis: announced %" PRId64 " bytes in %" PRId64
               " calls, counted %" PRId64 " in %" PRId64,
               w->grid.rank, what, dist_axis_name((dist_axis)a), bytes, calls,
               now.bytes - before[a].bytes, now.calls - before[a].calls);
  }
}

// A checkpoint as the loop makes it: begin, all ranks written, conclude.
static void check_save(trainee *t, dist_world *w, const train_accounting *a) {
  dist_traffic before[DIST_AXES];
  double ms = 0.0;
  train_saver *s;
  assert_ok(orr_fs_mkdirs(t->c->run.dir));
  assert_ok(train_saver_create(t->c, &t->axes, &t->work.state, &s));
  assert_int_equal(train_saver_host_bytes(s), a->save.host_bytes);
  note_traffic(w, before);
  assert_ok(train_saver_begin(s, 1, json_pack("{s:s}", "stage", "dynamics"), &ms));
  assert_int_equal(train_saver_poll(s), TRAIN_SAVE_WRITTEN);
  assert_ok(train_saver_conclude(s, false, &ms));
  check_moved(w, before, a->save.moved, "a checkpoint");
  assert_ok(train_saver_finish(s));
  train_saver_destroy(s);
}

// Blocks of file `name` of the checkpoint that are not zeros, against those in the ranks' folders:
// each must be there twice, in the memory of two ranks, and nowhere otherwise.
static void check_twice(const char *whole, const char *copies, int ranks, const char *name) {
  char path[512], *bytes, *part;
  size_t n, m;
  static const char zeros[4096];
  snprintf(path, sizeof path, "%s/%s", whole, name);
  assert_ok(orr_fs_read_all(path, &bytes, &n));
  unsigned char *found = calloc(n / 4096 + 1, 1);
  for (int r = 0; r < ranks; r++) {
    snprintf(path, sizeof path, "%s/rank-%06d/step-00000001/%s", copies, r, name);
    if (access(path, R_OK) != 0) continue; // nothing of that file
    assert_ok(orr_fs_read_all(path, &part, &m));
    assert_true(m <= n);
    for (size_t at = 0; at < m; at += 4096) {
      const size_t k = m - at < 4096 ? m - at : 4096;
      if (memcmp(part + at, zeros, k) == 0) continue;
      assert_memory_equal(part + at, bytes + at, k);
      found[at / 4096]++;
    }
    orr_free(part);
  }
  for (size_t at = 0; at < n; at += 4096) {
    const size_t k = n - at < 4096 ? n - at : 4096;
    if (memcmp(bytes + at, zeros, k) != 0) assert_int_equal(found[at / 4096], 2);
  }
  free(found);
  orr_free(bytes);
}

// Copies in memory as the loop makes them, after the checkpoint of the same state.
static void check_copies(trainee *t, dist_world *w, const train_accounting *a) {
  dist_traffic before[DIST_AXES];
  train_copies *x;
  char whole[256];
  assert_ok(train_copies_create(t->c, &t->axes, &t->work.state, &x));
  note_traffic(w, before);
  assert_ok(train_copies_make(x, 1, json_pack("{s:s}", "stage", "dynamics")));
  assert_ok(train_copies_conclude(x));
  check_moved(w, before, a->copies.moved, "a copy in memory");
  assert_ok(dist_barrier(w->axis[DIST_AXIS_WORLD]));
  snprintf(whole, sizeof whole, "%s/ckpt/step-00000001", t->c->run.dir);
  if (w->grid.rank == 0) {
    check_twice(whole, t->c->ckpt.copies_dir, w->grid.ranks, "model-00001-of-00001.safetensors");
    check_twice(whole, t->c->ckpt.copies_dir, w->grid.ranks, "optim-00001-of-00001.safetensors");
  }
  assert_ok(dist_barrier(w->axis[DIST_AXIS_WORLD]));
  train_copies_destroy(x);
}

static void check_compare(trainee *t, dist_world *w, const train_accounting *a) {
  dist_traffic before[DIST_AXES];
  train_replica_check *r;
  assert_ok(train_replica_check_create(t->c, w, &t->work.state, &r));
  note_traffic(w, before);
  if (r)
    assert_ok(dist_agree(w->axis[DIST_AXIS_WORLD], train_replica_check_run(r), "compare replicas"));
  check_moved(w, before, a->compare, "a comparison");
  train_replica_check_destroy(r);
}

static void test_what_saving_and_comparing_take_is_what_was_announced(void **state) {
  dist_world *w = *state;
  char root[FOLDER_PATH], text[128];
  world_folder_make(w, root);
  for (int i = 0; i < LAYOUTS; i++) {
    trainee t;
    train_accounting a;
    layout_split(w, &layouts[i]);
    trainee_start(&t, &layouts[i], &w->grid, w);
    snprintf(text, sizeof text, "run.dir=%s/%d", root, i);
    assert_ok(cfg_set(t.c, text));
    assert_ok(cfg_set(t.c, "ckpt.async=false"));
    assert_ok(cfg_set(t.c, "dist.check_replicas=1"));
    snprintf(text, sizeof text, "ckpt.copies_dir=%s/copies-%d", root, i);
    assert_ok(cfg_set(t.c, text));
    assert_ok(cfg_set(t.c, "ckpt.copies_every=1"));
    assert_ok(train_accounting_plan(&a, &t.work));
    trainee_commit(&t);
    check_compare(&t, w, &a);
    check_save(&t, w, &a);
    check_copies(&t, w, &a);
    trainee_close(&t);
  }
  world_folder_remove(w, root);
}

// All that lives after the first step and a saver's creation against the announcement.
static void test_what_is_taken_beyond_the_announcement_are_tables(void **state) {
  dist_world *w = *state;
  for (int i = 0; i < LAYOUTS; i++) {
    trainee t;
    train_accounting a;
    train_saver *s;
    layout_split(w, &layouts[i]);
    const int64_t before = live_bytes;
    trainee_start(&t, &layouts[i], &w->grid, w);
    assert_ok(train_accounting_plan(&a, &t.work));
    assert_true(live_bytes - before < TABLES); // planning takes no tensors
    trainee_commit(&t);
    trainee_gradients(&t, 0);
    trainee_update(&t, 0);
    assert_ok(train_saver_create(t.c, &t.axes, &t.work.state, &s));
    const int64_t more = live_bytes - before - (int64_t)announced_bytes(&a);
    print_message("layout %d, rank %d: %" PRId64 " bytes announced, %+" PRId64 "\n", i,
                  w->grid.rank, announced_bytes(&a), more);
    assert_true(more >= 0 && more < TABLES);
    train_saver_destroy(s);
    trainee_close(&t);
  }
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_what_saving_and_comparing_take_is_what_was_announced, w),
      cmocka_unit_test_prestate(test_what_is_taken_beyond_the_announcement_are_tables, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  mallopt(M_MMAP_MAX, 0); // a mapping of its own may be megabytes larger than what was asked for
  return layouts_main(4, all_tests);
}
