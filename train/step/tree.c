#include "train/step/tree.h"

static int add_siblings(train_tree *t) {
  int sums = 0;
  for (; t->count >= 2; t->count--, sums++) {
    train_tree_node *a = &t->node[t->count - 2], *b = &t->node[t->count - 1];
    if (a->size != b->size || a->first % (2 * a->size) != 0) break;
    a->size *= 2;
  }
  return sums;
}

int train_tree_push(train_tree *t, train_tree_node x) {
  t->node[t->count++] = x;
  return add_siblings(t);
}

void train_tree_of(int64_t first, int64_t count, train_tree *out) {
  out->count = 0;
  for (int64_t i = 0; i < count; i++) train_tree_push(out, (train_tree_node){first + i, 1});
}

int train_tree_most(int64_t first, int64_t count) {
  train_tree t = {0};
  int most = 0;
  for (int64_t i = 0; i < count; i++) {
    const int with = t.count + (i + 1 < count); // the last one has a place of its own
    if (with > most) most = with;
    train_tree_push(&t, (train_tree_node){first + i, 1});
  }
  return most;
}
