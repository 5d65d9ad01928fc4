// labels: quick
// Attention on the device against the CPU, forward and backward in one go, as training lays it out:
// q and k in one matrix, v in another, frames and token positions as sequences of the same rows.
// The sequences are such that cuDNN, own kernels, and both in turn compute them.
#include "tests/kernels/cuda/device.h"
#include "tests/kernels/cuda/parity.h"

typedef struct {
  int64_t B, T, N, H, G, K; // rows [B*T, N]
  bool time;                // sequences over T, causal; else over N
  int64_t window;
  bool lse;       // a backward pass follows
  int64_t unseen; // frames at the end of each clip
} shape;
static const shape shapes[] = {
    {1, 3, 33, 2, 2, 16, false, 0, true, 0},  // frames
    {2, 2, 40, 4, 2, 8, false, 0, true, 0},   // grouped heads
    {1, 2, 64, 4, 1, 24, false, 0, false, 0}, // one key/value head
    {2, 3, 32, 2, 2, 8, false, 0, true, 1},   // two levels of sequences
    {1, 2, 5, 2, 1, 8, false, 0, true, 0},    // short frames
    {1, 2, 36, 2, 2, 12, false, 0, true, 0},  // an odd head width
    {2, 6, 5, 2, 1, 16, true, 0, true, 0},    // time
    {1, 9, 3, 2, 2, 8, true, 4, true, 0},     // time with a window
    {1, 1, 33, 2, 1, 64, false, 0, true, 0},  // what own kernels take in tiles of 64 and of 128
    {1, 1, 33, 1, 1, 128, false, 0, true, 0},
    {1, 11, 33, 1, 1, 16, false, 0, true, 0}, // more scores than fit, of a prime number of frames
};

// Probabilities and their gradients are rounded to bfloat16 at other places: measured 6e-3
static double tolerance(kern_dtype type) {
  return type == KERN_BF16 ? 1.5e-2 : 3e-6;
}

static void both(side *s, const void *of, kern_dtype type) {
  const shape *h = of;
  const int64_t M = h->B * h->T * h->N, D = h->H * h->K;
  const int64_t ldqk = (h->H + h->G) * h->K, ldqkv = (h->H + 2 * h->G) * h->K;
  const double tol = tolerance(type);
  const char *qk = side_draw(s, type, M * ldqk, 1.0), *qkv = side_draw(s, type, M * ldqkv, 1.0);
  char *dqk = side_both(s, "dqk", type, M * ldqk, 1.0, tol);
  char *dqkv = side_both(s, "dqkv", type, M * ldqkv, 1.0, tol);
  void *o = side_both(s, "o", type, M * D, 1.0, tol);
  const int64_t e = (int64_t)kern_dtype_size(type);
  const kern_attention_fwd_args f = {
      .type = type,
      .seq = {.seqs = h->time ? h->B * h->N : h->B * (h->T - h->unseen),
              .L = h->time ? h->T : h->N,
              .inner = h->time ? h->N : h->T - h->unseen,
              .outer_stride = h->T * h->N,
              .inner_stride = h->time ? 1 : h->N,
              .pos_stride = h->time ? h->N : 1,
              .causal = h->time,
              .window = h->window},
      .H = h->H,
      .G = h->G,
      .K = h->K,
      .q = qk,
      .k = qk + D * e,
      .v = qkv + ldqk * e,
      .ldq = ldqk,
      .ldk = ldqk,
      .ldv = ldqkv,
      .ldo = D,
      .o = o,
      .lse = h->lse ? side_both(s, "lse", KERN_F32, M * h->H, 1.0, 1e-5) : NULL};
  const kern_attention_bwd_args b = {.type = type,
                                     .seq = f.seq,
                                     .H = f.H,
                                     .G = f.G,
                                     .K = f.K,
                                     .q = f.q,
                                     .k = f.k,
                                     .v = f.v,
                                     .o = o,
                                     .do_ = side_draw(s, type, M * D, 1.0),
                                     .ldq = f.ldq,
                                     .ldk = f.ldk,
                                     .ldv = f.ldv,
                                     .ldo = D,
                                     .dq = dqk,
                                     .dk = dqk + D * e,
                                     .dv = dqkv + ldqk * e,
                                     .lddq = ldqk,
                                     .lddk = ldqk,
                                     .lddv = ldqkv,
                                     .lse = f.lse};
  side_ok(s, kern_attention_fwd(s->k, &f));
  if (h->lse) side_ok(s, kern_attention_bwd(s->k, &b));
  side_begin(s);
  side_ok(s, kern_attention_fwd(s->k, &f));
  if (h->lse) side_ok(s, kern_attention_bwd(s->k, &b));
  side_end(s);
}

static void test_forward_and_backward_equal_the_cpu(void **state) {
  PARITY_SHAPES(both, shapes, 1);
}

// Time blocks of at least a tile, as cuDNN computes them where the setup asks for it; two clips are
// two levels of sequences.
static const shape long_times[] = {
    {1, 128, 2, 2, 1, 8, true, 0, true, 0},
    {2, 130, 1, 1, 1, 16, true, 0, true, 0},
    {1, 128, 1, 1, 1, 8, true, 0, false, 0}, // without lse
};

static void test_long_causal_sequences_equal_the_cpu(void **state) {
  device_choose_attention(KERN_ATTENTION_LIBRARY);
  for (size_t i = 0; i < sizeof long_times / sizeof *long_times; i++)
    parity_check(both, &long_times[i], KERN_BF16, 0);
  device_choose_attention(KERN_ATTENTION_AUTO);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forward_and_backward_equal_the_cpu),
      cmocka_unit_test(test_long_causal_sequences_equal_the_cpu),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
