// labels: quick
// What training carries from step to step: AdamW over the whole flat layout against float64, the
// working copy, and the way to and from a checkpoint.
#include "tests/train/toy_state.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "checkpoints/checkpoint.h"
#include "tests/base/folder.h"
#include "train/save/store.h"

static void update(toy_state *m, double lr, float scale, int64_t step) {
  kern_adamw_rates rates;
  const kern_clip_result verdict = {.scale = scale};
  assert_ok(kern_adamw_rates_of(lr, m->c->optim.beta1, m->c->optim.beta2, step, &rates));
  assert_ok(train_state_update(&m->s, m->c, &rates, &verdict, NULL, NULL));
}

static void draw_gradient(toy_state *m, uint64_t step) {
  for (int i = 0; i < m->s.params.count; i++) {
    const train_param *p = &m->s.params.list[i];
    for (int64_t j = 0; j < p->count; j++)
      m->s.weights.grad[p->at + j] = toy_normal(step, 200 + (uint64_t)i, j);
  }
}

static bool is_matrix_of_a_block(const char *name) {
  return strstr(name, "attn.q.") || strstr(name, "attn.k.") || strstr(name, "attn.v.") ||
         strstr(name, "attn.o.") || strstr(name, "mlp.");
}

// -- the optimizer --------------------------------------------------------------------------

// Loshchilov & Hutter 2019 for one weight, in float64.
typedef struct {
  double w, m, v, ema;
} adamw;

static void adamw_step(adamw *a, const cfg *c, double g, double lr, double decay, int step) {
  a->m = c->optim.beta1 * a->m + (1.0 - c->optim.beta1) * g;
  a->v = c->optim.beta2 * a->v + (1.0 - c->optim.beta2) * g * g;
  const double m = a->m / (1.0 - pow(c->optim.beta1, step));
  const double v = a->v / (1.0 - pow(c->optim.beta2, step));
  a->w -= lr * (m / (sqrt(v) + c->optim.eps) + decay * a->w);
  a->ema = c->optim.ema_decay * a->ema + (1.0 - c->optim.ema_decay) * a->w;
}

static void test_every_weight_follows_adamw_and_only_matrices_decay(void **state) {
  enum { STEPS = 3 };
  toy_state m;
  toy_state_open(&m, KERN_F32, true, "optim.optimizer=adamw");
  const int64_t n = m.s.params.total;
  const double lr = 0.03, scale = 0.5;
  adamw *want = orr_calloc((size_t)n, sizeof *want);
  for (int64_t i = 0; i < n; i++)
    want[i] = (adamw){.w = m.s.weights.master[i], .ema = m.s.weights.master[i]};
  for (int step = 1; step <= STEPS; step++) {
    draw_gradient(&m, (uint64_t)step);
    for (int i = 0; i < m.s.params.count; i++) {
      const train_param *p = &m.s.params.list[i];
      const bool decays = is_matrix_of_a_block(p->name) || strcmp(p->name, "head.weight") == 0;
      assert_int_equal(p->decay, decays);
      for (int64_t j = p->at; j < p->at + p->count; j++)
        adamw_step(&want[j], m.c, scale * m.s.weights.grad[j], lr, decays ? 0.1 : 0.0, step);
    }
    update(&m, lr, (float)scale, step);
  }
  double off = 0.0;
  for (int64_t i = 0; i < n; i++) { // padding included: it stays zero
    off = fmax(off, fabs(want[i].w - (double)m.s.weights.master[i]));
    off = fmax(off, fabs(want[i].m - (double)m.s.m[i]));
    off = fmax(off, fabs(want[i].v - (double)m.s.v[i]));
    off = fmax(off, fabs(want[i].ema - (double)m.s.ema[i]));
  }
  /* fp32 beside float64, values about 1: measured 1.3e-7 */
  if (!(off < 1e-6)) fail_msg("off by %g", off);
  orr_free(want);
  toy_state_close(&m);
}

static void test_the_working_copy_is_the_rounded_master(void **state) {
  toy_state m;
  toy_state_open(&m, KERN_BF16, false, "optim.optimizer=adamw");
  for (int step = 0; step < 2; step++) {
    for (int64_t i = 0; i < m.s.params.total; i++) {
      uint32_t bits;
      memcpy(&bits, &m.s.weights.master[i], sizeof bits);
      bits += 0x7fff + (bits >> 16 & 1); // to nearest, ties to even
      assert_int_equal(m.s.weights.work[i], bits >> 16);
    }
    draw_gradient(&m, 1);
    update(&m, 0.01, 1.0f, 1);
  }
  toy_state_close(&m);
}

static void test_without_training_only_weights_take_memory(void **state) {
  const train_dynamics_dims d = toy_dims(KERN_F32);
  train_state s;
  train_dynamics_params p;
  kern *k = NULL;
  assert_ok(kern_create(KERN_DEVICE_CPU, 1, &k));
  train_state_init(&s, k, KERN_F32, false, true);
  assert_ok(train_dynamics_list(&d, &s.params, &p));
  train_state_place(&s);
  assert_ok(train_state_commit(&s));
  train_state_place(&s);
  assert_int_equal(s.parameters.capacity, (size_t)s.params.total * sizeof(float));
  assert_int_equal(s.gradients.capacity + s.optimizer.capacity, 0);
  assert_null(s.weights.grad);
  assert_null(s.ema);
  train_state_release(&s);
  orr_free(p.blocks);
  kern_destroy(k);
}

// -- checkpoints ----------------------------------------------------------------------------

static void save(toy_state *m, const char *root) {
  ckpt_plan plan;
  ckpt_writer *w = NULL;
  train_store *store = NULL;
  const char *sums = NULL;
  json_t *meta = json_object();
  assert_ok(train_store_plan(&m->s, 65536, &plan)); // several files
  const ckpt_writer_options o = {.root = root, .ranks = 1};
  assert_ok(ckpt_writer_create(&plan, &o, &w));
  assert_ok(ckpt_save_prepare(w, 1));
  assert_ok(train_store_create(NULL, &m->s, NULL, w, 0, &store));
  assert_ok(ckpt_save_begin(w, 1, train_store_get, store));
  assert_ok(ckpt_save_sums(w, &sums));
  assert_ok(ckpt_save_commit(w, &sums, meta));
  assert_ok(ckpt_writer_wait(w));
  train_store_destroy(store);
  ckpt_writer_destroy(w);
  json_decref(meta);
}

// Weights, moments and average all different.
static void scramble(toy_state *m) {
  draw_gradient(m, 77);
  update(m, 0.01, 1.0f, 1);
}

static void test_a_checkpoint_brings_back_every_bit(void **state) {
  toy_state saved, loaded;
  ckpt_reader *r = NULL;
  bool ema = false;
  toy_state_open(&saved, KERN_BF16, true, "optim.optimizer=adamw");
  toy_state_open(&loaded, KERN_BF16, true, "optim.optimizer=adamw");
  scramble(&saved);
  save(&saved, *state);
  const size_t bytes = (size_t)saved.s.params.total * sizeof(float);
  assert_ok(ckpt_open(*state, &r));
  assert_ok(train_store_load(&loaded.s, r));
  assert_memory_equal(loaded.s.weights.master, saved.s.weights.master, bytes);
  assert_memory_equal(loaded.s.weights.work, saved.s.weights.work, bytes / 2);
  assert_memory_equal(loaded.s.m, saved.s.m, bytes);
  assert_memory_equal(loaded.s.v, saved.s.v, bytes);
  assert_memory_equal(loaded.s.ema, saved.s.ema, bytes);
  assert_ok(train_store_load_weights(&loaded.s, r, true, NULL, &ema));
  assert_true(ema);
  assert_memory_equal(loaded.s.weights.master, saved.s.ema, bytes);
  assert_memory_equal(loaded.s.ema, saved.s.ema, bytes);
  assert_ok(train_store_load_weights(&loaded.s, r, false, NULL, &ema));
  assert_false(ema);
  assert_memory_equal(loaded.s.weights.master, saved.s.weights.master, bytes);
  ckpt_close(r);
  toy_state_close(&loaded);
  toy_state_close(&saved);
}

static void test_a_checkpoint_without_average_gives_the_weights_themselves(void **state) {
  toy_state saved, loaded;
  ckpt_reader *r = NULL;
  bool ema = true;
  toy_state_open(&saved, KERN_F32, false, "optim.optimizer=adamw");
  toy_state_open(&loaded, KERN_F32, false, "optim.optimizer=adamw");
  scramble(&saved);
  save(&saved, *state);
  assert_ok(ckpt_open(*state, &r));
  assert_ok(train_store_load_weights(&loaded.s, r, true, NULL, &ema));
  assert_false(ema);
  assert_memory_equal(loaded.s.weights.master, saved.s.weights.master,
                      (size_t)saved.s.params.total * sizeof(float));
  ckpt_close(r);
  toy_state_close(&loaded);
  toy_state_close(&saved);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_weight_follows_adamw_and_only_matrices_decay),
      cmocka_unit_test(test_the_working_copy_is_the_rounded_master),
      cmocka_unit_test(test_without_training_only_weights_take_memory),
      cmocka_unit_test_setup_teardown(test_a_checkpoint_brings_back_every_bit, folder_setup,
                                      folder_teardown),
      cmocka_unit_test_setup_teardown(
          test_a_checkpoint_without_average_gives_the_weights_themselves, folder_setup,
          folder_teardown),
  };
  return cmocka_run_group_tests_name("train/state", tests, NULL, NULL);
}
