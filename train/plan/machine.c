#include "train/plan/machine.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

static const char *const type_names[] = {[KERN_F32] = "fp32", [KERN_BF16] = "bf16"};

void train_machine_release(train_machine *m) {
  orr_free(m->ops);
  orr_free(m->moves);
  *m = (train_machine){0};
}

orr_code train_machine_add_op(train_machine *m, const kern_work *work, double s) {
  if (m->op_count == m->op_room) {
    const int room = 2 * m->op_room + 64;
    train_machine_op *ops = orr_realloc(m->ops, (size_t)room * sizeof *ops);
    ORR_CHECK(ops, ORR_ENOMEM, "machine: out of memory for %d ops", room);
    m->ops = ops;
    m->op_room = room;
  }
  m->ops[m->op_count++] = (train_machine_op){*work, s};
  return ORR_OK;
}

orr_code train_machine_add_move(train_machine *m, train_move move, int ranks, double bytes,
                                double s) {
  if (m->move_count == m->move_room) {
    const int room = 2 * m->move_room + 64;
    train_machine_move *moves = orr_realloc(m->moves, (size_t)room * sizeof *moves);
    ORR_CHECK(moves, ORR_ENOMEM, "machine: out of memory for %d collectives", room);
    m->moves = moves;
    m->move_room = room;
  }
  m->moves[m->move_count++] = (train_machine_move){move, ranks, bytes, s};
  return ORR_OK;
}

// -- how long things take -------------------------------------------------------------------

enum { NEAREST = 4 };

// Squares of the distance in powers of two, over all sizes.
static double distance(const kern_work *a, const kern_work *b) {
  double sum = 0.0;
  for (int i = 0; i < 3; i++) {
    const double d = log2(a->dim[i] / b->dim[i]);
    sum += d * d;
  }
  return sum;
}

// What counts as the amount of an op: floating-point operations where it has any.
static double amount(const kern_work *w) {
  return w->flops > 0.0 ? w->flops : w->bytes;
}

static bool alike(const kern_work *a, const kern_work *b) {
  return a->op == b->op && a->type == b->type && a->causal == b->causal;
}

// The nearest of the ops that were timed, nearest first; returns how many.
static int nearest(const train_machine *m, const kern_work *work, int at[NEAREST],
                   double d[NEAREST]) {
  int n = 0;
  for (int i = 0; i < m->op_count; i++) {
    if (!alike(&m->ops[i].work, work)) continue;
    const double here = distance(&m->ops[i].work, work);
    if (n == NEAREST && here >= d[n - 1]) continue;
    int j = n < NEAREST ? n++ : n - 1;
    for (; j > 0 && d[j - 1] > here; j--) {
      d[j] = d[j - 1];
      at[j] = at[j - 1];
    }
    d[j] = here;
    at[j] = i;
  }
  return n;
}

// Where nothing like it was timed.
static double from_rates(const train_machine *m, const kern_work *w) {
  const double share = w->op == KERN_OP_attention_fwd   ? m->attention[0]
                       : w->op == KERN_OP_attention_bwd ? m->attention[1]
                                                        : 1.0,
               rate = m->matmul[w->type] * share,
               moving = m->bandwidth > 0.0 ? w->bytes / m->bandwidth : 0.0,
               computing = w->flops > 0.0 && rate > 0.0 ? w->flops / rate : 0.0;
  return m->launch_s + (computing > moving ? computing : moving);
}

double train_machine_op_s(const train_machine *m, const kern_work *work) {
  int at[NEAREST];
  double d[NEAREST], weights = 0.0, rate = 0.0;
  if (amount(work) == 0.0) return 0.0;
  const int n = nearest(m, work, at, d);
  for (int i = 0; i < n; i++) {
    const train_machine_op *x = &m->ops[at[i]];
    if (d[0] == 0.0 && i == 0) return x->s;
    const double weight = 1.0 / (d[i] * d[i]);
    weights += weight;
    rate += weight * log(amount(&x->work) / x->s);
  }
  return n == 0 ? from_rates(m, work) : amount(work) / exp(rate / weights);
}

// Bytes that a rank sends at least for one byte of payload.
static double share_of_bus(train_move move, int ranks) {
  const double n = ranks;
  return move == TRAIN_ALL_REDUCE  ? 2.0 * (n - 1.0) / n
         : move == TRAIN_BROADCAST ? 1.0
                                   : (n - 1.0) / n;
}

// Between the two sizes around it that were timed over as many ranks, in powers; beyond them as the
// bandwidth of the last. -1: nothing like it.
static double from_timed(const train_machine *m, train_move move, int ranks, double bytes) {
  const train_machine_move *below = NULL, *above = NULL;
  for (int i = 0; i < m->move_count; i++) {
    const train_machine_move *x = &m->moves[i];
    if (x->move != move || x->ranks != ranks) continue;
    if (x->bytes <= bytes && (!below || x->bytes > below->bytes)) below = x;
    if (x->bytes >= bytes && (!above || x->bytes < above->bytes)) above = x;
  }
  if (!below && !above) return -1.0;
  if (!below) return above->s;
  if (!above) return below->s * bytes / below->bytes;
  if (above->bytes == below->bytes) return below->s;
  const double t = log(bytes / below->bytes) / log(above->bytes / below->bytes);
  return exp((1.0 - t) * log(below->s) + t * log(above->s));
}

double train_machine_move_s(const train_machine *m, train_move move, int ranks, int span,
                            double bytes) {
  const train_machine_link *l = m->domain > 0 && span > m->domain ? &m->beyond : &m->inside;
  if (ranks <= 1) return 0.0;
  const double timed = from_timed(m, move, ranks, bytes);
  if (timed >= 0.0) return timed;
  const double moving = l->bus > 0.0 ? bytes * share_of_bus(move, ranks) / l->bus : 0.0;
  return l->latency_s * ceil(log2(ranks)) + moving;
}

// -- files ----------------------------------------------------------------------------------

typedef struct {
  const char *path;
  const json_t *j;
  orr_code rc; // of the first fault
} reader;

static double number(reader *r, const json_t *of, const char *key, bool needed) {
  const json_t *v = json_object_get(of, key);
  if (json_is_number(v) && json_number_value(v) >= 0.0) return json_number_value(v);
  if (r->rc == ORR_OK && (v || needed))
    r->rc = ORR_FAIL(ORR_ECORRUPT, "%s: '%s' is %s: wanted a number of at least 0", r->path, key,
                     v ? "something else" : "missing");
  return 0.0;
}

static train_machine_link link_of(reader *r, const char *key) {
  const json_t *l = json_object_get(r->j, key);
  if (!l) return (train_machine_link){0};
  return (train_machine_link){.latency_s = 1e-6 * number(r, l, "latency_us", true),
                              .bus = 1e9 * number(r, l, "bus_gb_s", true)};
}

static void by_type(reader *r, const char *key, double out[2]) {
  const json_t *l = json_object_get(r->j, key);
  for (int i = 0; i < 2; i++) out[i] = 1e12 * number(r, l, type_names[i], false);
}

static bool is_true(const reader *r, const char *key) {
  return json_is_true(json_object_get(r->j, key));
}

static orr_code read_op(reader *r, const json_t *j, train_machine *m) {
  const char *type = json_string_value(json_object_get(j, "type")),
             *op = json_string_value(json_object_get(j, "op"));
  const json_t *dim = json_object_get(j, "dim");
  kern_work w = {.op = op ? kern_op_named(op) : KERN_OP_COUNT,
                 .type = type && strcmp(type, "bf16") == 0 ? KERN_BF16 : KERN_F32,
                 .causal = json_is_true(json_object_get(j, "causal")),
                 .flops = number(r, j, "flops", false),
                 .bytes = number(r, j, "bytes", true)};
  ORR_CHECK(w.op != KERN_OP_COUNT && json_array_size(dim) == 3, ORR_ECORRUPT,
            "%s: an op is '%.40s': wanted the name of one and three sizes", r->path,
            op ? op : "nothing");
  for (size_t i = 0; i < 3; i++) {
    w.dim[i] = json_number_value(json_array_get(dim, i));
    ORR_CHECK(w.dim[i] >= 1.0, ORR_ECORRUPT, "%s: %s: a size is below 1", r->path, op);
  }
  const double s = 1e-6 * number(r, j, "us", true);
  ORR_CHECK(r->rc == ORR_OK && s > 0.0, ORR_ECORRUPT, "%s: %s: took no time", r->path, op);
  return train_machine_add_op(m, &w, s);
}

static orr_code read_move(reader *r, const json_t *j, train_machine *m) {
  const char *name = json_string_value(json_object_get(j, "collective"));
  int move = 0;
  while (name && move < TRAIN_MOVES && strcmp(name, train_move_name((train_move)move)) != 0) move++;
  ORR_CHECK(name && move < TRAIN_MOVES, ORR_ECORRUPT, "%s: there is no collective '%.40s'", r->path,
            name ? name : "nothing");
  const double ranks = number(r, j, "ranks", true), bytes = number(r, j, "bytes", true),
               us = number(r, j, "us", true);
  ORR_CHECK(r->rc == ORR_OK && bytes > 0.0 && us > 0.0, ORR_ECORRUPT,
            "%s: %s: wanted ranks, bytes and us above 0", r->path, name);
  return train_machine_add_move(m, (train_move)move, (int)ranks, bytes, 1e-6 * us);
}

static orr_code read_lists(reader *r, train_machine *m) {
  size_t i;
  json_t *x;
  json_array_foreach(json_object_get(r->j, "ops"), i, x) ORR_TRY(read_op(r, x, m));
  json_array_foreach(json_object_get(r->j, "collectives"), i, x) ORR_TRY(read_move(r, x, m));
  return ORR_OK;
}

static orr_code read_all(reader *r, train_machine *m) {
  const char *name = json_string_value(json_object_get(r->j, "name")),
             *source = json_string_value(json_object_get(r->j, "source"));
  const double version = number(r, r->j, "orrery_machine", true);
  ORR_CHECK(r->rc == ORR_OK && (int)version == TRAIN_MACHINE_VERSION, ORR_ECORRUPT,
            "%s: 'orrery_machine' is %g: this program reads version %d, as `orrery bench machine "
            "--out` writes it",
            r->path, version, TRAIN_MACHINE_VERSION);
  ORR_CHECK(name && source, ORR_ECORRUPT, "%s: 'name' and 'source' are missing", r->path);
  *m = (train_machine){.measured = strcmp(source, "measured") == 0,
                       .on_device = is_true(r, "on_device"),
                       .overlap = is_true(r, "overlap"),
                       .threads = (int)number(r, r->j, "threads", false),
                       .domain = (int)number(r, r->j, "domain", false),
                       .memory = 1e9 * number(r, r->j, "memory_gb", false),
                       .reserved = 1e9 * number(r, r->j, "reserved_gb", false),
                       .watts = number(r, r->j, "watts", false),
                       .bandwidth = 1e9 * number(r, r->j, "bandwidth_gb_s", false),
                       .launch_s = 1e-6 * number(r, r->j, "launch_us", false),
                       .inside = link_of(r, "inside"),
                       .beyond = link_of(r, "beyond"),
                       .host_step_s = 1e-6 * number(r, r->j, "host_step_us", false),
                       .host_token_s = 1e-6 * number(r, r->j, "host_token_us", false)};
  snprintf(m->name, sizeof m->name, "%s", name);
  by_type(r, "peak_tflops", m->peak);
  by_type(r, "matmul_tflops", m->matmul);
  const json_t *shares = json_object_get(r->j, "attention_share");
  for (int i = 0; shares && i < 2; i++) // one number: of both
    m->attention[i] = json_is_number(shares) ? json_number_value(shares)
                                             : number(r, shares, i ? "backward" : "forward", true);
  ORR_TRY(read_lists(r, m));
  return r->rc;
}

orr_code train_machine_read(const char *path, train_machine *out) {
  json_error_t fault;
  *out = (train_machine){0};
  json_t *j = json_load_file(path, 0, &fault);
  ORR_CHECK(j, ORR_EIO, "%s: line %d: %s; wanted a machine file (`orrery bench machine --out`)",
            path, fault.line, fault.text);
  reader r = {.path = path, .j = j};
  const orr_code rc = read_all(&r, out);
  json_decref(j);
  return rc;
}

static json_t *pair(const double v[2]) {
  return json_pack("{s:f, s:f}", "fp32", v[KERN_F32] / 1e12, "bf16", v[KERN_BF16] / 1e12);
}

static json_t *op_json(const train_machine_op *x) {
  const kern_work *w = &x->work;
  return json_pack("{s:s, s:s, s:b, s:f, s:f, s:[f, f, f], s:f}", "op", kern_op_name(w->op), "type",
                   type_names[w->type], "causal", (int)w->causal, "flops", w->flops, "bytes",
                   w->bytes, "dim", w->dim[0], w->dim[1], w->dim[2], "us", 1e6 * x->s);
}

orr_code train_machine_write(const train_machine *m, const char *path) {
  json_t *ops = json_array(), *moves = json_array();
  for (int i = 0; i < m->op_count; i++) json_array_append_new(ops, op_json(&m->ops[i]));
  for (int i = 0; i < m->move_count; i++) {
    const train_machine_move *x = &m->moves[i];
    json_array_append_new(moves,
                          json_pack("{s:s, s:i, s:f, s:f}", "collective", train_move_name(x->move),
                                    "ranks", x->ranks, "bytes", x->bytes, "us", 1e6 * x->s));
  }
  json_t *j = json_pack("{s:i, s:s, s:s, s:b, s:b, s:i, s:i, s:f, s:o, s:f, s:f, s:f, s:o, s:o}",
                        "orrery_machine", TRAIN_MACHINE_VERSION, "name", m->name, "source",
                        m->measured ? "measured" : "published", "on_device", (int)m->on_device,
                        "overlap", (int)m->overlap, "threads", m->threads, "domain", m->domain,
                        "memory_gb", m->memory / 1e9, "matmul_tflops", pair(m->matmul),
                        "bandwidth_gb_s", m->bandwidth / 1e9, "host_step_us", 1e6 * m->host_step_s,
                        "host_token_us", 1e6 * m->host_token_s, "ops", ops, "collectives", moves);
  ORR_CHECK(j, ORR_ENOMEM, "%s: out of memory", path);
  json_object_set_new(
      j, "attention_share",
      json_pack("{s:f, s:f}", "forward", m->attention[0], "backward", m->attention[1]));
  char *text = json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
  json_decref(j);
  ORR_CHECK(text, ORR_ENOMEM, "%s: out of memory", path);
  const orr_code rc = orr_fs_write_atomic(path, text, strlen(text));
  free(text);
  return rc;
}
