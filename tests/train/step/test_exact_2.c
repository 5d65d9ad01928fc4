// labels: full mpi; ranks: 2; wrap: train_exact_slices train_exact_leaves train_tree_push
// run.exact: one order that is broken on purpose, and two layouts have two hashes.
#include "tests/train/exact.h"
#include "train/model/exact.h"
#include "train/step/tree.h"

static bool one_slice, one_leaf, no_tree;

kern_slices __real_train_exact_slices(const train_axes *ax, int segments, const int64_t *width);
kern_slices __wrap_train_exact_slices(const train_axes *ax, int segments, const int64_t *width);
int64_t __real_train_exact_leaves(const train_axes *ax);
int64_t __wrap_train_exact_leaves(const train_axes *ax);
int __real_train_tree_push(train_tree *t, train_tree_node x);
int __wrap_train_tree_push(train_tree *t, train_tree_node x);

// What a rank of tp has, as one sum.
kern_slices __wrap_train_exact_slices(const train_axes *ax, int segments, const int64_t *width) {
  kern_slices s = __real_train_exact_slices(ax, segments, width);
  for (int g = 0; one_slice && g < segments; g++) s.at[g][1] = s.at[g][s.count];
  if (one_slice) s.count = 1;
  return s;
}

// What a rank of cp has, as one sum.
int64_t __wrap_train_exact_leaves(const train_axes *ax) {
  return one_leaf ? 1 : __real_train_exact_leaves(ax);
}

// Nothing is added before all groups are there; of train/step/turns.c alone, which makes room for
// it.
int __wrap_train_tree_push(train_tree *t, train_tree_node x) {
  if (!no_tree) return __real_train_tree_push(t, x);
  t->node[t->count++] = x;
  return 0;
}

// Collective over w. Whether a layout of two ranks has the hash of one.
static bool is_one(dist_world *w, const layout *l) {
  const layout single = {.tp = 1, .cp = 1, .dp = 1, .bf16 = l->bf16, .tokenizer = l->tokenizer};
  int64_t want = 0;
  if (w->grid.rank == 0) want = (int64_t)exact_run(w, &single, 2);
  assert_ok(dist_broadcast(w->axis[DIST_AXIS_WORLD], &want, 1, DIST_I64, 0));
  return exact_run(w, l, 2) == (uint64_t)want;
}

// Views, heads on registers and weighted positions; where the model draws codes itself, and where
// clips grow, which cp does not split, apart.
static void test_every_axis_has_the_hash_of_one_rank(void **state) {
#define PARTS .views = true, .heads = true, .weigh = true
  static const layout all[] = {{.tp = 2, .cp = 1, .dp = 1, PARTS},
                               {.tp = 1, .cp = 2, .dp = 1, PARTS},
                               {.tp = 1, .cp = 1, .dp = 2, .zero = 3, PARTS}};
  static const layout own[] = {{.tp = 2, .cp = 1, .dp = 1, .own = true, .batch = 4},
                               {.tp = 1, .cp = 2, .dp = 1, .own = true, .batch = 4}};
  static const layout growing[] = {{.tp = 2, .cp = 1, .dp = 1, .growing = true, .batch = 4},
                                   {.tp = 1, .cp = 1, .dp = 2, .growing = true, .batch = 4}};
  exact_layouts(*state, all, sizeof all / sizeof *all, 2);
  exact_layouts(*state, own, sizeof own / sizeof *own, 2);
  exact_layouts(*state, growing, sizeof growing / sizeof *growing, 2);
}

static void test_the_tokenizer_has_the_hash_of_one_rank(void **state) {
  static const layout all[] = {{.tp = 2, .cp = 1, .dp = 1, .tokenizer = true},
                               {.tp = 1, .cp = 2, .dp = 1, .tokenizer = true},
                               {.tp = 1, .cp = 1, .dp = 2, .tokenizer = true, .zero = 3}};
  exact_layouts(*state, all, sizeof all / sizeof *all, 2);
}

static void test_without_slices_tp_has_another_hash(void **state) {
  one_slice = true;
  assert_false(is_one(*state, &(layout){.tp = 2, .cp = 1, .dp = 1}));
  assert_false(is_one(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .bf16 = true}));
  assert_false(is_one(*state, &(layout){.tp = 2, .cp = 1, .dp = 1, .tokenizer = true}));
  one_slice = false;
}

static void test_without_leaves_cp_has_another_hash(void **state) {
  one_leaf = true;
  assert_false(is_one(*state, &(layout){.tp = 1, .cp = 2, .dp = 1}));
  assert_false(is_one(*state, &(layout){.tp = 1, .cp = 2, .dp = 1, .tokenizer = true}));
  one_leaf = false;
}

static void test_in_another_tree_dp_has_another_hash(void **state) {
  const layout l = {.tp = 1, .cp = 1, .dp = 2, .zero = 2};
  const uint64_t want = exact_run(*state, &l, 2);
  no_tree = true;
  assert_int_not_equal(exact_run(*state, &l, 2), want);
  no_tree = false;
}

// Groups of three clips are other leaves of the tree.
static void test_other_groups_have_another_hash(void **state) {
  assert_false(is_one(*state, &(layout){.tp = 1, .cp = 1, .dp = 2, .group = 3}));
}

static int all_tests(dist_world *w) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_prestate(test_every_axis_has_the_hash_of_one_rank, w),
      cmocka_unit_test_prestate(test_the_tokenizer_has_the_hash_of_one_rank, w),
      cmocka_unit_test_prestate(test_without_slices_tp_has_another_hash, w),
      cmocka_unit_test_prestate(test_without_leaves_cp_has_another_hash, w),
      cmocka_unit_test_prestate(test_in_another_tree_dp_has_another_hash, w),
      cmocka_unit_test_prestate(test_other_groups_have_another_hash, w),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
  return layouts_main(2, all_tests);
}
