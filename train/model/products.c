#include "train/model/products.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/watch.h"

void train_products_init(train_products *p, kern *k) {
  *p = (train_products){.k = k};
}

void train_products_release(train_products *p) {
  orr_free(p->list);
  *p = (train_products){0};
}

// The first product that ends after `at`: the list is in the order of places.
static int find(const train_products *p, int64_t at) {
  int low = 0, high = p->count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (p->list[middle].at + p->list[middle].count <= at)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static orr_code grow(train_products *p) {
  if (p->count < p->capacity) return ORR_OK;
  const int capacity = p->capacity ? 2 * p->capacity : 64;
  train_product *list = orr_realloc(p->list, (size_t)capacity * sizeof *list);
  ORR_CHECK(list, ORR_ENOMEM, "list of the products of gradients: out of memory");
  p->list = list;
  p->capacity = capacity;
  return ORR_OK;
}

static orr_code note(train_products *p, int64_t at, int64_t count) {
  const int i = find(p, at);
  if (i < p->count && p->list[i].at == at && p->list[i].count == count) return ORR_OK;
  ORR_CHECK(i == p->count || at + count <= p->list[i].at, ORR_EINVAL,
            "gradients: the products at %" PRId64 " and %" PRId64
            " of the flat layout overlap; one of them has to add to a cleared gradient",
            at, p->list[i].at);
  ORR_TRY(grow(p));
  memmove(p->list + i + 1, p->list + i, (size_t)(p->count - i) * sizeof *p->list);
  p->list[i] = (train_product){.at = at, .count = count};
  p->count++;
  return ORR_OK;
}

orr_code train_products_gradient(kern *k, const train_weights *w, int64_t at,
                                 const kern_matmul_bwd_w_args *args) {
  train_products *p = w->products;
  kern_matmul_bwd_w_args a = *args;
  a.dw = train_gradient(w, at);
  a.overwrite = false;
  if (!p) return kern_matmul_bwd_w(k, &a);
  if (k->planning) { // for both ways
    ORR_TRY(note(p, at, a.N * a.K));
    p->list[find(p, at)].written = true; // so that settle plans as a step settles
    kern_watch_pause(k, true);
    ORR_TRY(kern_matmul_bwd_w(k, &a));
    kern_watch_pause(k, false);
    a.overwrite = true;
    return kern_matmul_bwd_w(k, &a);
  }
  const int i = find(p, at);
  ORR_CHECK(i < p->count && p->list[i].at == at, ORR_EINVAL,
            "gradients: a product at %" PRId64 " of the flat layout that no planning pass met", at);
  a.overwrite = !p->list[i].written;
  p->list[i].written = true;
  return kern_matmul_bwd_w(k, &a);
}

static orr_code clear(const train_products *p, const train_weights *w, int64_t from, int64_t to) {
  if (from == to) return ORR_OK;
  return kern_fill(p->k, &(kern_fill_args){.x = train_gradient(w, from),
                                           .bytes = (size_t)(to - from) * sizeof(float)});
}

orr_code train_products_begin(train_products *p, const train_weights *w, int64_t from, int64_t to) {
  for (int i = find(p, from); i < p->count && p->list[i].at < to; i++) {
    ORR_TRY(clear(p, w, from, p->list[i].at));
    from = p->list[i].at + p->list[i].count;
    p->list[i].written = false;
  }
  return clear(p, w, from, to);
}

orr_code train_products_settle(train_products *p, const train_weights *w, int64_t first) {
  for (int i = find(p, first); i < p->count; i++) {
    train_product *x = &p->list[i];
    if (!x->written) ORR_TRY(clear(p, w, x->at, x->at + x->count));
    x->written = true;
  }
  return ORR_OK;
}

int64_t train_products_elements(const train_products *p) {
  int64_t n = 0;
  for (int i = 0; i < p->count; i++) n += p->list[i].count;
  return n;
}
