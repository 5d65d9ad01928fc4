#include "data/import/parquet/parquet.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/parquet/page.h"

orr_code data_parquet_open(const char *path, data_parquet **out) {
  orr_code rc = ORR_OK;
  data_parquet *p = orr_calloc(1, sizeof *p);
  ORR_CHECK(p, ORR_ENOMEM, "%s: out of memory: cannot open it", path);
  p->fd = -1;
  p->path = orr_strdup(path);
  ORR_CHECK_GOTO(p->path, fail, ORR_ENOMEM, "%s: out of memory: cannot open it", path);
  ORR_TRY_GOTO(orr_fs_size(path, &p->bytes), fail);
  ORR_TRY_GOTO(orr_fs_open(path, O_RDONLY, 0, &p->fd), fail);
  ORR_TRY_GOTO(data_parquet_footer_read(p), fail);
  *out = p;
  return ORR_OK;
fail:
  data_parquet_close(p);
  return rc;
}

void data_parquet_close(data_parquet *p) {
  if (!p) return;
  data_parquet_footer_release(p);
  if (p->fd >= 0) close(p->fd);
  orr_free(p->path);
  orr_free(p);
}

int64_t data_parquet_rows(const data_parquet *p) {
  return p->rows;
}

int data_parquet_columns(const data_parquet *p) {
  return p->column_count;
}

const char *data_parquet_name(const data_parquet *p, int column) {
  return p->columns[column].name;
}

int data_parquet_find(const data_parquet *p, const char *name) {
  for (int i = 0; i < p->column_count; i++)
    if (strcmp(p->columns[i].name, name) == 0) return i;
  return -1;
}

bool data_parquet_is_numbers(const data_parquet *p, int column) {
  const data_parquet_column *c = &p->columns[column];
  return !c->decimal && (c->type == DATA_PARQUET_BOOLEAN || c->type == DATA_PARQUET_INT32 ||
                         c->type == DATA_PARQUET_INT64 || c->type == DATA_PARQUET_FLOAT ||
                         c->type == DATA_PARQUET_DOUBLE);
}

bool data_parquet_is_bytes(const data_parquet *p, int column) {
  return p->columns[column].type == DATA_PARQUET_BYTE_ARRAY && !p->columns[column].decimal;
}

// The row group that holds `row`, and the file's row at which it begins.
static int64_t group_of(const data_parquet *p, int64_t row, int64_t *first) {
  int64_t group = 0;
  *first = 0;
  while (group < p->group_count && row >= *first + p->groups[group].rows)
    *first += p->groups[group++].rows;
  return group;
}

// -- numbers --------------------------------------------------------------------------------

// Rows of numbers while they are gathered.
typedef struct {
  const data_parquet *file;
  const data_parquet_column *c;
  int64_t first, end; // wanted rows
  int64_t row;        // at hand; -1 before the first
  int64_t width;      // of a row; -1 until the first has ended
  int64_t count;      // numbers of the row at hand
  double *v;
  size_t used, room;
} gathering;

static orr_code put(gathering *g, double value) {
  if (g->used == g->room) {
    size_t room = g->room ? 2 * g->room : 1024;
    double *v = orr_realloc(g->v, room * sizeof *v);
    ORR_CHECK(v, ORR_ENOMEM, "%s: column %s: out of memory for %zu numbers", g->file->path,
              g->c->name, room);
    g->v = v;
    g->room = room;
  }
  g->v[g->used++] = value;
  g->count++;
  return ORR_OK;
}

static orr_code end_row(gathering *g) {
  if (g->row >= g->first && g->row < g->end) {
    if (g->width < 0) g->width = g->count;
    ORR_CHECK(g->count == g->width, ORR_EFORMAT,
              "%s: column %s: %" PRId64 " numbers in row %" PRId64 ", but %" PRId64
              " in row %" PRId64 " (the first is 0)",
              g->file->path, g->c->name, g->count, g->row, g->width, g->first);
  }
  g->row++;
  g->count = 0;
  return ORR_OK;
}

static orr_code gather_page(gathering *g, const data_parquet_page *page) {
  int64_t value = 0;
  for (int64_t i = 0; i < page->entries; i++) {
    bool begins = !page->repeated || page->repeated[i] == 0;
    bool there = !page->defined || page->defined[i] == (uint32_t)g->c->defined;
    bool listed = !g->c->repeated || page->defined[i] >= (uint32_t)g->c->list_exists;
    if (begins) ORR_TRY(end_row(g));
    if (g->row >= g->end) return ORR_OK;
    if (g->row >= g->first && listed) ORR_TRY(put(g, there ? page->numbers[value] : NAN));
    value += there;
  }
  return ORR_OK;
}

static orr_code gather(gathering *g, data_parquet_pages *pages) {
  data_parquet_page page;
  do {
    ORR_TRY(data_parquet_pages_next(pages, &page));
    ORR_TRY(gather_page(g, &page));
  } while (page.entries && g->row < g->end);
  if (g->row < g->end) ORR_TRY(end_row(g)); // the file's last row
  ORR_CHECK(g->row >= g->end, ORR_EFORMAT,
            "%s: damaged Parquet file: column %s ends with row %" PRId64 ", wanted %" PRId64,
            g->file->path, g->c->name, g->row, g->end);
  return ORR_OK;
}

orr_code data_parquet_read(data_parquet *p, int column, int64_t first, int64_t rows,
                           data_parquet_numbers *out) {
  int64_t begin, group = group_of(p, first, &begin);
  gathering g = {.file = p,
                 .c = &p->columns[column],
                 .first = first,
                 .end = first + rows,
                 .row = begin - 1,
                 .width = -1};
  data_parquet_pages *pages = NULL;
  ORR_CHECK(data_parquet_is_numbers(p, column), ORR_EFORMAT,
            "%s: column %s holds no numbers (type %d)", p->path, g.c->name, g.c->type);
  ORR_CHECK(first >= 0 && rows >= 1 && rows <= p->rows - first, ORR_EINVAL,
            "%s: rows %" PRId64 " to %" PRId64 " of %" PRId64, p->path, first, first + rows - 1,
            p->rows);
  ORR_TRY(data_parquet_pages_open(p, column, group, &pages));
  orr_code rc = gather(&g, pages);
  data_parquet_pages_close(pages);
  if (rc != ORR_OK) {
    orr_free(g.v);
    return rc;
  }
  *out =
      (data_parquet_numbers){.rows = rows, .width = g.width, .list = g.c->repeated > 0, .v = g.v};
  return ORR_OK;
}

// -- bytes ----------------------------------------------------------------------------------

struct data_parquet_values {
  data_parquet *file;
  int column;
  data_parquet_pages *pages;
  data_parquet_page page;
  int64_t entry, value; // of the page: next ones
  int64_t row;          // of the next entry
};

orr_code data_parquet_values_open(data_parquet *p, int column, data_parquet_values **out) {
  const data_parquet_column *c = &p->columns[column];
  ORR_CHECK(data_parquet_is_bytes(p, column) && !c->repeated, ORR_EFORMAT,
            "%s: column %s holds no bytes, one value a row", p->path, c->name);
  data_parquet_values *v = orr_calloc(1, sizeof *v);
  ORR_CHECK(v, ORR_ENOMEM, "%s: out of memory: cannot read it", p->path);
  *v = (data_parquet_values){.file = p, .column = column};
  *out = v;
  return ORR_OK;
}

void data_parquet_values_close(data_parquet_values *v) {
  if (!v) return;
  data_parquet_pages_close(v->pages);
  orr_free(v);
}

// Goes to the row group that holds `row`, unless that is the one at hand or the next page of it.
static orr_code seek(data_parquet_values *v, int64_t row) {
  int64_t begin, group = group_of(v->file, row, &begin);
  if (v->pages && begin <= v->row) return ORR_OK;
  data_parquet_pages_close(v->pages);
  v->pages = NULL;
  v->page = (data_parquet_page){0};
  v->entry = v->value = 0;
  v->row = begin;
  return data_parquet_pages_open(v->file, v->column, group, &v->pages);
}

orr_code data_parquet_values_get(data_parquet_values *v, int64_t row, const uint8_t **bytes,
                                 size_t *size) {
  const data_parquet_column *c = &v->file->columns[v->column];
  ORR_CHECK(row >= v->row && row < v->file->rows, ORR_EINVAL,
            "%s: row %" PRId64 " of column %s, after row %" PRId64 " of %" PRId64, v->file->path,
            row, c->name, v->row, v->file->rows);
  ORR_TRY(seek(v, row));
  for (;; v->row++) {
    if (v->entry == v->page.entries) {
      ORR_TRY(data_parquet_pages_next(v->pages, &v->page));
      v->entry = v->value = 0;
      ORR_CHECK(v->page.entries, ORR_EFORMAT,
                "%s: damaged Parquet file: column %s ends with row %" PRId64, v->file->path,
                c->name, v->row);
    }
    bool there = !v->page.defined || v->page.defined[v->entry] == (uint32_t)c->defined;
    if (v->row == row) { // stays the next one, so that it can be asked for again
      *bytes = there ? v->page.blobs[v->value].p : NULL;
      *size = there ? v->page.blobs[v->value].bytes : 0;
      return ORR_OK;
    }
    v->entry++;
    v->value += there;
  }
}
