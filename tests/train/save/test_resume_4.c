// labels: full mpi; ranks: 4
// A run that goes on in other layouts: each reads what the one before it wrote.
#include "tests/dist/world_folder.h"
#include "tests/train/layouts.h"

#include "train/save/saver.h"
#include "train/save/store.h"

#define STEPS 2 // in each layout

static void load(trainee *t, const char *root) {
  char path[128];
  ckpt_reader *r;
  snprintf(path, sizeof path, "%s/ckpt", root);
  assert_ok(ckpt_open(path, &r));
  assert_ok(train_store_load(&t->work.state, r));
  ckpt_close(r);
}

static void save(trainee *t, dist_world *w, const char *root, int64_t step) {
  char text[128];
  double ms = 0.0;
  train_saver *s;
  snprintf(text, sizeof text, "run.dir=%s", root);
  assert_ok(cfg_set(t->c, text));
  assert_ok(cfg_set(t->c, "ckpt.keep=100"));
  assert_ok(orr_fs_mkdirs(root));
  assert_ok(train_saver_create(t->c, &t->axes, &t->work.state, &s));
  assert_ok(train_saver_begin(s, step, json_pack("{s:s}", "stage", "dynamics"), &ms));
  assert_ok(train_saver_finish(s));
  train_saver_destroy(s);
}

// Of a rank alone, while the others wait.
static void save_alone(trainee *t, const char *root, int64_t step) {
  char path[128];
  const char *sums;
  ckpt_plan plan;
  ckpt_writer *writer;
  train_store *store;
  snprintf(path, sizeof path, "%s/ckpt", root);
  assert_ok(train_store_plan(&t->work.state, 1 << 30, &plan));
  assert_ok(ckpt_writer_create(&plan, &(ckpt_writer_options){.root = path, .ranks = 1, .keep = 100},
                               &writer));
  assert_ok(train_store_create(t->c, &t->work.state, &t->axes, writer, 0, &store));
  assert_ok(train_store_collect(store));
  assert_ok(ckpt_save_prepare(writer, step));
  assert_ok(ckpt_save_begin(writer, step, train_store_get, store));
  assert_ok(ckpt_save_sums(writer, &sums));
  json_t *meta = json_object();
  assert_ok(ckpt_save_commit(writer, &sums, meta));
  json_decref(meta);
  train_store_destroy(store);
  ckpt_writer_destroy(writer);
}

// STEPS steps of `t` beside the run that is never interrupted.
static void advance(trainee *t, trainee *whole, int64_t first) {
  for (int64_t step = first; step < first + STEPS; step++) {
    trainee_gradients(t, step);
    trainee_gradients(whole, step);
    trainee_update(t, step);
    trainee_update(whole, step);
    /* fp32, sums in other orders: measured 3e-8 */
    if (!(fabs(t->loss / whole->loss - 1.0) < 1e-5))
      fail_msg("step %d: loss %.9g, uninterrupted %.9g", (int)step + 1, t->loss, whole->loss);
  }
}

static void one_rank(trainee *t, const layout *l) {
  dist_grid one;
  assert_ok(dist_grid_init(1, 1, 1, 0, 1, &one));
  trainee_open(t, l, &one, NULL);
}

// A run of what `of` says through `n` layouts, beside one that stays on one rank.
static void go_through(dist_world *w, const layout *chain, int64_t n, layout of) {
  layout single = of;
  single.tp = single.cp = single.dp = 1;
  trainee whole, t;
  char root[FOLDER_PATH];
  world_folder_make(w, root);
  one_rank(&whole, &single);
  for (int64_t i = 0; i < n; i++) {
    layout l = chain[i];
    l.wide = of.wide;
    l.muon = of.muon;
    l.tokenizer = of.tokenizer;
    if (l.tp == 0) {
      one_rank(&t, &single);
    } else {
      layout_split(w, &l);
      trainee_open(&t, &l, &w->grid, w);
    }
    if (i > 0) load(&t, root);
    advance(&t, &whole, i * STEPS);
    assert_ok(
        dist_barrier(w->axis[DIST_AXIS_WORLD])); // nobody still reads what retention may remove
    if (l.tp > 0)
      save(&t, w, root, (i + 1) * STEPS);
    else if (w->grid.rank == 0)
      save_alone(&t, root, (i + 1) * STEPS);
    assert_ok(dist_barrier(w->axis[DIST_AXIS_WORLD]));
    trainee_close(&t);
  }
  trainee_close(&whole);
  world_folder_remove(w, root);
}

static void test_any_layout_goes_on_where_any_other_stopped(void **state) {
  static const layout chain[] = {{.tp = 2, .cp = 1, .dp = 2, .zero = 1},
                                 {.tp = 1, .cp = 2, .dp = 2},
                                 {.tp = 0}, // one rank alone
                                 {.tp = 4, .cp = 1, .dp = 1},
                                 {.tp = 2, .cp = 2, .dp = 1, .zero = 1},
                                 {.tp = 2, .cp = 1, .dp = 2, .zero = 2, .micro = 1},
                                 {.tp = 1, .cp = 4, .dp = 1, .micro = 1},
                                 {.tp = 1, .cp = 2, .dp = 2, .zero = 3, .shard = 2},
                                 {.tp = 2, .cp = 1, .dp = 2, .zero = 3}};
  go_through(*state, chain, sizeof chain / sizeof *chain, (layout){.wide = true});
}

static void test_muon_goes_on_in_any_layout(void **state) {
  static const layout chain[] = {{.tp = 2, .cp = 1, .dp = 2, .zero = 1},
                                 {.tp = 4, .cp = 1, .dp = 1},
                                 {.tp = 0}, // one rank alone
                                 {.tp = 1, .cp = 2, .dp = 2, .zero = 3},
                                 {.tp = 2, .cp = 1, .dp = 2, .zero = 2}};
  go_through(*state, chain, sizeof chain / sizeof *chain, (layout){.wide = true, .muon = true});
}

static void test_the_tokenizer_goes_on_in_any_layout(void **state) {
  static const layout chain[] = {{.tp = 2, .cp = 1, .dp = 2, .zero = 1},
                                 {.tp = 0}, // one rank alone
                                 {.tp = 2, .cp = 2, .dp = 1, .zero = 2},
                                 {.tp = 4, .cp = 1, .dp = 1}};
  go_through(*state, chain, sizeof chain / sizeof *chain, (layout){.tokenizer = true});
}

static void goes_on_bit_for_bit(dist_world *w, int zero) {
  const layout l = {.tp = 2, .cp = 1, .dp = 2, .zero = zero, .bf16 = true, .wide = true};
  trainee t, resumed;
  char root[FOLDER_PATH];
  world_folder_make(w, root);
  layout_split(w, &l);
  trainee_open(&t, &l, &w->grid, w);
  for (int64_t step = 0; step < 4; step++) {
    if (step == 2) save(&t, w, root, 2);
    trainee_gradients(&t, step);
    trainee_update(&t, step);
  }
  trainee_open(&resumed, &l, &w->grid, w);
  load(&resumed, root);
  for (int64_t step = 2; step < 4; step++) {
    trainee_gradients(&resumed, step);
    trainee_update(&resumed, step);
  }
  const train_state *a = &t.work.state, *b = &resumed.work.state;
  const size_t own = (size_t)train_partition_elements(&a->shard) * sizeof(float);
  assert_true(t.loss == resumed.loss);
  assert_memory_equal(a->own_master, b->own_master, own);
  assert_memory_equal(a->v, b->v, own);
  assert_memory_equal(a->ema, b->ema, own);
  if (zero < 3)
    assert_memory_equal(a->weights.work, b->weights.work, (size_t)a->params.total * 2);
  else
    assert_memory_equal(a->own_work, b->own_work, own / 2);
  assert_memory_equal(a->weights.plain, b->weights.plain, (size_t)a->plain * sizeof(float));
  trainee_close(&resumed);
  trainee_close(&t);
  world_folder_remove(w, root);
}

static void test_the_same_layout_goes_on_bit_for_bit(void **state) {
  for (int zero = 1; zero <= 3; zero++) goes_on_bit_for_bit(*state, zero);
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_any_layout_goes_on_where_any_other_stopped, w),
      cmocka_unit_test_prestate(test_muon_goes_on_in_any_layout, w),
      cmocka_unit_test_prestate(test_the_tokenizer_goes_on_in_any_layout, w),
      cmocka_unit_test_prestate(test_the_same_layout_goes_on_bit_for_bit, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(4, all_tests);
}
