#include "data/import/vpt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "data/import/table/json_lines.h"
#include "data/import/table/builder.h"

#define MOVEMENTS 2

// X(name, mouse button)
#define BUTTON_ROWS(X)                                                                             \
  X(attack, 0)                                                                                     \
  X(use, 1)                                                                                        \
  X(pick, 2)

// X(name, key.keyboard.KEY)
#define KEY_ROWS(X)                                                                                \
  X(forward, "w")                                                                                  \
  X(back, "s")                                                                                     \
  X(left, "a")                                                                                     \
  X(right, "d")                                                                                    \
  X(jump, "space")                                                                                 \
  X(sneak, "left.shift")                                                                           \
  X(sprint, "left.control")                                                                        \
  X(inventory, "e")                                                                                \
  X(drop, "q")                                                                                     \
  X(swap, "f")                                                                                     \
  X(escape, "escape")                                                                              \
  X(hotbar_1, "1")                                                                                 \
  X(hotbar_2, "2")                                                                                 \
  X(hotbar_3, "3")                                                                                 \
  X(hotbar_4, "4")                                                                                 \
  X(hotbar_5, "5")                                                                                 \
  X(hotbar_6, "6")                                                                                 \
  X(hotbar_7, "7")                                                                                 \
  X(hotbar_8, "8")                                                                                 \
  X(hotbar_9, "9")

static const char *const column_names[] = {"camera_x", "camera_y",
#define ROW_NAME(name, code) #name,
                                           BUTTON_ROWS(ROW_NAME) KEY_ROWS(ROW_NAME)
#undef ROW_NAME
};
enum { COLUMNS = sizeof column_names / sizeof *column_names };

data_merge data_vpt_merge(int64_t i, int64_t A) {
  return i < MOVEMENTS ? DATA_MERGE_SUM : DATA_MERGE_MAX;
}

bool data_vpt_is(const char *text, size_t bytes) {
  const size_t mark = data_json_mark(text, bytes);
  text += mark;
  bytes -= mark;
  const char *newline = memchr(text, '\n', bytes);
  json_t *first =
      json_loadb(text, newline ? (size_t)(newline - text) : bytes, JSON_DISABLE_EOF_CHECK, NULL);
  bool is = json_is_object(json_object_get(first, "mouse")) &&
            json_is_object(json_object_get(first, "keyboard"));
  json_decref(first);
  return is;
}

static bool holds_number(const json_t *list, int wanted) {
  size_t i;
  json_t *v;
  json_array_foreach((json_t *)(uintptr_t)list, i, v) {
    if (json_is_number(v) && json_number_value(v) == wanted) return true;
  }
  return false;
}

static bool holds_key(const json_t *list, const char *wanted) {
  static const char prefix[] = "key.keyboard.";
  size_t i;
  json_t *v;
  json_array_foreach((json_t *)(uintptr_t)list, i, v) {
    const char *name = json_string_value(v);
    if (name && strncmp(name, prefix, sizeof prefix - 1) == 0 &&
        strcmp(name + sizeof prefix - 1, wanted) == 0)
      return true;
  }
  return false;
}

static orr_code put_row(data_table_builder *b, double dx, double dy, const json_t *buttons,
                        const json_t *keys) {
  static const int button_codes[] = {
#define ROW_CODE(name, code) code,
      BUTTON_ROWS(ROW_CODE)};
  static const char *const key_codes[] = {KEY_ROWS(ROW_CODE)
#undef ROW_CODE
  };
  ORR_TRY(data_table_put(b, dx));
  ORR_TRY(data_table_put(b, dy));
  for (size_t i = 0; i < sizeof button_codes / sizeof *button_codes; i++)
    ORR_TRY(data_table_put(b, holds_number(buttons, button_codes[i])));
  for (size_t i = 0; i < sizeof key_codes / sizeof *key_codes; i++)
    ORR_TRY(data_table_put(b, holds_key(keys, key_codes[i])));
  for (int64_t i = 0; i < COLUMNS; i++) ORR_TRY(data_table_end_cell(b, i, 1, false));
  b->rows++;
  return ORR_OK;
}

static orr_code read_line(void *ctx, int64_t line, const json_t *object) {
  data_table_builder *b = ctx;
  char what[4200];
  json_t *mouse, *keyboard, *buttons, *keys;
  double dx, dy;
  b->line = line;
  snprintf(what, sizeof what, "%s: line %" PRId64, b->path, line);
  ORR_TRY(orr_json_get_object(object, what, "mouse", &mouse));
  ORR_TRY(orr_json_get_object(object, what, "keyboard", &keyboard));
  ORR_TRY(orr_json_get_f64(mouse, what, "dx", &dx));
  ORR_TRY(orr_json_get_f64(mouse, what, "dy", &dy));
  ORR_TRY(orr_json_get_array(mouse, what, "buttons", &buttons));
  ORR_TRY(orr_json_get_array(keyboard, what, "keys", &keys));
  return put_row(b, dx, dy, buttons, keys);
}

orr_code data_vpt_read(const char *path, const char *text, size_t bytes, data_table *out) {
  data_table_builder b = {.path = path};
  orr_code rc = ORR_OK;
  for (int i = 0; i < COLUMNS; i++)
    ORR_TRY_GOTO(data_table_take(&b, column_names[i], strlen(column_names[i])), done);
  ORR_TRY_GOTO(data_json_lines(path, text, bytes, read_line, &b), done);
  rc = data_table_finish(&b, out);
done:
  data_table_builder_release(&b);
  return rc;
}
