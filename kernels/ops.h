// What each op computes: the argument structs, and the list of ops that makes the table.
//
// Legend for shapes (capital suffix = logical shape): M rows, B clips, T frames, S spatial tokens
// a frame, R registers, N = 1+S+R tokens a frame, D width, H heads, G key/value heads, K head
// width, F hidden width, A action width, V codes, P = 3 p^2 values a patch. Row-major everywhere.
// Gradients are marked: dx (=) overwritten, dw (+=) accumulated.
//
// Every pointer is device memory - tensors, tables, indices, sums and scalars alike - except where
// a comment says host. Scalars that change from step to step come from device memory, so that a
// captured step can be replayed.
#ifndef KERNELS_OPS_H
#define KERNELS_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { KERN_F32, KERN_BF16 } kern_dtype;
static inline size_t kern_dtype_size(kern_dtype t) {
  return t == KERN_BF16 ? 2 : 4;
}

#define KERN_RMS_EPS 1e-6f

// The depth of a product in slices: each is a sum of its own, over its parts of all segments one
// after the other, and slices are added as a complete binary tree. A rank that has some of the
// slices, side by side in its operands, gets the same sums of them as one that has all.
enum { KERN_SLICES_MOST = 8, KERN_SEGMENTS_MOST = 3 };
typedef struct {
  int count, segments;                                  // count: a power of two
  int64_t at[KERN_SEGMENTS_MOST][KERN_SLICES_MOST + 1]; // slice s of segment g: at[g][s] ..
} kern_slices;

// y[M,N] (=) x[M,K] w[N,K]^T + bias[N] + add[M,N].
typedef struct {
  kern_dtype type;   // of x, w, add (and y unless y_type says otherwise)
  kern_dtype y_type; // of y: `type`, or KERN_F32 to keep float32 results; always set it
  int64_t M, N, K;
  const void *x;      // row stride ldx
  const void *w;      // [N,K] dense
  const void *packed; // w by kern_pack_weight, or NULL. With it a row of y depends on its row of x
                      // alone, to the bit, however many rows there are
  const float *bias;  // may be NULL
  const void *add;    // same type and shape as y, stride ldy; may be NULL; may equal y
  void *y;            // row stride ldy
  int64_t ldx, ldy;   // in elements; 0 = dense
  const kern_slices *slices; // of K, host; NULL = the backend's own order
} kern_matmul_fwd_args;

// packed (=) w [N,K] in the order in which the backend's products like to read it, for weights that
// many products share. Where k->table->packed_bytes is 0 a backend reads w as it lies: no call.
typedef struct {
  kern_dtype type;
  int64_t N, K;
  const void *w;
  void *packed; // k->table->packed_bytes(k, type, N, K) bytes
} kern_pack_weight_args;

// dx[M,K] (= or +=) dy[M,N] w[N,K]
typedef struct {
  kern_dtype type;
  int64_t M, N, K;
  const void *dy, *w;
  void *dx;
  int64_t lddy, lddx;        // 0 = dense
  bool accumulate;           // dx (+=)
  bool dx_f32;               // dx is float32 whatever the type; without accumulate
  const kern_slices *slices; // of N, host; NULL = the backend's own order
} kern_matmul_bwd_x_args;

// dw[N,K] (+=, or = when overwrite) dy[M,N]^T x[M,K]; dbias[N] likewise = column sums of dy.
// dw and dbias are float32 whatever the type of dy and x.
typedef struct {
  kern_dtype type; // of dy and x
  int64_t M, N, K;
  const void *dy, *x;
  float *dw;
  float *dbias; // may be NULL
  int64_t lddy, ldx;
  bool overwrite;
} kern_matmul_bwd_w_args;

// RMSNorm (Zhang & Sennrich 2019): y = x * rstd * w, rstd = 1/sqrt(mean(x^2) + eps).
// Saved for the backward pass: x, rstd.
typedef struct {
  kern_dtype type;
  int64_t M, D;
  const void *x;
  const float *w;
  void *y;
  float *rstd; // [M] out
} kern_rmsnorm_fwd_args;

// dx (=) gradient through the norm + add (the residual branch's gradient, may be NULL, may equal
// dx)
typedef struct {
  kern_dtype type;
  int64_t M, D;
  const void *dy, *x;
  const float *w, *rstd;
  const void *add; // [M,D] or NULL
  void *dx;
  float *dw;       // [D] (+=)
  int64_t unit;    // rows; 0 = all. Otherwise dw is not touched, but
  float *dw_units; // [M / unit,D] (=) the sums of every `unit` rows
} kern_rmsnorm_bwd_args;

// Per-head RMSNorm of q and k, then RoPE (Su et al. 2021; pair j is (x[j], x[j+K/2])).
// qkv [M, (H+2G)K] raw; qk [M, (H+G)K] out: q heads, then k heads. v is not touched.
// The row r has position (r / pos_div) % pos_mod in the tables cos, sin [pos_mod, K/2].
// Saved: qkv, rstd [M, H+G].
typedef struct {
  kern_dtype type;
  int64_t M, H, G, K;
  const void *qkv;
  const float *q_w, *k_w; // [K]
  const float *cos, *sin;
  int64_t pos_div, pos_mod;
  void *qk;
  float *rstd;
} kern_qknorm_rope_fwd_args;

typedef struct {
  kern_dtype type;
  int64_t M, H, G, K;
  const void *qkv;
  const float *q_w, *k_w, *cos, *sin, *rstd;
  int64_t pos_div, pos_mod;
  const void *dqk;    // [M,(H+G)K]
  void *dqkv;         // [M,(H+2G)K]: q and k parts (=); the v part is left alone
  float *dq_w, *dk_w; // [K] (+=)
  int64_t unit;       // rows; 0 = all. Otherwise dq_w and dk_w are not touched, but
  float *dw_units;    // [M / unit,H+G,K] (=) the sums of every `unit` rows and head
} kern_qknorm_rope_bwd_args;

// Who attends to whom, and where their rows lie. Sequences lie strided in a [rows, ...] matrix, so
// that space blocks and time blocks read the same tensor without a transpose:
//   row(s, l) = (s / inner) * outer_stride + (s % inner) * inner_stride + l * pos_stride
// for sequence s in 0..seqs-1 and position l in 0..L-1. A position sees all of its sequence, or
// with `causal` those up to itself; window > 0 with causal: position t sees {0} and (t - window, t]
// (attention sink at 0).
typedef struct {
  int64_t seqs, L;
  int64_t inner, outer_stride, inner_stride, pos_stride;
  bool causal;
  int64_t window; // 0 = none
} kern_sequences;

// Softmax attention. Head h reads key/value head h / (H/G).
// lse [seqs, H, L] = logsumexp of the scaled scores, saved for the backward pass.
typedef struct {
  kern_dtype type;
  kern_sequences seq;
  int64_t H, G, K;
  const void *q, *k, *v; // heads are adjacent: element (row, h, c) at row*ld + h*K + c
  int64_t ldq, ldk, ldv, ldo;
  void *o;
  float *lse; // may be NULL when no backward pass follows
} kern_attention_fwd_args;

// dq, dk, dv (=), each with the stride of its own: dq and dk usually point into one dqk [M,(H+G)K]
// and dv into dqkv [M,(H+2G)K].
typedef struct {
  kern_dtype type;
  kern_sequences seq;
  int64_t H, G, K;
  const void *q, *k, *v, *o, *do_;
  int64_t ldq, ldk, ldv, ldo; // ldo: of o and do_
  void *dq, *dk, *dv;
  int64_t lddq, lddk, lddv;
  const float *lse;
} kern_attention_bwd_args;

// What the time blocks of rollouts have kept of earlier frames: one ring a session with `places`
// frames of N tokens, frame f at place f % places, and frame 0 as attention sink (Xiao et al.
// 2024). Keys are normed; those in a ring are rotated by their frame number, those of frame 0 are
// not. B sessions are at work: session b has the ring number ring[b], and its frame at hand the
// number frame[b].
typedef struct {
  kern_dtype type;
  int64_t B, N, G, K, places;
  const int32_t *ring;           // [B]
  const int64_t *frame;          // [B]
  void *keys, *values;           // [rings,places,N,GK]
  void *sink_keys, *sink_values; // [rings,N,GK]
  // Frames that stay beside frame 0: `pins` slots a ring, whose keys are not rotated, either. Frame
  // b sees those of pin[b], the seen ones first, -1 = none. pins 0: there are none.
  int64_t pins, most_pins;     // slots, and entries of `pin`
  const int32_t *pin;          // [B,most_pins]
  void *pin_keys, *pin_values; // [rings,pins,N,GK]
} kern_ring;

// o[b,n] = softmax attention of token n of session b's frame over the same token of the frames that
// it sees: frame 0, frames that stay, those of the `window` - 1 frames before it that are not frame
// 0, itself. Keys of frame 0 and of those that stay are turned by the angles cos, sin [B,K/2].
typedef struct {
  kern_ring r;
  int64_t H, window;    // window <= places + 1
  const void *qk, *qkv; // [B*N,(H+G)K], [B*N,(H+2G)K] of the frames at hand, as in qknorm_rope_fwd
  const float *cos, *sin;
  void *o; // [B*N,HK]
} kern_ring_attend_args;

// Keeps keys and values of the frames at hand.
typedef struct {
  kern_ring r;
  int64_t H;
  const void *qk, *qkv;
} kern_ring_keep_args;

// Puts frame from[b] of session b's ring into slot to[b] of its frames that stay, its keys turned
// back by the angles cos, sin [B,K/2], those of its number; to[b] < 0: nothing.
typedef struct {
  kern_ring r;
  const int32_t *to;   // [B]
  const int64_t *from; // [B]
  const float *cos, *sin;
} kern_ring_pin_args;

// h[M,F] = silu(g) * u with gu [M,2F] = (g, u). Saved: gu.
typedef struct {
  kern_dtype type;
  int64_t M, F;
  const void *gu;
  void *h;
} kern_swiglu_fwd_args;

typedef struct {
  kern_dtype type;
  int64_t M, F;
  const void *gu, *dh;
  void *dgu; // (=), may equal gu
} kern_swiglu_bwd_args;

// x[BT,N,D] (=): row 0 = (has ? action_emb : no_action) + branch[branch_id[bt / T % clips]] (frames
// lie clip by clip with T the frames of one, or with T = 1 frame by frame, all clips of each);
// rows 1..S = token table rows, and where `before` is given + before_table rows of the codes that
// stood there one frame earlier, and where `view_of` is given + the view row that it names; the
// rest = registers. Tables are float32, x has `type`. Rows of the table outside [v_first,
// v_first+v_count) give zeros (vocabulary-parallel).
typedef struct {
  kern_dtype type;
  int64_t BT, T, clips, S, R, D;
  const int32_t *tokens;     // [BT,S]
  const uint8_t *has_action; // [BT]
  const int32_t *branch_id;  // [clips]
  const float *action_emb;   // [BT,D]
  const float *table, *no_action, *branch, *reg;
  const int32_t *before;     // [BT,S], or NULL
  const float *before_table; // like `table`
  const int32_t *view_of;    // [N] of each token of a frame, -1 = none; or NULL
  const float *view;         // [views,D]
  int64_t v_first, v_count;
  void *x;
} kern_embed_fwd_args;

typedef struct {
  kern_dtype type;
  int64_t BT, T, clips, S, R, D;
  const int32_t *tokens;
  const int32_t *before; // or NULL
  const uint8_t *has_action;
  const int32_t *branch_id;
  int64_t v_first, v_count, branches;
  const void *dx;                              // [BT,N,D]
  float *daction_emb;                          // [BT,D] (=), 0 where !has_action
  float *dtable, *dno_action, *dbranch, *dreg; // (+=)
  float *dbefore_table;                        // (+=), with `before`
  const int32_t *view_of;                      // as forward, or NULL
  int64_t views;
  float *dview; // [views,D] (+=), with `view_of`
} kern_embed_bwd_args;

// y[m] = x[index[m]] ; index < 0 gives a zero row.
typedef struct {
  kern_dtype type;
  int64_t M, D;
  const void *x;
  const int32_t *index;
  void *y;
  int64_t ldx, ldy; // row strides in elements; 0 = dense
} kern_gather_rows_args;

// y[index[m] - first] (=) x[m] where that is one of y's rows, 0 .. rows-1; the others are skipped,
// and so is index[m] < 0. Indices are distinct. Other rows of y stay.
typedef struct {
  kern_dtype type;
  int64_t M, D;
  const void *x;
  const int32_t *index;
  int64_t first, rows;
  void *y;
} kern_scatter_rows_args;

// Cross-entropy over sharded vocabulary, part one: per row of logits[M,V_local] the largest value,
// the sum of exp(logit - largest) and the target's logit (0 when the target lies elsewhere).
// target < 0: row ignored (outputs -inf, 0, 0).
typedef struct {
  int64_t M, V; // V: local columns, the first one has code v_first
  const float *logits;
  const int32_t *target;
  int64_t v_first;
  float *largest, *sum, *target_logit; // [M]; sum NULL: left to xent_sum
} kern_xent_stats_args;

// sum[m] (=) the sum of exp(logit - largest[m]), over each of the slices apart (its one segment),
// which are then added as a complete binary tree; 0 of ignored rows. `largest` is that of all
// ranks.
typedef struct {
  int64_t M, V;
  const float *logits;
  const int32_t *target;
  const float *largest;      // [M]
  const kern_slices *slices; // of V, host
  float *sum;                // [M]
} kern_xent_sum_args;

// Between the parts, when ranks share the vocabulary and have agreed on the largest value:
// sum (=) sum * exp(own_largest - largest). Rows whose sum is 0 stay (largest may be -inf).
typedef struct {
  int64_t M;
  const float *own_largest, *largest; // [M] of this rank, of all
  float *sum;                         // [M]
} kern_xent_rescale_args;

// Part two, after the ranks have combined the statistics: lse = largest + log(sum);
// *loss_sum (+=) sum over rows of weight * (lse - target_logit + z_loss * lse^2);
// dlogits (=) *scale * weight * ((1 + 2 z_loss lse) softmax - onehot); ignored rows give 0.
typedef struct {
  kern_dtype type; // of dlogits
  int64_t M, V;
  const float *logits;
  const int32_t *target;
  int64_t v_first;
  const float *largest, *sum, *target_logit;
  const float *weight; // [M]; NULL = 1
  float z_loss;
  const float *scale; // not read without dlogits
  double *loss_sum;
  void *dlogits; // NULL: loss only
} kern_xent_grad_args;

#define KERN_FSQ_MAX 16

// FSQ (Mentzer et al. 2023): z[M,n] -> codes[M,n] in [-1,1] (of `type`), index[M] (mixed radix, the
// first level is the fastest digit; may be NULL).
// Saved: z.
typedef struct {
  kern_dtype type; // of code
  int64_t M;
  int n;                 // at most KERN_FSQ_MAX
  const int32_t *levels; // [n], host
  const float *z;
  void *code;
  int32_t *index;
} kern_fsq_fwd_args;

// dz (=) dcode through the bound, straight through the rounding.
typedef struct {
  kern_dtype type; // of dcode
  int64_t M;
  int n;                 // at most KERN_FSQ_MAX
  const int32_t *levels; // [n], host
  const float *z;
  const void *dcode;
  float *dz;
} kern_fsq_bwd_args;

// codes from indices (decoding tokens)
typedef struct {
  kern_dtype type;
  int64_t M;
  int n;                 // at most KERN_FSQ_MAX
  const int32_t *levels; // [n], host
  const int32_t *index;
  void *code;
} kern_fsq_lookup_args;

// x[B*S, P] (=) 2*frame - 1 in patches; frames [B,H,W,3] either u8 (0..255 means 0..1) or f32.
typedef struct {
  kern_dtype type;
  int64_t B, rows, cols, p;
  const uint8_t *frames_u8; // exactly one of the two
  const float *frames_f32;
  void *x;
} kern_patchify_args;

// frames (=) clamp((x + 1)/2) for u8, unclamped (x+1)/2 for f32.
typedef struct {
  kern_dtype type;
  int64_t B, rows, cols, p;
  const void *x;
  uint8_t *frames_u8; // either may be NULL
  float *frames_f32;
} kern_unpatchify_args;

// d = (x+1)/2 - frame; *loss_sum (+=) l2 * sum d^2 + l1 * sum |d|;
// dx (=) (l2 * 2d + l1 * sign(d)) * 0.5 * *scale; NULL: loss only.
typedef struct {
  kern_dtype type;
  int64_t B, rows, cols, p;
  const void *x;
  const uint8_t *frames_u8;
  const float *frames_f32;
  double l2, l1;
  const float *scale; // not read without dx
  double *loss_sum;
  void *dx;
} kern_pixel_loss_args;

// The largest mean loss and gradient norm of a step whose update is not skipped; INFINITY = any
// that is finite. The loss is a mean over `units`, 0 when there are none.
typedef struct {
  double units, loss, norm;
} kern_bounds;

// The last word before an update, spoken where its numbers are: norm = sqrt(*sumsq) of the whole
// gradient, loss = *loss_sum / units; *out (=) the factor that clips the gradient to `limit` (0 =
// no limit), and whether the update is skipped: norm or loss is not finite, or above its bound.
typedef struct {
  float scale;
  int32_t skip;
} kern_clip_result;
typedef struct {
  const double *sumsq, *loss_sum;
  const kern_bounds *bounds;
  double limit;
  kern_clip_result *out;
} kern_clip_args;

// What of a step's AdamW follows from its number: kern_adamw_rates_of (kernels/kern.h).
typedef struct {
  float lr;
  float rate;      // lr / (1 - beta1^step)
  float root_bias; // 1 / sqrt(1 - beta2^step)
} kern_adamw_rates;

// AdamW (Loshchilov & Hutter 2019) on one flat range. g is multiplied by verdict->scale first;
// verdict->skip leaves everything as it is. ema may be NULL; w_bf16 may be NULL (working copy for
// matmuls).
typedef struct {
  int64_t n;
  float *w;
  const float *g;
  float *m, *v;
  float *ema;
  uint16_t *w_bf16;
  float beta1, beta2, eps, weight_decay, ema_decay;
  const kern_adamw_rates *rates;
  const kern_clip_result *verdict;
} kern_adamw_args;

// Muon (Jordan et al. 2024) on one matrix of n elements, apart from its products
// (train/step/muon.h): the momentum, and over the gradient the direction that Nesterov's form of it
// gives.
//   g' = g verdict->scale;  m (=) momentum m + (1 - momentum) g'
//   g (=) momentum m + (1 - momentum) g'
// verdict->skip leaves everything as it is.
typedef struct {
  int64_t n;
  float *g, *m;
  float momentum;
  const kern_clip_result *verdict;
} kern_muon_blend_args;

// x (=) g / sqrt(*sumsq); zeros where *sumsq is 0.
typedef struct {
  kern_dtype type; // of x
  int64_t n;
  const float *g;
  const double *sumsq;
  void *x;
} kern_muon_norm_args;

// w (=) w (1 - lr weight_decay) - lr gain x, then ema and w_bf16 as in AdamW. verdict->skip leaves
// everything as it is, whatever x holds.
typedef struct {
  kern_dtype type; // of x
  int64_t n;
  const void *x;
  float *w;
  float *ema;       // may be NULL
  uint16_t *w_bf16; // may be NULL
  float gain, weight_decay, ema_decay;
  const kern_adamw_rates *rates;
  const kern_clip_result *verdict;
} kern_muon_apply_args;

// What codes of kin are taught together (train/step/digits.h). Element i of a range is column
// (first + i) % D of the row of code (first + i) / D; a code is a tuple of digits, code = digit 0 +
// level[0] * (digit 1 + ...), and rows from the product of the levels on have none. Digit j with
// value d is row level[0] + .. + level[j-1] + d of the arrays over digits.
enum { KERN_DIGITS_MOST = 16 };
typedef struct {
  int64_t n, first, D;
  int64_t digits, level[KERN_DIGITS_MOST];
} kern_digits;

// sums [2,rows,D] (+=) what m and v hold for the codes with each value of each digit. Each addend
// is rounded to 2^-40, those of v to 2^-50, so that sums below 2^12 and 2^2 are the same in any
// order and over any parts and ranks.
typedef struct {
  kern_digits of;
  const float *m, *v; // [n]
  double *sums;
} kern_digit_sums_args;

// step [n] (=) -share lr m / (1 - beta1^step) / (sqrt(v / (1 - beta2^step)) + eps) with m =
// sums[0..n) and v = sums[n..2n): AdamW's step on the digits; zeros with verdict->skip.
typedef struct {
  int64_t n;
  const double *sums;
  float share, eps;
  const kern_adamw_rates *rates;
  const kern_clip_result *verdict;
  float *step;
} kern_digit_steps_args;

// w [n] (+=) the steps of its code's digits.
typedef struct {
  kern_digits of;
  const float *step; // [rows,D]
  float *w;
} kern_digit_apply_args;

// *sum (=, or += with accumulate) sum of squares in float64 over fixed blocks; NaN and Inf show in
// it.
typedef struct {
  int64_t n;
  const float *x;
  double *sum;
  bool accumulate;
} kern_sumsq_args;

// Squares as integers, whose sum is the same in any order, over any parts and ranks. A float32
// squared has 48 bits; 40 of them (24 at least that count) go to the window of 16 binary places in
// which it lies, and a window's total is kept in two words of 32 bits and what overflows them. The
// last bin counts what is not finite. bins (+=): of other ranks likewise, element by element.
enum { KERN_SQUARES_WINDOWS = 32, KERN_SQUARES_BINS = 2 * KERN_SQUARES_WINDOWS + 1 };
typedef struct {
  int64_t n;
  const float *x;
  int64_t *bins; // [KERN_SQUARES_BINS]
} kern_squares_args;

// sum[i] (=) what bins [count,KERN_SQUARES_BINS] stand for, NaN where an element was not finite.
typedef struct {
  int64_t count;
  const int64_t *bins;
  double *sum; // [count]
} kern_squares_sum_args;

// *sum (=) x[0] + x[1] + ..., in this order.
typedef struct {
  int64_t n;
  const double *x;
  double *sum;
} kern_add_up_args;

// y[n] (=, or += with accumulate) the sum of `count` arrays + add. They are put on a stack one
// after the other; after array i its two topmost ones are added merges[i] times, at the end until
// one is left. merges NULL: as a binary counter carries, which is a complete tree where count is a
// power of two. Array i lies at x + i / inner * outer_stride + i % inner * inner_stride.
enum { KERN_TREE_DEPTH = 48 };
typedef struct {
  kern_dtype type; // of add and y
  int64_t n, count;
  const float *x;
  int64_t inner, inner_stride, outer_stride; // inner 0: all
  const uint8_t *merges;                     // [count] or NULL
  const void *add;                           // [n] or NULL
  void *y;                                   // float32 with accumulate
  bool accumulate;
} kern_tree_sum_args;

// *sum (=, or += with accumulate), modulo 2^64, what kernels/fingerprint.h makes of the bits of
// x[i] and their place first + i. One element that differs in any bit always shows, several do but
// for one case in 2^32; pieces of an array add up to the whole.
//
// With a width x is a part of a matrix that lies side by side here: element i is number offset + i
// of rows of so many, and their places are `pitch` apart.
typedef struct {
  int64_t n;
  const float *x;
  int64_t first;
  int64_t width, pitch, offset; // width 0: places follow each other
  uint64_t *sum;
  bool accumulate;
} kern_fingerprint_args;

typedef struct {
  int64_t n;
  kern_dtype from, to;
  const void *x;
  void *y;
} kern_cast_args;

// y (=) a*x + b*y elementwise (b = 0 never reads y)
typedef struct {
  kern_dtype type;
  int64_t n;
  float a, b;
  const void *x;
  void *y;
} kern_axpby_args;

// Draws one code a row from softmax(logits / temperature) by the Gumbel-max trick, and the drawn
// code's log probability at temperature 1. Rows fall into samples of rows_per_sample; draw, sample,
// seed and temperature are the sample's. Noise: Philox keyed by (seed, ORR_STREAM_DECODE), counter
// (sample, (draw * rows_per_sample + m % rows_per_sample) * V + v). temperature 0: argmax; a
// negative one counts as 0.
typedef struct {
  int64_t M, V, rows_per_sample;
  const float *logits;
  const float *temperature;
  const uint64_t *seed, *sample, *draw; // [M / rows_per_sample, rounded up], as temperature
  int32_t *code;                        // [M]
  float *log_prob;                      // [M]
} kern_sample_args;

// Which of a frame's masked positions take the codes drawn for them (MaskGIT, Chang et al. 2022):
// those of the largest log_prob + noise * Gumbel noise, of equal ones the first, until left[b] stay
// masked (tokens[b,s] = V). The noise's Philox is keyed by (seed, ORR_STREAM_CHOICE), counter
// (sample, draw * S + s). nll[b] (+=) -log_prob of those that take theirs, in their order.
typedef struct {
  int64_t B, S, V;
  const int32_t *code;                  // [B,S]
  const float *log_prob;                // [B,S]
  const float *noise;                   // [B]
  const int32_t *left;                  // [B]
  const uint64_t *seed, *sample, *draw; // [B]
  int32_t *tokens;                      // [B,S]
  double *nll;                          // [B]
} kern_choose_args;

// Copies. The host's side of KERN_COPY_IN and KERN_COPY_OUT is any host memory, best pinned
// (KERN_PINNED): a copy runs when its turn comes, so that side stays untouched until a mark after
// it has been awaited, or kern_sync. Within device memory the ranges must not overlap.
typedef enum { KERN_COPY_IN, KERN_COPY_OUT, KERN_COPY_WITHIN } kern_copy_way;
typedef struct {
  void *dst;
  const void *src;
  size_t bytes;
  kern_copy_way way;
} kern_copy_args;

// `rows` pieces of `width` bytes, each `pitch` bytes after the one before.
typedef struct {
  void *dst;
  const void *src;
  size_t dst_pitch, src_pitch, width;
  int64_t rows;
  kern_copy_way way;
} kern_copy_rows_args;

// x (=) zero bytes
typedef struct {
  void *x;
  size_t bytes;
} kern_fill_args;

// clang-format off
#define KERN_OPS(X)                                                                                \
  X(matmul_fwd) X(matmul_bwd_x) X(matmul_bwd_w) X(rmsnorm_fwd) X(rmsnorm_bwd)                      \
  X(qknorm_rope_fwd) X(qknorm_rope_bwd) X(attention_fwd) X(attention_bwd) X(ring_attend)      \
  X(swiglu_fwd) X(swiglu_bwd) X(embed_fwd) X(embed_bwd) X(gather_rows) X(scatter_rows)             \
  X(xent_stats) X(xent_rescale) X(xent_grad) X(fsq_fwd) X(fsq_bwd) X(fsq_lookup) X(patchify)       \
  X(unpatchify) X(pixel_loss) X(clip) X(adamw) X(muon_blend) X(muon_norm) X(muon_apply)            \
  X(digit_sums) X(digit_steps) X(digit_apply)                                                      \
  X(sumsq) X(fingerprint) X(cast) X(axpby)                                                         \
  X(xent_sum) X(squares) X(squares_sum) X(add_up) X(tree_sum)                                      \
  X(ring_keep) X(ring_pin) X(sample) X(choose) X(pack_weight) X(copy) X(copy_rows) X(fill)
// clang-format on

#endif
