// Command lines.
#include "base/args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/home.h"
#include "base/nearest.h"

static const orr_option *find(const orr_command *c, const char *name, size_t letters) {
  for (const orr_option *o = c->options; o && o->name; o++) {
    if (letters && strlen(o->name) == letters && strncmp(o->name, name, letters) == 0) return o;
  }
  return NULL;
}

static orr_code fail_unknown(const orr_command *c, const char *word, size_t letters) {
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)letters, word);
  orr_nearest near = orr_nearest_start(name);
  for (const orr_option *o = c->options; o && o->name; o++)
    if (o->name[0]) orr_nearest_offer(&near, o->name);
  return ORR_FAIL(ORR_ECONFIG, "orrery %s: unknown option --%s%s%s; see `orrery %s --help`",
                  c->name, name, near.best ? ", did you mean --" : "", near.best ? near.best : "",
                  c->name);
}

// What a value is when its name in the help says that it is a path.
static bool is_path(const char *name) {
  static const char *const paths[] = {"DIR", "FILE", "CHECKPOINT", "PATH", "RUN"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    if (strstr(name, paths[i]) && !strchr(name, '=')) return true;
  return false;
}

// *text (=) the path written out, where it has to be.
static orr_code write_out(orr_args *a, const char *what, const char **text) {
  char *to = a->room + a->written;
  if (!strpbrk(*text, "~$")) return ORR_OK;
  if (orr_home_expand(*text, to, sizeof a->room - a->written) != ORR_OK) {
    char words[ORR_STATUS_MESSAGE_MAX];
    orr_status_copy(words, sizeof words);
    return ORR_FAIL(ORR_ECONFIG, "orrery %s: %s: %s", a->command->name, what, words);
  }
  *text = to;
  a->written += strlen(to) + 1;
  return ORR_OK;
}

static orr_code add_operand(orr_args *a, const char *text) {
  const orr_command *c = a->command;
  ORR_CHECK(a->operands < c->most && a->operands < ORR_ARGS_MAX, ORR_ECONFIG,
            "orrery %s: unexpected '%s'; it takes %s%s; see `orrery %s --help`", c->name, text,
            c->most == 0 ? "options only" : "only ", c->most == 0 ? "" : c->operands, c->name);
  ORR_TRY(write_out(a, c->operands, &text));
  a->operand[a->operands++] = text;
  return ORR_OK;
}

// Reads the option at argv[*i]; moves *i onto its value when that is an argument of its own.
static orr_code add_option(orr_args *a, int argc, char **argv, int *i) {
  const orr_command *c = a->command;
  const char *word = argv[*i] + 2, *equals = strchr(word, '=');
  size_t letters = equals ? (size_t)(equals - word) : strlen(word);
  const orr_option *o = find(c, word, letters);
  if (!o) return fail_unknown(c, word, letters);
  ORR_CHECK(o->use == ORR_OPTION_REPEATED || !orr_args_nth(a, o->name, 0), ORR_ECONFIG,
            "orrery %s: --%s is given twice; give it once", c->name, o->name);
  ORR_CHECK(a->given < ORR_ARGS_MAX, ORR_ECONFIG, "orrery %s: more than %d options", c->name,
            ORR_ARGS_MAX);
  const char *value = equals ? equals + 1 : "";
  if (!o->value) {
    ORR_CHECK(!equals, ORR_ECONFIG, "orrery %s: --%s takes no value, got '%s'", c->name, o->name,
              value);
  } else if (!equals) {
    ORR_CHECK(*i + 1 < argc, ORR_ECONFIG, "orrery %s: --%s needs a value: --%s %s", c->name,
              o->name, o->name, o->value);
    value = argv[++*i];
  }
  if (o->value && is_path(o->value)) ORR_TRY(write_out(a, o->name, &value));
  a->option[a->given] = o;
  a->value[a->given++] = value;
  return ORR_OK;
}

static void print_help(const orr_command *c) {
  printf("usage: orrery %s%s%s%s\n\n%s\n", c->name, *c->operands ? " " : "", c->operands,
         " [OPTION]...", c->sentence);
  printf("\n");
  for (const orr_option *o = c->options; o && o->name; o++) {
    char left[96];
    if (!o->name[0]) {
      printf("\n%s:\n", o->sentence);
      continue;
    }
    snprintf(left, sizeof left, "--%s%s%s%s", o->name, o->value ? " " : "",
             o->value ? o->value : "", o->use == ORR_OPTION_REPEATED ? " ..." : "");
    printf("  %-26s %s\n", left, o->sentence);
  }
  printf("  %-26s %s\n", "--verbose", "say where in the sources an error arose, too");
}

orr_code orr_args_parse(const orr_command *command, int argc, char **argv, orr_args *out) {
  *out = (orr_args){.command = command};
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    out->help |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
  }
  if (out->help) {
    print_help(command);
    return ORR_OK;
  }
  bool options = true;
  for (int i = 1; i < argc; i++) {
    if (options && strcmp(argv[i], "--") == 0) {
      options = false;
    } else if (options && strncmp(argv[i], "--", 2) == 0) {
      ORR_TRY(add_option(out, argc, argv, &i));
    } else {
      ORR_TRY(add_operand(out, argv[i]));
    }
  }
  ORR_CHECK(out->operands >= command->fewest, ORR_ECONFIG,
            "orrery %s: %s is wanted, got %s%s; see `orrery %s --help`", command->name,
            command->operands, out->operands ? "only " : "nothing",
            out->operands ? out->operand[0] : "", command->name);
  return ORR_OK;
}

const char *orr_args_nth(const orr_args *a, const char *name, int i) {
  for (int j = 0; j < a->given; j++) {
    if (strcmp(a->option[j]->name, name) == 0 && i-- == 0) return a->value[j];
  }
  return NULL;
}

bool orr_args_flag(const orr_args *a, const char *name) {
  return orr_args_nth(a, name, 0);
}

const char *orr_args_text(const orr_args *a, const char *name, const char *absent) {
  const char *value = orr_args_nth(a, name, 0);
  return value ? value : absent;
}

orr_code orr_args_require(const orr_args *a, const char *name, const char **out) {
  *out = orr_args_nth(a, name, 0);
  const orr_option *o = find(a->command, name, strlen(name));
  ORR_CHECK(*out, ORR_ECONFIG, "orrery %s: --%s %s is missing; see `orrery %s --help`",
            a->command->name, name, o && o->value ? o->value : "", a->command->name);
  return ORR_OK;
}

orr_code orr_args_i64(const orr_args *a, const char *name, int64_t lowest, int64_t highest,
                      int64_t *out) {
  const char *text = orr_args_nth(a, name, 0);
  if (!text) return ORR_OK;
  char *end = NULL;
  errno = 0;
  long long v = strtoll(text, &end, 10);
  ORR_CHECK(end != text && *end == 0 && errno == 0 && v >= lowest && v <= highest, ORR_ECONFIG,
            "orrery %s: --%s: got '%s', wanted a whole number from %" PRId64 " to %" PRId64,
            a->command->name, name, text, lowest, highest);
  *out = v;
  return ORR_OK;
}

orr_code orr_args_f64(const orr_args *a, const char *name, double lowest, double highest,
                      double *out) {
  const char *text = orr_args_nth(a, name, 0);
  if (!text) return ORR_OK;
  char *end = NULL;
  double v = strtod(text, &end);
  ORR_CHECK(end != text && *end == 0 && v >= lowest && v <= highest, ORR_ECONFIG,
            "orrery %s: --%s: got '%s', wanted a number from %g to %g", a->command->name, name,
            text, lowest, highest);
  *out = v;
  return ORR_OK;
}

orr_code orr_args_size(const orr_args *a, const char *name, int64_t lowest, int64_t highest,
                       int64_t *height, int64_t *width) {
  const char *text = orr_args_nth(a, name, 0);
  if (!text) return ORR_OK;
  char *end;
  int64_t h = strtoll(text, &end, 10), w = h;
  bool good = end != text;
  if (good && *end == 'x') {
    const char *second = end + 1;
    w = strtoll(second, &end, 10);
    good = end != second;
  }
  ORR_CHECK(good && *end == 0 && h >= lowest && h <= highest && w >= lowest && w <= highest,
            ORR_ECONFIG,
            "orrery %s: --%s: got '%s', wanted one number or HEIGHTxWIDTH, e.g. 64 or 48x64, with "
            "sides from %" PRId64 " to %" PRId64 " pixels",
            a->command->name, name, text, lowest, highest);
  *height = h;
  *width = w;
  return ORR_OK;
}
