// The folders and files of a report; see the header.
#include "train/report/data.h"

#include <inttypes.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "configs/config.h"
#include "train/observe/history.h"

enum { MEDIUM_BYTES_MAX = 64 << 20 }; // of one file: browsers choke on larger data URIs

// Turns a failure that is not ours into a note. Out of memory stays a failure.
static orr_code note(train_report_data *d, orr_code why) {
  if (why == ORR_OK || why == ORR_ENOMEM) return why;
  char *text = orr_strdup(orr_status_message());
  char **grown = text ? orr_realloc(d->note, (size_t)(d->notes + 1) * sizeof *grown) : NULL;
  if (!grown) {
    orr_free(text);
    return ORR_FAIL(ORR_ENOMEM, "report: out of memory for a note");
  }
  d->note = grown;
  d->note[d->notes++] = text;
  ORR_WARN("report: %s", text);
  orr_status_clear();
  return ORR_OK;
}

static uint32_t big32(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// Checks that the bytes are what the name says and finds the size in pixels.
static orr_code inspect(const char *path, train_medium *m) {
  const unsigned char *p = (const unsigned char *)m->bytes;
  bool good = false;
  if (m->kind == TRAIN_MEDIUM_GIF && m->size >= 10 && memcmp(p, "GIF8", 4) == 0) {
    m->width = p[6] | p[7] << 8;
    m->height = p[8] | p[9] << 8;
    good = true;
  } else if (m->kind == TRAIN_MEDIUM_PNG && m->size >= 24 && memcmp(p, "\x89PNG", 4) == 0) {
    m->width = big32(p + 16);
    m->height = big32(p + 20);
    good = true;
  } else if (m->kind == TRAIN_MEDIUM_MP4) {
    good = m->size >= 12 && memcmp(p + 4, "ftyp", 4) == 0;
  }
  ORR_CHECK(good, ORR_EFORMAT, "%s: not the picture that its name says; it is left out", path);
  return ORR_OK;
}

static orr_code read_medium(const char *dir, const char *name, train_medium_kind kind,
                            train_medium *out) {
  orr_path path;
  uint64_t bytes;
  ORR_TRY(orr_fs_join(path, sizeof path, dir, name));
  ORR_TRY(orr_fs_size(path, &bytes));
  ORR_CHECK(bytes <= MEDIUM_BYTES_MAX, ORR_EINVAL,
            "%s: %" PRIu64 " bytes, wanted at most %d to put it into a page; it is left out", path,
            bytes, MEDIUM_BYTES_MAX);
  train_medium m = {.kind = kind};
  ORR_TRY(orr_fs_read_all(path, &m.bytes, &m.size));
  orr_code rc = inspect(path, &m);
  if (rc == ORR_OK && !(m.name = orr_strdup(name)))
    rc = ORR_FAIL(ORR_ENOMEM, "report: out of memory for %s", path);
  if (rc != ORR_OK) {
    orr_free(m.bytes);
    return rc;
  }
  *out = m;
  return ORR_OK;
}

// The medium a file name stands for: films "rollout*", stills "strip*".
static bool medium_of(const char *name, bool film, train_medium_kind *kind) {
  const char *dot = strrchr(name, '.');
  if (!dot || strncmp(name, film ? "rollout" : "strip", film ? 7 : 5)) return false;
  *kind = strcmp(dot, ".gif") == 0   ? TRAIN_MEDIUM_GIF
          : strcmp(dot, ".mp4") == 0 ? TRAIN_MEDIUM_MP4
                                     : TRAIN_MEDIUM_PNG;
  return film ? *kind != TRAIN_MEDIUM_PNG : strcmp(dot, ".png") == 0;
}

static int ignore_hidden(const struct dirent *e) {
  return e->d_name[0] != '.';
}

// Of rollout.gif and rollout.mp4, the first by name (the GIF) is enough: every browser plays it.
static bool same_stem(const char *a, const char *b) {
  size_t n = strcspn(a, ".");
  return strncmp(a, b, n + 1) == 0;
}

static orr_code read_media(train_report_data *d, train_report_run *run, struct dirent **entries,
                           int count) {
  for (int film = 1; film >= 0; film--) {
    const char *last = "";
    for (int i = 0; i < count && run->media < TRAIN_REPORT_MEDIA; i++) {
      train_medium_kind kind;
      const char *name = entries[i]->d_name;
      if (!medium_of(name, film, &kind) || (last[0] && same_stem(name, last))) continue;
      last = name;
      const orr_code rc = read_medium(run->path, name, kind, &run->medium[run->media]);
      run->media += rc == ORR_OK;
      ORR_TRY(note(d, rc));
    }
  }
  return ORR_OK;
}

static orr_code list(const char *path, struct dirent ***entries, int *count) {
  *count = scandir(path, entries, ignore_hidden, alphasort);
  ORR_CHECK(*count >= 0, errno == ENOMEM ? ORR_ENOMEM : ORR_ENOTFOUND,
            "%s: cannot list this folder: %s; give the folder of a run", path, strerror(errno));
  return ORR_OK;
}

static void unlist(struct dirent **entries, int count) {
  for (int i = 0; i < count; i++) free(entries[i]);
  free(entries);
}

static bool is_case(const char *name) {
  const char *dot = strrchr(name, '.');
  return strncmp(name, "case-", 5) == 0 && dot && strcmp(dot, ".png") == 0;
}

static orr_code take_cases(train_report_data *d, train_report_run *run, const char *dir,
                           struct dirent **entries, int count) {
  run->exam_case = orr_calloc((size_t)count + 1, sizeof *run->exam_case);
  ORR_CHECK(run->exam_case, ORR_ENOMEM, "report: out of memory for %s", dir);
  for (int i = 0; i < count; i++) {
    if (!is_case(entries[i]->d_name)) continue;
    const orr_code rc =
        read_medium(dir, entries[i]->d_name, TRAIN_MEDIUM_PNG, &run->exam_case[run->cases]);
    run->cases += rc == ORR_OK;
    ORR_TRY(note(d, rc));
  }
  return ORR_OK;
}

// The pictures that an exam has left beside its figures.
static orr_code read_cases(train_report_data *d, train_report_run *run) {
  orr_path dir;
  struct dirent **entries = NULL;
  int count;
  ORR_TRY(orr_fs_join(dir, sizeof dir, run->path, "exam"));
  if (!run->exam || !orr_fs_is_dir(dir)) return ORR_OK;
  ORR_TRY(list(dir, &entries, &count));
  const orr_code rc = take_cases(d, run, dir, entries, count);
  unlist(entries, count);
  return rc;
}

// The config's own reader is strict; a config of another version still shows as text.
static orr_code read_plan(train_report_run *run, const char *path) {
  cfg *c = NULL;
  orr_code rc = cfg_create(&c);
  if (rc == ORR_OK) rc = cfg_read_text(c, path, run->config, strlen(run->config));
  if (rc == ORR_OK) {
    run->steps = c->train.steps;
    run->tokenizer = c->train.stage == CFG_STAGE_TOKENIZER;
    run->aspect = run->tokenizer ? (double)c->tokenizer.cols / (double)c->tokenizer.rows
                                 : (double)c->model.cols / (double)c->model.rows;
  }
  cfg_destroy(c);
  if (rc == ORR_ENOMEM) return rc;
  orr_status_clear();
  return ORR_OK;
}

static orr_code read_history(train_report_run *run) {
  int64_t bad;
  ORR_TRY(train_history_read(run->path, &run->history, &bad));
  train_goodput_of(run->history, &run->metrics, &run->goodput);
  ORR_CHECK(bad == 0, ORR_EFORMAT,
            "%s/history.jsonl: %" PRId64 " lines could not be read and are left out", run->path,
            bad);
  return ORR_OK;
}

// DIR/name, where it is; NULL otherwise.
static orr_code read_object(const char *dir, const char *name, json_t **out) {
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof path, dir, name));
  if (!orr_fs_exists(path)) return ORR_OK;
  ORR_TRY(orr_json_load(path, out));
  if (json_is_object(*out)) return ORR_OK;
  json_decref(*out);
  *out = NULL;
  return ORR_FAIL(ORR_EFORMAT, "%s: not a JSON object; it is left out", path);
}

// What `eval --by-branch` wrote, be it called branches.json or eval.json.
static orr_code read_branches(train_report_run *run) {
  json_t *own = NULL;
  if (json_is_object(json_object_get(run->eval, "branches"))) {
    run->branches = json_incref(json_object_get(run->eval, "branches"));
    json_decref(run->eval);
    run->eval = NULL;
  }
  ORR_TRY(read_object(run->path, "branches.json", &own));
  if (!own) return ORR_OK;
  json_t *all = json_object_get(own, "branches");
  const bool good = json_is_object(all);
  if (good) {
    json_decref(run->branches);
    run->branches = json_incref(all);
  }
  json_decref(own);
  ORR_CHECK(good, ORR_EFORMAT,
            "%s/branches.json: no object 'branches', as eval --by-branch writes it; it is left out",
            run->path);
  return ORR_OK;
}

static orr_code read_files(train_report_data *d, train_report_run *run) {
  orr_path path;
  ORR_TRY(orr_fs_join(path, sizeof path, run->path, "metrics.jsonl"));
  if (orr_fs_exists(path)) {
    orr_code rc = train_columns_read(path, &run->metrics);
    if (rc == ORR_OK && run->metrics.unreadable)
      rc = ORR_FAIL(ORR_EFORMAT, "%s: %" PRId64 " lines could not be read and are left out", path,
                    run->metrics.unreadable);
    ORR_TRY(note(d, rc));
    run->has_metrics = run->metrics.rows > 0;
  }
  ORR_TRY(note(d, read_history(run)));
  ORR_TRY(note(d, read_object(run->path, "eval.json", &run->eval)));
  ORR_TRY(note(d, read_object(run->path, "exam.json", &run->exam)));
  ORR_TRY(note(d, read_branches(run)));
  ORR_TRY(orr_fs_join(path, sizeof path, run->path, "config.yaml"));
  if (orr_fs_exists(path)) {
    size_t bytes;
    ORR_TRY(note(d, orr_fs_read_all(path, &run->config, &bytes)));
    if (run->config) ORR_TRY(read_plan(run, path));
  }
  return ORR_OK;
}

static void release_run(train_report_run *run) {
  for (int i = 0; i < run->media; i++) {
    orr_free(run->medium[i].name);
    orr_free(run->medium[i].bytes);
  }
  train_columns_release(&run->metrics);
  for (int i = 0; i < run->cases; i++) {
    orr_free(run->exam_case[i].name);
    orr_free(run->exam_case[i].bytes);
  }
  orr_free(run->exam_case);
  json_decref(run->eval);
  json_decref(run->exam);
  json_decref(run->branches);
  json_decref(run->history);
  orr_free(run->config);
  orr_free(run->path);
  orr_free(run->name);
}

// Reads one folder and keeps it when it holds something; the root is kept always.
static orr_code add_run(train_report_data *d, const char *path, const char *name) {
  struct dirent **entries = NULL;
  int count;
  ORR_TRY(list(path, &entries, &count));
  train_report_run run = {.path = orr_strdup(path), .name = orr_strdup(name)};
  orr_code rc = ORR_OK;
  ORR_CHECK_GOTO(run.path && run.name, done, ORR_ENOMEM, "report: out of memory for %s", path);
  ORR_TRY_GOTO(read_files(d, &run), done);
  ORR_TRY_GOTO(read_media(d, &run, entries, count), done);
  ORR_TRY_GOTO(read_cases(d, &run), done);
  if (!name[0] || run.has_metrics || run.eval || run.exam || run.branches || run.media) {
    train_report_run *grown = orr_realloc(d->run, (size_t)(d->count + 1) * sizeof *grown);
    ORR_CHECK_GOTO(grown, done, ORR_ENOMEM, "report: out of memory for %s", path);
    d->run = grown;
    d->run[d->count++] = run;
    run = (train_report_run){0}; // moved
  }
done:
  release_run(&run);
  unlist(entries, count);
  return rc;
}

static orr_code add_sub_runs(train_report_data *d, const char *dir) {
  struct dirent **entries = NULL;
  int count;
  orr_code rc = ORR_OK;
  ORR_TRY(list(dir, &entries, &count));
  for (int i = 0; i < count; i++) {
    orr_path path;
    ORR_TRY_GOTO(orr_fs_join(path, sizeof path, dir, entries[i]->d_name), done);
    if (!orr_fs_is_dir(path)) continue;
    ORR_TRY_GOTO(note(d, add_run(d, path, entries[i]->d_name)), done);
  }
done:
  unlist(entries, count);
  return rc;
}

static int by_stage(const void *a, const void *b) {
  const train_report_run *x = a, *y = b;
  if (x->tokenizer != y->tokenizer) return x->tokenizer ? -1 : 1;
  return strcmp(x->name, y->name);
}

static orr_code set_title(train_report_data *d, const char *dir) {
  orr_path whole;
  const char *name = realpath(dir, whole) ? whole : dir; // "." has a name too
  const char *slash = strrchr(name, '/');
  d->title = orr_strdup(slash && slash[1] ? slash + 1 : name);
  ORR_CHECK(d->title, ORR_ENOMEM, "report: out of memory for a title");
  return ORR_OK;
}

orr_code train_report_read(const char *dir, train_report_data *out) {
  orr_code rc = ORR_OK;
  *out = (train_report_data){0};
  ORR_CHECK(orr_fs_is_dir(dir), ORR_ENOTFOUND, "%s: no such folder; give the folder of a run", dir);
  ORR_TRY_GOTO(set_title(out, dir), fail);
  ORR_TRY_GOTO(add_run(out, dir, ""), fail);
  ORR_TRY_GOTO(add_sub_runs(out, dir), fail);
  bool something = out->count > 1;
  for (int i = 0; i < out->count; i++)
    something |= out->run[i].has_metrics || out->run[i].eval || out->run[i].exam ||
                 out->run[i].branches || out->run[i].media;
  ORR_CHECK_GOTO(
      something, fail, ORR_ENOTFOUND,
      "%s: nothing to report: wanted metrics.jsonl, eval.json, rollout.gif or strip.png, "
      "here or in folders one level down",
      dir);
  qsort(out->run + 1, (size_t)(out->count - 1), sizeof *out->run, by_stage);
  return ORR_OK;
fail:
  train_report_release(out);
  return rc;
}

void train_report_release(train_report_data *d) {
  for (int i = 0; i < d->count; i++) release_run(&d->run[i]);
  for (int i = 0; i < d->notes; i++) orr_free(d->note[i]);
  orr_free(d->run);
  orr_free(d->note);
  orr_free(d->title);
  *d = (train_report_data){0};
}
