// The tree in which run.exact adds the gradients of groups of clips: a binary tree over the numbers
// of the groups in a step, whoever computed them. A stack takes nodes in the order of their groups;
// two of one size whose union is a node, too, are added at once, as a binary counter carries, and
// what is left at the end from the last one backwards. The order of all additions depends on the
// number of groups alone: a rank adds what lies whole within its own groups, and who has the
// others' nodes goes on from there.
#ifndef TRAIN_TREE_H
#define TRAIN_TREE_H

#include <stdint.h>

enum { TRAIN_TREE_MOST = 128 }; // nodes on a stack: two for each size

// Groups [first, first + size); size is a power of two and divides first.
typedef struct {
  int64_t first, size;
} train_tree_node;

typedef struct {
  int count;
  train_tree_node node[TRAIN_TREE_MOST];
} train_tree;

// Local. Puts a node on the stack; returns how many additions of the two topmost nodes follow.
// Groups come in order.
int train_tree_push(train_tree *t, train_tree_node x);
// Local. The nodes that groups [first, first + count) come to, and the most that lie on the stack
// on the way there, the last group not counted.
void train_tree_of(int64_t first, int64_t count, train_tree *out);
int train_tree_most(int64_t first, int64_t count);

#endif
