// A rollout in plain float64 loops, written from the definition of the model and of the window
// (train/engine/engine.h), sharing nothing with the code under test but the weights. Keys are kept
// unrotated and every query is turned by its distance to the key, so that ring, sink and clamped
// distance are stated here in one line each.
#ifndef TESTS_TRAIN_PLAIN_ROLLOUT_H
#define TESTS_TRAIN_PLAIN_ROLLOUT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/train/toy.h"

typedef struct {
  const toy *t;
  int64_t window;
  int64_t N, D, H, G, K, F;
  double *k, *v;     // [layers, B, T, N, G*K]: keys normed but not rotated
  const bool *stays; // [B,T]: frames that the one at hand sees though they have left the window
} plain;

static inline const float *plain_weight(const plain *p, int64_t layer, const char *name) {
  char full[96];
  if (layer >= 0)
    snprintf(full, sizeof full, "blocks.%d.%s.weight", (int)layer, name);
  else
    snprintf(full, sizeof full, "%s", name);
  const train_param *q = train_params_find(&p->t->state.params, full);
  if (!q) fail_msg("no parameter %s", full);
  return p->t->state.weights.master + q->at;
}

static inline void plain_open(plain *p, const toy *t, int64_t window) {
  const train_block_dims *b = &t->d.block;
  *p = (plain){
      .t = t, .window = window, .N = t->d.N, .D = b->D, .H = b->H, .G = b->G, .K = b->K, .F = b->F};
  const size_t n = (size_t)(t->d.layers * t->B * t->T * p->N * p->G * p->K);
  p->k = calloc(n, sizeof *p->k);
  p->v = calloc(n, sizeof *p->v);
}

static inline void plain_close(plain *p) {
  free(p->v);
  free(p->k);
}

static inline void plain_norm(const double *x, const float *w, int64_t n, double *y) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
  const double rstd = 1.0 / sqrt(sum / (double)n + 1e-6);
  for (int64_t i = 0; i < n; i++) y[i] = x[i] * rstd * w[i];
}

// y[n] (+)= W[n,m] x[m]
static inline void plain_linear(const float *w, int64_t n, int64_t m, const double *x, bool add,
                                double *y) {
  for (int64_t i = 0; i < n; i++) {
    double sum = add ? y[i] : 0.0;
    for (int64_t j = 0; j < m; j++) sum += (double)w[i * m + j] * x[j];
    y[i] = sum;
  }
}

// Score of a query against a key when pair j is turned by angle(j).
static inline double plain_score(const plain *p, const double *q, const double *k,
                                 const double *angle) {
  const int64_t half = p->K / 2;
  double sum = 0.0;
  for (int64_t j = 0; j < half; j++) {
    const double c = cos(angle[j]), s = sin(angle[j]);
    sum += (q[j] * c - q[j + half] * s) * k[j] + (q[j + half] * c + q[j] * s) * k[j + half];
  }
  return sum / sqrt((double)p->K);
}

static inline void plain_softmax(double *w, int64_t n) {
  double most = -INFINITY, sum = 0.0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, w[i]);
  for (int64_t i = 0; i < n; i++) sum += w[i] = exp(w[i] - most);
  for (int64_t i = 0; i < n; i++) w[i] /= sum;
}

static inline double *plain_slot(const plain *p, double *of, int64_t layer, int64_t b, int64_t t,
                                 int64_t n) {
  return of + (((layer * p->t->B + b) * p->t->T + t) * p->N + n) * p->G * p->K;
}

// Place of token n in a frame; false for action and registers, which do not turn.
static inline bool plain_place(const plain *p, int64_t n, double *y, double *x) {
  const bool spatial = n >= 1 && n <= p->t->S;
  *y = spatial ? (double)((n - 1) / p->t->d.cols) : 0.0;
  *x = spatial ? (double)((n - 1) % p->t->d.cols) : 0.0;
  return spatial;
}

// Keys that token n of frame t sees, with the angles between them.
static inline int64_t plain_seen(plain *p, int64_t layer, int64_t b, int64_t t, int64_t n,
                                 double **k, double **v, double *angle) {
  const int64_t half = p->K / 2, quarter = p->K / 4;
  int64_t count = 0;
  if ((layer + 1) % p->t->d.time_every != 0) {
    double y, x, y2, x2;
    plain_place(p, n, &y, &x);
    for (int64_t m = 0; m < p->N; m++, count++) {
      plain_place(p, m, &y2, &x2);
      for (int64_t j = 0; j < half; j++)
        angle[count * half + j] =
            (j < quarter ? y - y2 : x - x2) * pow(100.0, -(double)(j % quarter) / (double)quarter);
      k[count] = plain_slot(p, p->k, layer, b, t, m);
      v[count] = plain_slot(p, p->v, layer, b, t, m);
    }
    return count;
  }
  for (int64_t f = 0; f <= t; f++) {
    if (f > 0 && t - f >= p->window && !(p->stays && p->stays[b * p->t->T + f])) continue;
    const int64_t distance = t - f < p->window ? t - f : p->window;
    for (int64_t j = 0; j < half; j++)
      angle[count * half + j] = (double)distance * pow(10000.0, -(double)j / (double)half);
    k[count] = plain_slot(p, p->k, layer, b, f, n);
    v[count++] = plain_slot(p, p->v, layer, b, f, n);
  }
  return count;
}

enum { PLAIN_SEEN_MAX = 64, PLAIN_WIDTH_MAX = 64 };

static inline void plain_attention(plain *p, int64_t layer, int64_t b, int64_t t, int64_t n,
                                   const double *q, double *o) {
  double *k[PLAIN_SEEN_MAX], *v[PLAIN_SEEN_MAX], w[PLAIN_SEEN_MAX];
  double angle[PLAIN_SEEN_MAX * PLAIN_WIDTH_MAX];
  const int64_t seen = plain_seen(p, layer, b, t, n, k, v, angle), K = p->K;
  for (int64_t h = 0; h < p->H; h++) {
    const int64_t g = h / (p->H / p->G);
    for (int64_t i = 0; i < seen; i++)
      w[i] = plain_score(p, q + h * K, k[i] + g * K, angle + i * (K / 2));
    plain_softmax(w, seen);
    for (int64_t j = 0; j < K; j++) {
      o[h * K + j] = 0.0;
      for (int64_t i = 0; i < seen; i++) o[h * K + j] += w[i] * v[i][g * K + j];
    }
  }
}

// One block on the N tokens x [N,D] of frame t of clip b, in place.
static inline void plain_block(plain *p, int64_t layer, int64_t b, int64_t t, double *x) {
  const int64_t D = p->D, K = p->K, HK = p->H * K, GK = p->G * K, F = p->F;
  double y[PLAIN_WIDTH_MAX], q[PLAIN_SEEN_MAX][PLAIN_WIDTH_MAX], o[PLAIN_WIDTH_MAX],
      gate[PLAIN_WIDTH_MAX], up[PLAIN_WIDTH_MAX];
  for (int64_t n = 0; n < p->N; n++) {
    double *k = plain_slot(p, p->k, layer, b, t, n), *v = plain_slot(p, p->v, layer, b, t, n);
    plain_norm(x + n * D, plain_weight(p, layer, "norm1"), D, y);
    plain_linear(plain_weight(p, layer, "attn.q"), HK, D, y, false, q[n]);
    plain_linear(plain_weight(p, layer, "attn.k"), GK, D, y, false, k);
    plain_linear(plain_weight(p, layer, "attn.v"), GK, D, y, false, v);
    for (int64_t h = 0; h < p->H; h++)
      plain_norm(q[n] + h * K, plain_weight(p, layer, "attn.q_norm"), K, q[n] + h * K);
    for (int64_t g = 0; g < p->G; g++)
      plain_norm(k + g * K, plain_weight(p, layer, "attn.k_norm"), K, k + g * K);
  }
  for (int64_t n = 0; n < p->N; n++) {
    plain_attention(p, layer, b, t, n, q[n], o);
    plain_linear(plain_weight(p, layer, "attn.o"), D, HK, o, true, x + n * D);
    plain_norm(x + n * D, plain_weight(p, layer, "norm2"), D, y);
    plain_linear(plain_weight(p, layer, "mlp.gate"), F, D, y, false, gate);
    plain_linear(plain_weight(p, layer, "mlp.up"), F, D, y, false, up);
    for (int64_t j = 0; j < F; j++) gate[j] *= up[j] / (1.0 + exp(-gate[j]));
    plain_linear(plain_weight(p, layer, "mlp.down"), D, F, gate, true, x + n * D);
  }
}

static inline void plain_embed(const plain *p, int64_t b, int64_t t, double *x) {
  const toy *m = p->t;
  const int64_t D = p->D, A = m->d.A, bt = b * m->T + t;
  for (int64_t j = 0; j < D; j++) {
    double a = plain_weight(p, -1, "embed.no_action")[j];
    if (m->has[bt]) {
      a = plain_weight(p, -1, "embed.action.bias")[j];
      for (int64_t i = 0; i < 2 * A; i++)
        a += (double)plain_weight(p, -1, "embed.action.weight")[j * 2 * A + i] *
             (double)m->action[bt * 2 * A + i];
    }
    x[j] = a + plain_weight(p, -1, "embed.branch.weight")[m->branch[b] * D + j];
    for (int64_t s = 0; s < m->S; s++) {
      const int64_t at = bt * m->S + s, before = t > 0 ? m->tokens[at - m->S] : m->d.V;
      x[(1 + s) * D + j] = plain_weight(p, -1, "embed.token.weight")[m->tokens[at] * D + j];
      x[(1 + s) * D + j] += plain_weight(p, -1, "embed.before.weight")[before * D + j];
    }
    for (int64_t r = 0; r < m->d.R; r++)
      x[(1 + m->S + r) * D + j] = plain_weight(p, -1, "embed.register")[r * D + j];
  }
}

// Logits [S,V] of frame t of clip b; frames are asked for in order, from 0 on.
static inline void plain_frame(plain *p, int64_t b, int64_t t, double *logits) {
  const int64_t D = p->D, V = p->t->d.V;
  double x[PLAIN_SEEN_MAX * PLAIN_WIDTH_MAX], y[PLAIN_WIDTH_MAX];
  plain_embed(p, b, t, x);
  for (int64_t i = 0; i < p->t->d.layers; i++) plain_block(p, i, b, t, x);
  for (int64_t s = 0; s < p->t->S; s++) {
    plain_norm(x + (1 + s) * D, plain_weight(p, -1, "norm.weight"), D, y);
    plain_linear(plain_weight(p, -1, "head.weight"), V, D, y, false, logits + s * V);
  }
}

#endif
