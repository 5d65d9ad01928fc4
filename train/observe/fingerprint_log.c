#include "train/observe/fingerprint_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/observe/journal.h"

#define PROGRAM "/proc/self/exe"

enum { DIGITS = 16, ENTRY = DIGITS + 3 }; // "..",

struct train_fingerprint_log {
  train_fingerprint_log_options o;
  int rank, ranks;
  train_fingerprint *all; // [ranks]
  // Rank 0.
  train_journal *journal; // NULL: cannot be written
  char **hosts;
  json_t *head; // of this process
  char *line;   // room for one
  size_t room;
  // The chain of an exact run, up to step `chained`.
  orr_hash128 chain;
  int64_t chained;
};

json_t *train_fingerprint_log_bits(const cfg *c, const dist_world *w, const kern *k) {
  return json_pack("{s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:b, s:i, s:s, s:s, s:i}", "dist.tp",
                   w->grid.tp, "dist.cp", w->grid.cp, "dist.dp", w->grid.dp, "dist.zero",
                   (json_int_t)c->dist.zero, "dist.shard", (json_int_t)w->grid.shard,
                   "dist.bucket_bytes", (json_int_t)c->dist.bucket_bytes, "train.micro_batch",
                   (json_int_t)c->train.micro_batch, "dist.overlap", (int)c->dist.overlap,
                   "train.recompute", (int)c->train.recompute, "run.device", k->table->name,
                   "instructions", k->isa, "run.threads", k->threads);
}

orr_code train_fingerprint_log_program(orr_hash_hex *out) {
  orr_hash128 hash;
  ORR_TRY(orr_hash_file(PROGRAM, &hash, NULL));
  *out = orr_hash_to_hex(hash);
  return ORR_OK;
}

static json_t *hosts_of(char **hosts, int ranks) {
  json_t *list = json_array();
  for (int i = 0; list && i < ranks; i++) json_array_append_new(list, json_string(hosts[i]));
  return list;
}

static orr_code make_head(train_fingerprint_log *r) {
  orr_hash_hex program;
  ORR_TRY(train_fingerprint_log_program(&program));
  r->head = json_pack("{s:i, s:i, s:o*, s:s, s:s, s:o*}", "start", 0, "ahead", 0, "bits",
                      train_fingerprint_log_bits(r->o.c, r->o.world, r->o.k), "program", program.s,
                      "config", r->o.config_text, "hosts", hosts_of(r->hosts, r->ranks));
  ORR_CHECK(r->head, ORR_ENOMEM, "record of steps: out of memory");
  return ORR_OK;
}

static orr_code open_file(train_fingerprint_log *r) {
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof path, r->o.c->run.dir, "record.jsonl"));
  return train_journal_open(&(train_journal_options){.path = path, .outage = r->o.outage},
                            &r->journal);
}

// The run is worth more than its record.
static void give_up(train_fingerprint_log *r) {
  ORR_WARN("%s; steps are not recorded any more, training goes on", orr_status_message());
  train_journal_close(r->journal);
  r->journal = NULL;
}

static orr_code make_room(train_fingerprint_log *r) {
  r->all = orr_calloc((size_t)r->ranks, sizeof *r->all);
  r->room = 128 + TRAIN_FINGERPRINT_PARTS * (32 + (size_t)r->ranks * ENTRY);
  if (r->rank == 0) r->line = orr_malloc(r->room);
  ORR_CHECK(r->all && (r->line || r->rank != 0), ORR_ENOMEM,
            "record of steps of %d ranks: out of memory", r->ranks);
  return ORR_OK;
}

orr_code train_fingerprint_log_create(const train_fingerprint_log_options *o,
                                      train_fingerprint_log **out) {
  char host[256] = "";
  dist_comm *world = o->world->axis[DIST_AXIS_WORLD];
  *out = NULL;
  if (o->c->guard.record_every == 0) return ORR_OK;
  train_fingerprint_log *r = orr_calloc(1, sizeof *r);
  orr_code rc = r ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "record of steps: out of memory");
  if (r) {
    *r = (train_fingerprint_log){
        .o = *o, .rank = o->world->grid.rank, .ranks = o->world->grid.ranks};
    rc = make_room(r);
  }
  ORR_TRY_GOTO(dist_agree(world, rc, "record steps"), fail);
  gethostname(host, sizeof host - 1);
  ORR_TRY_GOTO(dist_gather_text(world, host, 0, &r->hosts), fail);
  rc = r->rank == 0 ? make_head(r) : ORR_OK;
  ORR_TRY_GOTO(dist_agree(world, rc, "record steps"), fail);
  if (r->rank == 0 && open_file(r) != ORR_OK) give_up(r);
  *out = r;
  return ORR_OK;
fail:
  train_fingerprint_log_destroy(r);
  return rc;
}

void train_fingerprint_log_destroy(train_fingerprint_log *r) {
  if (!r) return;
  train_journal_close(r->journal);
  json_decref(r->head);
  dist_texts_free(r->hosts, r->ranks);
  orr_free(r->line);
  orr_free(r->all);
  orr_free(r);
}

bool train_fingerprint_log_wants(const train_fingerprint_log *r, int64_t step) {
  return r && step % r->o.c->guard.record_every == 0;
}

orr_code train_fingerprint_log_first(const cfg *c, orr_hash128 *out) {
  return cfg_hash(c, out);
}

// The chain up to `step`, as the lines that are there have it: the last of those that count.
typedef struct {
  train_fingerprint_log *r;
  int64_t step;
} chain_search;

static orr_code find_chain(void *ctx, json_t *line) {
  const chain_search *s = ctx;
  const int64_t step = json_integer_value(json_object_get(line, "step"));
  const char *hex = json_string_value(json_object_get(line, "chain"));
  orr_hash128 chain;
  if (!hex || step > s->step || orr_hash_from_hex(hex, &chain) != ORR_OK) {
    orr_status_clear();
    return ORR_OK;
  }
  s->r->chain = chain;
  s->r->chained = step;
  return ORR_OK;
}

// Where the chain goes on.
static orr_code resume_chain(train_fingerprint_log *r, int64_t step) {
  static const char *const names[] = {"record.1.jsonl", "record.jsonl"};
  chain_search s = {r, step};
  int64_t bad = 0;
  r->chained = 0;
  ORR_TRY(train_fingerprint_log_first(r->o.c, &r->chain));
  for (int i = 0; i < 2 && step > 0; i++) {
    orr_path path;
    ORR_TRY(orr_fs_join(path, sizeof path, r->o.c->run.dir, names[i]));
    ORR_TRY(train_journal_read(path, find_chain, &s, &bad));
  }
  return ORR_OK;
}

bool train_fingerprint_log_chain(const train_fingerprint_log *r, int64_t *step, orr_hash_hex *out) {
  if (!r || r->rank != 0 || !r->o.c->run.exact) return false;
  *step = r->chained;
  *out = orr_hash_to_hex(r->chain);
  return true;
}

void train_fingerprint_log_start(train_fingerprint_log *r, int64_t step, int64_t ahead) {
  if (!r || !r->journal) return;
  if (r->o.c->run.exact && resume_chain(r, step) != ORR_OK) {
    give_up(r);
    return;
  }
  json_object_set_new(r->head, "start", json_integer(step));
  json_object_set_new(r->head, "ahead", json_integer(ahead));
  if (train_journal_put_object(r->journal, json_incref(r->head)) != ORR_OK) give_up(r);
}

static size_t print_line(const train_fingerprint_log *r, int64_t step) {
  size_t n = (size_t)snprintf(r->line, r->room, "{\"step\": %" PRId64, step);
  for (int p = 0; p < TRAIN_FINGERPRINT_PARTS; p++) {
    n += (size_t)snprintf(r->line + n, r->room - n, ", \"%s\": [", train_fingerprint_part_name(p));
    for (int i = 0; i < r->ranks; i++)
      n += (size_t)snprintf(r->line + n, r->room - n, "%s\"%016" PRIx64 "\"", i ? "," : "",
                            r->all[i].v[p]);
    n += (size_t)snprintf(r->line + n, r->room - n, "]");
  }
  if (r->o.c->run.exact)
    n += (size_t)snprintf(r->line + n, r->room - n, ", \"chain\": \"%s\"",
                          orr_hash_to_hex(r->chain).s);
  return n + (size_t)snprintf(r->line + n, r->room - n, "}\n");
}

static void extend_chain(train_fingerprint_log *r, int64_t step) {
  const train_fingerprint whole = train_fingerprint_whole(r->all, r->ranks);
  r->chain = train_fingerprint_chain(r->chain, step, &whole);
  r->chained = step;
}

// A new file, once this one is full.
static orr_code turn_over(train_fingerprint_log *r, int64_t step) {
  orr_path path, old;
  const char *dir = r->o.c->run.dir;
  if (train_journal_bytes(r->journal) < (uint64_t)r->o.c->guard.record_bytes ||
      !train_journal_settled(r->journal))
    return ORR_OK;
  train_journal_close(r->journal);
  r->journal = NULL;
  ORR_TRY(orr_fs_join(path, sizeof path, dir, "record.jsonl"));
  ORR_TRY(orr_fs_join(old, sizeof old, dir, "record.1.jsonl"));
  ORR_TRY(orr_fs_rename(path, old));
  ORR_TRY(open_file(r));
  train_fingerprint_log_start(r, step, json_integer_value(json_object_get(r->head, "ahead")));
  return ORR_OK;
}

orr_code train_fingerprint_log_step(train_fingerprint_log *r, int64_t step,
                                    const train_fingerprint *mine) {
  if (!train_fingerprint_log_wants(r, step)) return ORR_OK;
  ORR_TRY(dist_all_gather(r->o.world->axis[DIST_AXIS_WORLD], mine, r->all, TRAIN_FINGERPRINT_PARTS,
                          DIST_I64));
  if (!r->journal) return ORR_OK;
  if (r->o.c->run.exact) extend_chain(r, step);
  const size_t bytes = print_line(r, step);
  train_journal_put(r->journal, r->line, bytes);
  if (turn_over(r, step) != ORR_OK) give_up(r);
  return ORR_OK;
}
