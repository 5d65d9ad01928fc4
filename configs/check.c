// Rules between rows. Each names the rows with their values, and what would fit.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "configs/config.h"

#define CODES_MAX 16777216 // the range of model.codes

// Attention of one model: heads divide the width, key/value heads the heads. The rotary embedding
// of space turns K/4 pairs of numbers with y and as many with x, so K must be a multiple of 4.
static orr_code check_heads(const char *section, int64_t width, int64_t heads, int64_t kv_heads) {
  ORR_CHECK(width % heads == 0, ORR_ECONFIG,
            "%s.width %" PRId64 " is not divisible by %s.heads %" PRId64, section, width, section,
            heads);
  ORR_CHECK(width / heads % 4 == 0, ORR_ECONFIG,
            "%s.width %" PRId64 " / %s.heads %" PRId64 " gives a head width of %" PRId64
            ", wanted a multiple of 4 (rotary pairs for two directions)",
            section, width, section, heads, width / heads);
  ORR_CHECK(heads % kv_heads == 0, ORR_ECONFIG,
            "%s.heads %" PRId64 " is not divisible by %s.kv_heads %" PRId64, section, heads,
            section, kv_heads);
  return ORR_OK;
}

// *codes = product of the levels; an empty list or too many codes is an error.
static orr_code check_levels(const cfg *c, int64_t *codes) {
  const cfg_list_i64 *levels = &c->tokenizer.levels;
  ORR_CHECK(levels->n > 0, ORR_ECONFIG,
            "tokenizer.levels is empty, wanted levels like [8, 5, 5, 5]");
  *codes = 1;
  for (int i = 0; i < levels->n; i++) {
    *codes *= levels->v[i]; // both below 2^24: no overflow
    ORR_CHECK(*codes <= CODES_MAX, ORR_ECONFIG,
              "tokenizer.levels: the first %d multiply to %" PRId64 " codes, wanted at most %d",
              i + 1, *codes, CODES_MAX);
  }
  return ORR_OK;
}

static orr_code check_tokens(const cfg *c) {
  int64_t codes = 0;
  ORR_TRY(check_levels(c, &codes));
  if (c->train.stage != CFG_STAGE_DYNAMICS) return ORR_OK;
  ORR_CHECK(codes == c->model.codes, ORR_ECONFIG,
            "tokenizer.levels multiply to %" PRId64 ", but model.codes is %" PRId64
            "; the two must be equal",
            codes, c->model.codes);
  ORR_CHECK(c->optim.digit_share == 0.0 || c->model.digits, ORR_ECONFIG,
            "optim.digit_share is %g with model.digits false: tables of codes have no digits then; "
            "set model.digits true, or optim.digit_share 0",
            c->optim.digit_share);
  ORR_CHECK(c->tokenizer.rows == c->model.rows && c->tokenizer.cols == c->model.cols, ORR_ECONFIG,
            "the tokenizer makes %" PRId64 " x %" PRId64 " tokens a frame (tokenizer.rows, .cols), "
            "but the model takes %" PRId64 " x %" PRId64
            " (model.rows, .cols); the two must be equal",
            c->tokenizer.rows, c->tokenizer.cols, c->model.rows, c->model.cols);
  return ORR_OK;
}

static orr_code check_time(const cfg *c) {
  if (c->train.stage != CFG_STAGE_DYNAMICS) return ORR_OK;
  ORR_CHECK(c->data.frames >= 2, ORR_ECONFIG,
            "data.frames is %" PRId64
            ", wanted at least 2: the first frame of a clip is given, and "
            "dynamics is learned on the others",
            c->data.frames);
  ORR_CHECK(c->model.time_every <= c->model.layers, ORR_ECONFIG,
            "model.time_every %" PRId64 " is above model.layers %" PRId64
            ": no block would look back in time",
            c->model.time_every, c->model.layers);
  return ORR_OK;
}

static int find(const cfg_list_str *l, const char *name, int end) {
  for (int i = 0; i < end; i++) {
    if (strcmp(l->v[i], name) == 0) return i;
  }
  return -1;
}

// The first name of the list that is none of `known` [n]; NULL: all are.
static const char *unknown(const cfg_list_str *l, const char *const *known, size_t n) {
  for (int i = 0; i < l->n; i++) {
    size_t k = 0;
    while (k < n && strcmp(known[k], l->v[i]) != 0) k++;
    if (k == n) return l->v[i];
  }
  return NULL;
}

static orr_code check_branches(const cfg *c) {
  const cfg_list_str *names = &c->model.branches, *used = &c->data.branch;
  ORR_CHECK(names->n > 0, ORR_ECONFIG, "model.branches is empty, wanted at least one name");
  for (int i = 0; i < names->n; i++) {
    ORR_CHECK(*names->v[i], ORR_ECONFIG, "model.branches: name %d is empty", i + 1);
    ORR_CHECK(find(names, names->v[i], i) < 0, ORR_ECONFIG, "model.branches names '%s' twice",
              names->v[i]);
  }
  for (int i = 0; i < used->n; i++) {
    ORR_CHECK(find(names, used->v[i], names->n) >= 0, ORR_ECONFIG,
              "data.branch: '%s' is none of model.branches; add it there or choose one of them",
              used->v[i]);
  }
  return ORR_OK;
}

static orr_code check_mixture(const cfg *c) {
  int sets = c->data.train.n, weights = c->data.weights.n, branches = c->data.branch.n;
  double sum = 0;
  ORR_CHECK(weights == 0 || weights == sets, ORR_ECONFIG,
            "data.weights has %d entries, wanted %d, one for each of data.train, or none", weights,
            sets);
  ORR_CHECK(branches == 0 || branches == sets, ORR_ECONFIG,
            "data.branch has %d entries, wanted %d, one for each of data.train, or none", branches,
            sets);
  for (int i = 0; i < sets; i++) {
    ORR_CHECK(*c->data.train.v[i], ORR_ECONFIG, "data.train: folder %d is empty", i + 1);
  }
  for (int i = 0; i < weights; i++) sum += c->data.weights.v[i];
  ORR_CHECK(weights == 0 || sum > 0, ORR_ECONFIG,
            "data.weights are all 0, wanted at least one above");
  return ORR_OK;
}

static orr_code check_schedule(const cfg *c) {
  int64_t decay = c->optim.schedule == CFG_SCHEDULE_WSD ? c->optim.decay_steps : 0;
  ORR_CHECK(
      c->optim.warmup_steps + decay <= c->train.steps, ORR_ECONFIG,
      "optim.warmup_steps %" PRId64 " and %s %" PRId64 " do not fit into train.steps %" PRId64,
      c->optim.warmup_steps, decay ? "optim.decay_steps" : "a decay of", decay, c->train.steps);
  return ORR_OK;
}

static orr_code check_batch(const cfg *c) {
  int64_t batch = c->train.batch, micro = c->train.micro_batch;
  int64_t dp = c->dist.dp > 0 ? c->dist.dp : 1; // 0: known when the ranks are, and checked then
  ORR_CHECK(batch % dp == 0, ORR_ECONFIG,
            "train.batch %" PRId64 " is not divisible by dist.dp %" PRId64, batch, dp);
  ORR_CHECK(micro == 0 || batch / dp % micro == 0, ORR_ECONFIG,
            "train.batch %" PRId64 ", %" PRId64 " clips a rank, is not divisible by "
            "train.micro_batch %" PRId64,
            batch, batch / dp, micro);
  return ORR_OK;
}

static orr_code check_split(const cfg *c) {
  const int64_t tp = c->dist.tp;
  const cfg_blocks b = cfg_blocks_of(c);
  ORR_CHECK(b.heads % tp == 0, ORR_ECONFIG,
            "%s.heads %" PRId64 " is not divisible by dist.tp %" PRId64, b.section, b.heads, tp);
  ORR_CHECK(b.hidden % tp == 0, ORR_ECONFIG,
            "%s.hidden %" PRId64 " is not divisible by dist.tp %" PRId64, b.section, b.hidden, tp);
  return ORR_OK;
}

static orr_code check_folder(const cfg *c) {
  ORR_CHECK(*c->run.dir, ORR_ECONFIG, "run.dir is empty, wanted a folder");
  return ORR_OK;
}

static orr_code check_checkpoints(const cfg *c) {
  ORR_CHECK(c->ckpt.every == 0 || c->ckpt.keep_every % c->ckpt.every == 0, ORR_ECONFIG,
            "ckpt.keep_every %" PRId64 " is not a multiple of ckpt.every %" PRId64
            ": checkpoints are only made at those steps",
            c->ckpt.keep_every, c->ckpt.every);
  return ORR_OK;
}

static orr_code check_curriculum(const cfg *c) {
  int64_t frames = c->data.frames_start;
  if (frames == 0) return ORR_OK;
  while (frames < c->data.frames) frames *= 2;
  ORR_CHECK(c->data.frames_start >= 2 && frames == c->data.frames, ORR_ECONFIG,
            "data.frames_start %" PRId64 " does not become data.frames %" PRId64
            " by doubling: wanted 2 or more, and a quotient that is a power of 2",
            c->data.frames_start, c->data.frames);
  ORR_CHECK(c->dist.cp == 1, ORR_ECONFIG,
            "data.frames_start %" PRId64 " with dist.cp %" PRId64
            ": cp splits clips of one length; set dist.cp 1, or frames_start 0",
            c->data.frames_start, c->dist.cp);
  return ORR_OK;
}

static orr_code check_outcomes(const cfg *c) {
  const double most =
      fmax(c->model.reward_weight, fmax(c->model.done_weight, c->model.progress_weight));
  ORR_CHECK(most == 0.0 || c->train.stage != CFG_STAGE_DYNAMICS || c->model.registers > 0,
            ORR_ECONFIG,
            "model.reward_weight %g, done_weight %g, progress_weight %g with model.registers 0: "
            "these heads read a frame's registers; set model.registers to 1 or more",
            c->model.reward_weight, c->model.done_weight, c->model.progress_weight);
  return ORR_OK;
}

static orr_code check_adapters(const cfg *c) {
  static const char *const matrices[] = {"q", "k", "v", "o", "gate", "up", "down"};
  static const char *const whole[] = {"action", "branch", "view", "heads"};
  if (c->train.lora_rank == 0) return ORR_OK;
  ORR_CHECK(c->train.stage == CFG_STAGE_DYNAMICS && *c->train.init_from, ORR_ECONFIG,
            "train.lora_rank is %" PRId64 " with train.stage %s and train.init_from '%s': adapters "
            "belong to a dynamics model that is there; name it in train.init_from",
            c->train.lora_rank, c->train.stage == CFG_STAGE_DYNAMICS ? "dynamics" : "tokenizer",
            c->train.init_from);
  ORR_CHECK(c->optim.optimizer == CFG_OPTIMIZER_ADAMW, ORR_ECONFIG,
            "train.lora_rank is %" PRId64
            " with optim.optimizer muon, which is for whole matrices; set it to adamw",
            c->train.lora_rank);
  ORR_CHECK(
      c->dist.zero < 2, ORR_ECONFIG,
      "train.lora_rank is %" PRId64 " with dist.zero %" PRId64
      ": the gradients of an adapter are small, those of its base are made whole on each rank; "
      "set dist.zero to 0 or 1",
      c->train.lora_rank, c->dist.zero);
  const char *odd = unknown(&c->train.lora_whole, whole, sizeof whole / sizeof *whole);
  ORR_CHECK(!odd, ORR_ECONFIG,
            "train.lora_whole: '%s' is nothing that is trained whole; wanted some of action, "
            "branch, view, heads",
            odd);
  odd = unknown(&c->train.lora_targets, matrices, sizeof matrices / sizeof *matrices);
  ORR_CHECK(!odd, ORR_ECONFIG,
            "train.lora_targets: '%s' is no matrix of a block; wanted some of q, k, v, o, gate, "
            "up, down",
            odd);
  ORR_CHECK(c->train.lora_targets.n > 0, ORR_ECONFIG,
            "train.lora_targets is empty; wanted some of q, k, v, o, gate, up, down");
  return ORR_OK;
}

static orr_code check_exam(const cfg *c) {
  if (c->eval.exam_every == 0) return ORR_OK;
  ORR_CHECK(c->train.stage == CFG_STAGE_DYNAMICS && *c->tokenizer.checkpoint, ORR_ECONFIG,
            "eval.exam_every is %" PRId64 ": exams are for a dynamics model whose "
            "tokenizer.checkpoint is named; set it, or eval.exam_every 0",
            c->eval.exam_every);
  ORR_CHECK(c->model.actions >= 2 && c->data.stride == 1, ORR_ECONFIG,
            "eval.exam_every is %" PRId64 ", but model.actions is %" PRId64
            " and data.stride %" PRId64 ": the exam's worlds have 2 action components and every "
            "frame",
            c->eval.exam_every, c->model.actions, c->data.stride);
  return ORR_OK;
}

static orr_code check_held_out(const cfg *c) {
  if (c->eval.every == 0) return ORR_OK;
  ORR_CHECK(c->eval.data.n > 0, ORR_ECONFIG,
            "eval.every is %" PRId64 ", but eval.data names no data set: name held-out ones",
            c->eval.every);
  ORR_CHECK(c->train.stage == CFG_STAGE_TOKENIZER || *c->tokenizer.checkpoint, ORR_ECONFIG,
            "eval.every is %" PRId64 ", but tokenizer.checkpoint is empty: held-out frames become "
            "tokens by the tokenizer that made those of data.train",
            c->eval.every);
  return ORR_OK;
}

// Where tp and cp may cut the model that is trained, at all of their sizes.
static orr_code check_exact_cuts(const cfg *c) {
  enum { SLICES = 8, LEAVES = 2 }; // train/model/axes.h
  const cfg_blocks b = cfg_blocks_of(c);
  const int64_t tp = c->dist.tp, cp = c->dist.cp, keys = b.width / b.heads * b.kv_heads;
  ORR_CHECK(b.width % SLICES == 0 && keys % SLICES == 0 && b.hidden % SLICES == 0, ORR_ECONFIG,
            "run.exact: %s.width %" PRId64 ", %s.kv_heads x the width of a head %" PRId64
            " and %s.hidden %" PRId64 " are cut into %d slices: all must be divisible by it",
            b.section, b.width, b.section, keys, b.section, b.hidden, SLICES);
  ORR_CHECK(c->train.stage != CFG_STAGE_DYNAMICS || c->model.codes >= SLICES, ORR_ECONFIG,
            "run.exact: model.codes %" PRId64 " are cut into %d slices: wanted as many at least",
            c->model.codes, SLICES);
  ORR_CHECK(c->data.frames % LEAVES == 0, ORR_ECONFIG,
            "run.exact: data.frames %" PRId64 " are cut into %d parts: wanted an even number",
            c->data.frames, LEAVES);
  ORR_CHECK(tp <= SLICES && (tp & (tp - 1)) == 0 && b.kv_heads % tp == 0, ORR_ECONFIG,
            "run.exact with dist.tp %" PRId64 " and %s.kv_heads %" PRId64
            ": wanted 1, 2, 4 or 8 ranks, a divisor of the heads",
            tp, b.section, b.kv_heads);
  ORR_CHECK(cp <= LEAVES, ORR_ECONFIG, "run.exact with dist.cp %" PRId64 ": wanted 1 or 2", cp);
  ORR_CHECK(c->train.group * (c->data.frames / cp) % tp == 0, ORR_ECONFIG,
            "run.exact: the %" PRId64 " frames that a rank runs at once (train.group x data.frames "
            "/ dist.cp) are not divisible by dist.tp %" PRId64 ": raise train.group, or lower tp",
            c->train.group * (c->data.frames / cp), tp);
  return ORR_OK;
}

static orr_code check_exact(const cfg *c) {
  const int64_t group = c->train.group, micro = c->train.micro_batch,
                dp = c->dist.dp > 0 ? c->dist.dp : 1;
  if (!c->run.exact) return ORR_OK;
  ORR_CHECK(c->train.batch / dp % group == 0, ORR_ECONFIG,
            "run.exact: train.batch %" PRId64 ", %" PRId64
            " clips a rank, is not divisible by train.group %" PRId64,
            c->train.batch, c->train.batch / dp, group);
  ORR_CHECK(micro % group == 0, ORR_ECONFIG,
            "run.exact: train.micro_batch %" PRId64 " is not a multiple of train.group %" PRId64
            ", the clips whose gradients are summed as one: set 0, or a multiple",
            micro, group);
  ORR_CHECK(!c->dist.nvls, ORR_ECONFIG,
            "run.exact with dist.nvls: the switch adds in an order of its own; set nvls false");
  return check_exact_cuts(c);
}

// Of the model that is trained: the other's rows are not used.
static orr_code check_blocks(const cfg *c) {
  const cfg_blocks b = cfg_blocks_of(c);
  return check_heads(b.section, b.width, b.heads, b.kv_heads);
}

orr_code cfg_check_into(const cfg *c, orr_faults *f) {
  static orr_code (*const checks[])(const cfg *) = {
      check_blocks,     check_tokens,      check_time,     check_branches,
      check_mixture,    check_schedule,    check_batch,    check_split,
      check_folder,     check_checkpoints, check_held_out, check_exam,
      check_curriculum, check_outcomes,    check_exact,    check_adapters};
  for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
    ORR_TRY(orr_faults_take(f, checks[i](c)));
  return ORR_OK;
}

orr_code cfg_check(const cfg *c) {
  orr_faults f = {0};
  ORR_TRY(cfg_check_into(c, &f));
  return orr_faults_end(&f);
}
