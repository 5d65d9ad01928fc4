// The products that make the gradients of matrices. The first one of a step on a matrix writes
// where the others add, so that a gradient is neither cleared nor read back before it is there: 8
// bytes a parameter and step. What no product makes (norms, embeddings, biases, the places between
// parameters) is cleared as a whole.
//
// A planning pass collects the products; from then on they are known by their first element.
#ifndef TRAIN_PRODUCTS_H
#define TRAIN_PRODUCTS_H

#include "train/model/params.h"

// Elements [at, at+count) of the flat layout.
typedef struct {
  int64_t at, count;
  bool written; // in this step
} train_product;

struct train_products {
  kern *k; // borrowed
  train_product *list;
  int count, capacity;
};

// Local. An empty list; release makes it empty again.
void train_products_init(train_products *p, kern *k);
void train_products_release(train_products *p);
// Local. dW at `at` of the flat layout, [a->N, a->K], by kern_matmul_bwd_w: a->dw and a->overwrite
// are filled in. Without w->products it adds. ORR_ENOMEM and ORR_EINVAL (two products that overlap)
// while planning.
orr_code train_products_gradient(kern *k, const train_weights *w, int64_t at,
                                 const kern_matmul_bwd_w_args *a);
// Local. Begins a step, or a segment's part of one, on gradients [from, to): clears what no product
// makes.
orr_code train_products_begin(train_products *p, const train_weights *w, int64_t from, int64_t to);
// Local. Before gradients from element `first` on are looked at, or added to by another
// micro-batch: clears those whose products have not run, for want of rows.
orr_code train_products_settle(train_products *p, const train_weights *w, int64_t first);
// Elements that products make: the others are cleared in every step.
int64_t train_products_elements(const train_products *p);

#endif
