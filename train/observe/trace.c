#include "train/observe/trace.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sort.h"

enum { ROUNDS = 15 };

orr_code train_trace_parse(const char *text, train_trace_range *out) {
  char behind;
  *out = (train_trace_range){0};
  if (!text[0]) return ORR_OK;
  const int n = sscanf(text, "%" SCNd64 "-%" SCNd64 "%c", &out->first, &out->last, &behind);
  if (n == 1) out->last = out->first;
  const bool one = n == 1 && strspn(text, "0123456789") == strlen(text);
  ORR_CHECK((one || n == 2) && out->first >= 1 && out->last >= out->first, ORR_ECONFIG,
            "train.trace_steps is '%s': wanted steps as A-B with 1 <= A <= B, or one step", text);
  return ORR_OK;
}

// *ahead_ns (=) how far this rank's clock is ahead of rank 0's: the median over some barriers of
// how much later each of them ended by this clock.
static orr_code compare_clocks(dist_comm *all, int64_t *ahead_ns) {
  int64_t ahead[ROUNDS];
  ORR_TRY(dist_barrier(all)); // the first one waits for whoever is late
  for (int i = 0; i < ROUNDS; i++) {
    ORR_TRY(dist_barrier(all));
    const int64_t mine = orr_clock_ns();
    int64_t first = mine;
    ORR_TRY(dist_broadcast(all, &first, 1, DIST_I64, 0));
    ahead[i] = mine - first;
  }
  orr_sort_i64(ahead, ROUNDS);
  *ahead_ns = ahead[ROUNDS / 2];
  return ORR_OK;
}

static void put_row(FILE *f, int rank, int row, const char *name) {
  fprintf(
      f,
      "{\"ph\": \"M\", \"name\": \"thread_name\", \"pid\": %d, \"tid\": %d, \"args\": {\"name\": "
      "\"%s\"}},\n",
      rank, row, name);
}

static void put_names(FILE *f, const dist_grid *g) {
  char host[256] = "", row[64];
  gethostname(host, sizeof host - 1);
  fprintf(
      f,
      "{\"ph\": \"M\", \"name\": \"process_name\", \"pid\": %d, \"args\": {\"name\": \"rank %d: "
      "tp %d, cp %d, dp %d, %s\"}},\n",
      g->rank, g->rank, g->tp_i, g->cp_i, g->dp_i, host);
  fprintf(f,
          "{\"ph\": \"M\", \"name\": \"process_sort_index\", \"pid\": %d, \"args\": "
          "{\"sort_index\": %d}},\n",
          g->rank, g->rank);
  put_row(f, g->rank, 0, "step");
  for (int a = 0; a < DIST_AXES; a++) {
    snprintf(row, sizeof row, "in flight: %s", dist_axis_name((dist_axis)a));
    put_row(f, g->rank, 1 + a, row);
  }
}

static void put_label(FILE *f, train_straggler slow) {
  fprintf(f,
          "{\"ph\": \"M\", \"name\": \"process_labels\", \"pid\": %d, \"args\": {\"labels\": "
          "\"straggler: computes %.2f times as long as the median rank\"}},\n",
          slow.rank, slow.score);
}

// Times in microseconds from base_ns.
static void put_span(FILE *f, int rank, const train_span *s, int64_t base_ns) {
  char name[96];
  if (!s->name)
    snprintf(name, sizeof name, "%s", dist_collective_name(s->call.collective));
  else if (s->index >= 0)
    snprintf(name, sizeof name, "%s %" PRId64, s->name, s->index);
  else
    snprintf(name, sizeof name, "%s", s->name);
  fprintf(
      f,
      "{\"ph\": \"X\", \"name\": \"%s\", \"cat\": \"%s\", \"pid\": %d, \"tid\": %d, \"ts\": %.3f, "
      "\"dur\": %.3f",
      name, train_phase_name(s->phase), rank, s->flight ? 1 + (int)s->call.axis : 0,
      1e-3 * (double)(s->from_ns - base_ns), 1e-3 * (double)(s->to_ns - s->from_ns));
  if (!s->name)
    fprintf(f, ", \"args\": {\"axis\": \"%s\", \"elements\": %" PRId64 ", \"call\": %" PRId64 "}",
            dist_axis_name(s->call.axis), s->call.count, s->call.sequence);
  fputs("},\n", f);
}

// This rank's part of the file; the list ends with a record that needs no comma after it.
static orr_code make_text(train_profile *p, const dist_grid *g, int64_t base_ns,
                          train_straggler slow, char **text, size_t *bytes) {
  const train_span *spans;
  int64_t dropped;
  const int64_t n = train_profile_spans(p, &spans, &dropped);
  *text = NULL;
  FILE *f = open_memstream(text, bytes);
  ORR_CHECK(f, ORR_ENOMEM, "trace: out of memory");
  if (g->rank == 0) fputs("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n", f);
  put_names(f, g);
  if (slow.rank >= 0) put_label(f, slow);
  for (int64_t i = 0; i < n; i++) put_span(f, g->rank, &spans[i], base_ns);
  if (g->rank + 1 == g->ranks)
    fputs("{\"ph\": \"M\", \"name\": \"end\", \"pid\": 0, \"args\": {}}\n]}\n", f);
  const bool bad = ferror(f) != 0;
  ORR_CHECK(fclose(f) == 0 && !bad, ORR_ENOMEM, "trace: out of memory for %" PRId64 " spans", n);
  if (dropped > 0)
    ORR_WARN("trace: the last %" PRId64 " spans of rank %d did not fit", dropped, g->rank);
  return ORR_OK;
}

// Where this rank's bytes go: after those of lower ranks.
static orr_code find_place(dist_comm *all, int64_t bytes, int64_t *at) {
  const int n = dist_comm_size(all), me = dist_comm_rank(all);
  int64_t *sizes = orr_calloc((size_t)n, sizeof *sizes);
  orr_code rc = sizes ? ORR_OK : ORR_FAIL(ORR_ENOMEM, "trace: out of memory");
  rc = dist_agree(all, rc, "write the trace");
  if (rc == ORR_OK) rc = dist_all_gather(all, &bytes, sizes, 1, DIST_I64);
  *at = 0;
  for (int i = 0; rc == ORR_OK && i < me; i++) *at += sizes[i];
  orr_free(sizes);
  return rc;
}

static orr_code create_file(const char *run_dir, const char *path) {
  orr_path dir;
  int fd;
  ORR_TRY(orr_fs_join(dir, sizeof dir, run_dir, "trace"));
  ORR_TRY(orr_fs_mkdirs(dir));
  ORR_TRY(orr_fs_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd));
  close(fd);
  return ORR_OK;
}

static orr_code write_part(const char *path, const char *text, size_t bytes, int64_t at) {
  int fd;
  ORR_TRY(orr_fs_open(path, O_WRONLY, 0, &fd));
  orr_code rc = orr_fs_pwrite_all(fd, path, text, bytes, (uint64_t)at);
  close(fd);
  return rc;
}

orr_code train_trace_write(train_profile *p, dist_world *w, const char *run_dir,
                           const train_trace_range *steps, train_straggler slow) {
  dist_comm *all = w->axis[DIST_AXIS_WORLD];
  const train_span *spans;
  char path[4096], *text = NULL;
  size_t bytes = 0;
  int64_t ahead_ns, dropped, at = 0;
  int64_t base_ns =
      train_profile_spans(p, &spans, &dropped) > 0 ? spans[0].from_ns : orr_clock_ns();
  snprintf(path, sizeof path, "%s/trace/steps-%" PRId64 "-%" PRId64 ".json", run_dir, steps->first,
           steps->last);
  ORR_TRY(compare_clocks(all, &ahead_ns));
  ORR_TRY(dist_broadcast(all, &base_ns, 1, DIST_I64, 0));
  orr_code rc = make_text(p, &w->grid, base_ns + ahead_ns, slow, &text, &bytes);
  if (rc == ORR_OK && w->grid.rank == 0) rc = create_file(run_dir, path);
  rc = dist_agree(all, rc, "write the trace");
  if (rc == ORR_OK) rc = find_place(all, (int64_t)bytes, &at);
  if (rc == ORR_OK) rc = dist_agree(all, write_part(path, text, bytes, at), "write the trace");
  free(text);
  if (rc == ORR_OK && w->grid.rank == 0) ORR_INFO("trace: %s", path);
  return rc;
}
