// The states of the toy model, filled, on one rank.
#ifndef TESTS_TRAIN_TOY_STATE_H
#define TESTS_TRAIN_TOY_STATE_H

#include <string.h>

#include "tests/train/toy.h"
#include "train/step/state.h"

typedef struct {
  kern *k;
  cfg *c;
  train_state s;
  train_dynamics_params p;
} toy_state;

// `optimizer` is a row as in --set.
static inline void toy_state_open(toy_state *m, kern_dtype type, bool ema, const char *optimizer) {
  const train_dynamics_dims d = toy_dims(type);
  memset(m, 0, sizeof *m);
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &m->k));
  assert_ok(kern_commit(m->k));
  assert_ok(cfg_create(&m->c));
  assert_ok(cfg_set(m->c, optimizer));
  m->c->optim.ema_decay = ema ? 0.9 : 0.0;
  m->c->optim.weight_decay = 0.1;
  train_state_init(&m->s, m->k, type, true, ema);
  assert_ok(train_dynamics_list(&d, &m->s.params, &m->p));
  assert_ok(train_state_share(&m->s, m->c, NULL));
  train_state_place(&m->s);
  assert_ok(train_state_commit(&m->s));
  train_state_place(&m->s);
  assert_ok(train_state_fill(&m->s, 5));
}

static inline void toy_state_close(toy_state *m) {
  train_state_release(&m->s);
  orr_free(m->p.blocks);
  cfg_destroy(m->c);
  kern_destroy(m->k);
}

#endif
