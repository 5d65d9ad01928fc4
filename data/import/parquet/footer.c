#include "data/import/parquet/footer.h"

#include <inttypes.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "data/import/parquet/thrift.h"

#define COLUMNS_MAX 65536
#define DEPTH_MAX   32 // of columns inside columns
#define TAIL        8  // the footer's length and the mark

enum { REQUIRED, OPTIONAL, REPEATED };
enum {
  CONVERTED_LIST = 3,
  CONVERTED_DECIMAL = 5,
  CONVERTED_MILLIS = 9,
  CONVERTED_MICROS = 10,
  CONVERTED_UNSIGNED_FIRST = 11,
  CONVERTED_UNSIGNED_LAST = 14
};
enum { LOGICAL_LIST = 3, LOGICAL_DECIMAL = 5, LOGICAL_TIMESTAMP = 8 };

// One line of the schema, which lists a tree depth first.
typedef struct {
  int type, repetition, converted, logical;
  double unit; // of time stamps, in seconds
  int64_t children;
  const uint8_t *name;
  size_t letters;
} element;

static orr_code fail_damaged(const data_parquet *p, const char *what) {
  return ORR_FAIL(ORR_EFORMAT, "%s: damaged Parquet file: %s; copy or write it again", p->path,
                  what);
}

// -- the schema -----------------------------------------------------------------------------

// TIMESTAMP's second field is the unit: 1 milliseconds, 2 microseconds, 3 nanoseconds.
static double read_unit(data_thrift *t) {
  static const double units[] = {1, 1e-3, 1e-6, 1e-9};
  data_thrift_field f = {0}, g;
  int unit = 0;
  while (data_thrift_next(t, &f)) {
    if (f.id != 2 || f.type != DATA_THRIFT_STRUCT) {
      data_thrift_skip(t, f.type);
      continue;
    }
    for (g = (data_thrift_field){0}; data_thrift_next(t, &g); data_thrift_skip(t, g.type))
      if (g.id >= 1 && g.id <= 3) unit = g.id;
  }
  return units[unit];
}

static void read_logical(data_thrift *t, element *e) {
  data_thrift_field f = {0};
  while (data_thrift_next(t, &f)) {
    e->logical = f.id;
    if (f.id == LOGICAL_TIMESTAMP && f.type == DATA_THRIFT_STRUCT)
      e->unit = read_unit(t);
    else
      data_thrift_skip(t, f.type);
  }
}

static element read_element(data_thrift *t) {
  element e = {.type = -1, .converted = -1, .unit = 1};
  data_thrift_field f = {0};
  while (data_thrift_next(t, &f)) {
    switch (f.id) {
    case 1:
      e.type = (int)data_thrift_int(t);
      break;
    case 3:
      e.repetition = (int)data_thrift_int(t);
      break;
    case 4:
      e.name = data_thrift_bytes(t, &e.letters);
      break;
    case 5:
      e.children = data_thrift_int(t);
      break;
    case 6:
      e.converted = (int)data_thrift_int(t);
      break;
    case 10:
      read_logical(t, &e);
      break;
    default:
      data_thrift_skip(t, f.type);
    }
  }
  if (e.converted == CONVERTED_MILLIS) e.unit = 1e-3;
  if (e.converted == CONVERTED_MICROS) e.unit = 1e-6;
  return e;
}

// What a branch of the tree has in common.
typedef struct {
  const char *name; // of the column so far, "" at the root
  int defined, repeated, list_exists;
  int unnamed; // levels below that only make a list and are not named: "list", "element"
} branch;

static orr_code add_column(data_parquet *p, const element *e, const branch *b) {
  data_parquet_column *c = &p->columns[p->column_count++];
  *c = (data_parquet_column){.name = orr_strdup(b->name),
                             .type = e->type,
                             .without_sign = e->converted >= CONVERTED_UNSIGNED_FIRST &&
                                             e->converted <= CONVERTED_UNSIGNED_LAST,
                             .decimal =
                                 e->converted == CONVERTED_DECIMAL || e->logical == LOGICAL_DECIMAL,
                             .unit = e->unit,
                             .defined = b->defined,
                             .repeated = b->repeated,
                             .list_exists = b->list_exists};
  ORR_CHECK(c->name, ORR_ENOMEM, "%s: out of memory for its columns", p->path);
  return ORR_OK;
}

// Reads one element and all below it. *left: elements that the schema still lists.
static orr_code read_branch(data_parquet *p, data_thrift *t, int64_t *left, branch above,
                            int depth) {
  if (*left <= 0 || depth == DEPTH_MAX) return fail_damaged(p, "its columns do not add up");
  --*left;
  const element e = read_element(t);
  if (t->bad || e.children < 0 || e.children > *left ||
      memchr(e.letters ? e.name : (const uint8_t *)"", 0, e.letters))
    return fail_damaged(p, "its columns cannot be read");
  branch b = above;
  char *name = NULL;
  if (depth && e.repetition != REQUIRED) b.defined++;
  if (depth && e.repetition == REPEATED) b.repeated++, b.list_exists = b.defined;
  if (depth && above.unnamed > 0) {
    b.unnamed--;
  } else if (depth) {
    name = orr_format("%s%s%.*s", above.name, above.name[0] ? "." : "", (int)e.letters,
                      (const char *)e.name);
    ORR_CHECK(name, ORR_ENOMEM, "%s: out of memory for its columns", p->path);
    b.name = name;
  }
  if (e.children && (e.converted == CONVERTED_LIST || e.logical == LOGICAL_LIST)) b.unnamed = 2;
  orr_code rc = e.children ? ORR_OK : add_column(p, &e, &b);
  for (int64_t i = 0; i < e.children && rc == ORR_OK; i++)
    rc = read_branch(p, t, left, b, depth + 1);
  orr_free(name);
  return rc;
}

static orr_code read_schema(data_parquet *p, data_thrift *t) {
  int type;
  int64_t n = data_thrift_list(t, &type);
  if (t->bad || n < 1 || n > COLUMNS_MAX || type != DATA_THRIFT_STRUCT || p->columns)
    return fail_damaged(p, "its columns cannot be read");
  p->columns = orr_calloc((size_t)n, sizeof *p->columns);
  ORR_CHECK(p->columns, ORR_ENOMEM, "%s: out of memory for its columns", p->path);
  ORR_TRY(read_branch(p, t, &n, (branch){.name = ""}, 0));
  return n ? fail_damaged(p, "its columns do not add up") : ORR_OK;
}

// -- row groups -----------------------------------------------------------------------------

static void read_chunk_facts(data_thrift *t, data_parquet_chunk *c) {
  data_thrift_field f = {0};
  int64_t data = 0, dictionary = 0;
  while (data_thrift_next(t, &f)) {
    switch (f.id) {
    case 4:
      c->codec = (int)data_thrift_int(t);
      break;
    case 5:
      c->values = data_thrift_int(t);
      break;
    case 7:
      c->bytes = data_thrift_int(t);
      break;
    case 9:
      data = data_thrift_int(t);
      break;
    case 11:
      dictionary = data_thrift_int(t);
      break;
    default:
      data_thrift_skip(t, f.type);
    }
  }
  c->first = dictionary > 0 && dictionary < data ? dictionary : data;
}

static orr_code read_chunk(data_parquet *p, data_thrift *t, data_parquet_chunk *c) {
  data_thrift_field f = {0};
  while (data_thrift_next(t, &f)) {
    if (f.id == 3 && f.type == DATA_THRIFT_STRUCT)
      read_chunk_facts(t, c);
    else
      data_thrift_skip(t, f.type);
  }
  if (t->bad || c->first < 0 || c->bytes < 0 || c->values < 0 || (uint64_t)c->first > p->bytes ||
      (uint64_t)c->bytes > p->bytes - (uint64_t)c->first)
    return fail_damaged(p, "pages lie outside the file");
  return ORR_OK;
}

static orr_code read_group(data_parquet *p, data_thrift *t, data_parquet_group *g) {
  data_thrift_field f = {0};
  while (data_thrift_next(t, &f)) {
    int type;
    if (f.id == 3) {
      g->rows = data_thrift_int(t);
    } else if (f.id == 1 && f.type == DATA_THRIFT_LIST && !g->chunks) {
      int64_t n = data_thrift_list(t, &type);
      if (t->bad || n != p->column_count || type != DATA_THRIFT_STRUCT)
        return fail_damaged(p, "a row group has another number of columns");
      g->chunks = orr_calloc((size_t)n + 1, sizeof *g->chunks);
      ORR_CHECK(g->chunks, ORR_ENOMEM, "%s: out of memory for its row groups", p->path);
      for (int64_t i = 0; i < n; i++) ORR_TRY(read_chunk(p, t, &g->chunks[i]));
    } else {
      data_thrift_skip(t, f.type);
    }
  }
  if (t->bad || !g->chunks || g->rows < 0 || g->rows > p->rows)
    return fail_damaged(p, "a row group cannot be read");
  return ORR_OK;
}

static orr_code read_groups(data_parquet *p, data_thrift *t) {
  int type;
  int64_t n = data_thrift_list(t, &type), rows = 0;
  if (t->bad || p->groups || !p->columns || (n && type != DATA_THRIFT_STRUCT))
    return fail_damaged(p, "its row groups cannot be read");
  p->groups = orr_calloc((size_t)n + 1, sizeof *p->groups);
  ORR_CHECK(p->groups, ORR_ENOMEM, "%s: out of memory for its row groups", p->path);
  for (; p->group_count < n; rows += p->groups[p->group_count - 1].rows)
    ORR_TRY(read_group(p, t, &p->groups[p->group_count++]));
  return rows == p->rows ? ORR_OK : fail_damaged(p, "the rows of its groups do not add up");
}

// -- all of it ------------------------------------------------------------------------------

// Fields come in rising order of their numbers: columns, number of rows, row groups.
static orr_code read_facts(data_parquet *p, data_thrift *t) {
  data_thrift_field f = {0};
  while (data_thrift_next(t, &f)) {
    switch (f.id) {
    case 2:
      ORR_TRY(read_schema(p, t));
      break;
    case 3:
      p->rows = data_thrift_int(t);
      if (p->rows < 0) return fail_damaged(p, "its number of rows is negative");
      break;
    case 4:
      ORR_TRY(read_groups(p, t));
      break;
    default:
      data_thrift_skip(t, f.type);
    }
  }
  if (t->bad || !p->columns || !p->groups) return fail_damaged(p, "its footer ends too early");
  return ORR_OK;
}

orr_code data_parquet_footer_read(data_parquet *p) {
  uint8_t tail[TAIL];
  ORR_CHECK(p->bytes > TAIL + 4, ORR_EFORMAT, "%s: no Parquet file: %" PRIu64 " bytes", p->path,
            p->bytes);
  ORR_TRY(orr_fs_pread_all(p->fd, p->path, tail, TAIL, p->bytes - TAIL));
  ORR_CHECK(memcmp(tail + 4, "PARE", 4) != 0, ORR_EUNSUPPORTED,
            "%s: an encrypted Parquet file; write it without encryption", p->path);
  ORR_CHECK(memcmp(tail + 4, "PAR1", 4) == 0, ORR_EFORMAT,
            "%s: no Parquet file, or one that was not written to its end; copy or write it again",
            p->path);
  size_t length = tail[0] | (size_t)tail[1] << 8 | (size_t)tail[2] << 16 | (size_t)tail[3] << 24;
  if (length < 1 || length > p->bytes - TAIL) return fail_damaged(p, "its footer is too long");
  uint8_t *footer = orr_malloc(length);
  ORR_CHECK(footer, ORR_ENOMEM, "%s: out of memory for its footer of %zu bytes", p->path, length);
  orr_code rc = orr_fs_pread_all(p->fd, p->path, footer, length, p->bytes - TAIL - length);
  if (rc == ORR_OK) rc = read_facts(p, &(data_thrift){.at = footer, .end = footer + length});
  orr_free(footer);
  return rc;
}

void data_parquet_footer_release(data_parquet *p) {
  for (int i = 0; i < p->column_count; i++) orr_free(p->columns[i].name);
  for (int64_t i = 0; i < p->group_count; i++) orr_free(p->groups[i].chunks);
  orr_free(p->columns);
  orr_free(p->groups);
}
