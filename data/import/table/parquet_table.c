// A Parquet file as a table: columns of numbers, or of lists of them.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/import/parquet/parquet.h"
#include "data/import/table/builder.h"

static void join_names(const data_parquet *p, char *out, size_t size) {
  size_t at = 0;
  out[0] = 0;
  for (int i = 0; i < data_parquet_columns(p) && at < size; i++)
    at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "", data_parquet_name(p, i));
}

static orr_code choose(data_table_builder *b, const data_parquet *p) {
  const data_words wanted = b->wish->columns;
  char all[600];
  join_names(p, all, sizeof all);
  for (int64_t i = 0; i < wanted.n; i++) {
    ORR_CHECK(data_parquet_find(p, wanted.v[i]) >= 0, ORR_ENOTFOUND,
              "%s: no column %s; there are: %s", b->path, wanted.v[i], all);
    ORR_TRY(data_table_take(b, wanted.v[i], strlen(wanted.v[i])));
  }
  for (int i = 0; !wanted.n && i < data_parquet_columns(p); i++) {
    const char *name = data_parquet_name(p, i);
    if (data_table_usual(name, strlen(name)) && data_parquet_is_numbers(p, i))
      ORR_TRY(data_table_take(b, name, strlen(name)));
  }
  ORR_CHECK(b->n, ORR_ENOTFOUND,
            "%s: no column is called action; name the columns with --actions; there are: %s",
            b->path, all);
  const char *best = b->wish->time;
  int rank = 0;
  for (int i = 0; !b->wish->time && i < data_parquet_columns(p); i++) {
    int own = data_table_time_rank(data_parquet_name(p, i));
    if (own <= rank || !data_parquet_is_numbers(p, i)) continue;
    rank = own;
    best = data_parquet_name(p, i);
  }
  ORR_CHECK(!best || data_parquet_find(p, best) >= 0, ORR_ENOTFOUND,
            "%s: no column %s; there are: %s", b->path, best ? best : "", all);
  return best ? data_table_take_time(b, best) : ORR_OK;
}

// All columns first, each by itself; then row by row, as the builder takes them.
static orr_code read_columns(data_table_builder *b, data_parquet *p, data_parquet_numbers *columns,
                             data_parquet_numbers *times) {
  const data_table_wish *wish = b->wish;
  const int64_t rows = wish->rows ? wish->rows : data_parquet_rows(p);
  for (int64_t i = 0; i < b->n; i++)
    ORR_TRY(
        data_parquet_read(p, data_parquet_find(p, b->names[i]), wish->first, rows, &columns[i]));
  if (b->time_name) {
    ORR_TRY(data_parquet_read(p, data_parquet_find(p, b->time_name), wish->first, rows, times));
    ORR_CHECK(times->width == 1, ORR_EFORMAT,
              "%s: %s is no column of times: %" PRId64 " numbers a row", b->path, b->time_name,
              times->width);
  }
  for (int64_t t = 0; t < rows; t++, b->rows++) {
    b->line = wish->first + t;
    for (int64_t i = 0; i < b->n; i++) {
      const data_parquet_numbers *c = &columns[i];
      for (int64_t k = 0; k < c->width; k++) ORR_TRY(data_table_put(b, c->v[t * c->width + k]));
      ORR_TRY(data_table_end_cell(b, i, c->width, c->list && c->width > 1));
    }
    if (b->time_name) ORR_TRY(data_table_put_time(b, times->v[t]));
  }
  return ORR_OK;
}

static orr_code read_file(data_table_builder *b, data_parquet *p) {
  ORR_CHECK(data_parquet_rows(p) >= 1, ORR_EFORMAT, "%s: no row of actions", b->path);
  ORR_TRY(choose(b, p));
  data_parquet_numbers times = {0}, *columns = orr_calloc((size_t)b->n, sizeof *columns);
  ORR_CHECK(columns, ORR_ENOMEM, "%s: out of memory for its columns", b->path);
  orr_code rc = read_columns(b, p, columns, &times);
  for (int64_t i = 0; i < b->n; i++) orr_free(columns[i].v);
  orr_free(columns);
  orr_free(times.v);
  return rc;
}

orr_code data_table_read_parquet(const char *path, const data_table_wish *wish, data_table *out) {
  data_table_builder b = {.path = path, .wish = wish};
  data_parquet *p = NULL;
  ORR_TRY(data_parquet_open(path, &p));
  orr_code rc = read_file(&b, p);
  if (rc == ORR_OK) rc = data_table_finish(&b, out);
  data_table_builder_release(&b);
  data_parquet_close(p);
  return rc;
}
