#include "train/cli/physics_args.h"

#include <stdio.h>
#include <string.h>

// The number of the word of --name among n; `all` is also taken where it means something (-1).
static orr_code choose(const orr_args *a, const char *name, const char *usual,
                       const char *const *words, int n, bool all, int *out) {
  const char *got = orr_args_text(a, name, usual);
  char list[256] = "";
  *out = -1;
  if (all && strcmp(got, "all") == 0) return ORR_OK;
  for (int i = 0; i < n; i++) {
    if (strcmp(got, words[i]) == 0) {
      *out = i;
      return ORR_OK;
    }
    const size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", words[i]);
  }
  return ORR_FAIL(ORR_ECONFIG, "--%s is '%s': wanted one of %s%s", name, got, all ? "all, " : "",
                  list);
}

orr_code train_physics_args(const orr_args *a, data_physics_choice *out) {
  int concept, range, change, link;
  ORR_TRY(choose(a, "concept", "all", data_physics_concept_names, DATA_PHYSICS_CONCEPTS, true,
                 &concept));
  ORR_TRY(
      choose(a, "range", "training", data_physics_range_names, DATA_PHYSICS_RANGES, false, &range));
  ORR_TRY(
      choose(a, "change", "none", data_physics_change_names, DATA_PHYSICS_CHANGES, true, &change));
  ORR_TRY(
      choose(a, "confounded", "none", data_physics_link_names, DATA_PHYSICS_LINKS, false, &link));
  *out = (data_physics_choice){.concept = (data_physics_concept) concept,
                               .range = (data_physics_range)range,
                               .pairs = orr_args_flag(a, "pairs"),
                               .change = (data_physics_change)change,
                               .link = (data_physics_link)link};
  ORR_CHECK(!out->pairs || change == 0, ORR_ECONFIG,
            "--pairs and --change make different sets: give one of them");
  return ORR_OK;
}

orr_code train_physics_args_none(const orr_args *a, const char *scene) {
  static const char *const names[] = {"concept", "range", "change", "confounded"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    ORR_CHECK(!orr_args_text(a, names[i], NULL), ORR_ECONFIG,
              "--%s belongs to --scene physics, got --scene %s", names[i], scene);
  ORR_CHECK(!orr_args_flag(a, "pairs"), ORR_ECONFIG,
            "--pairs belongs to --scene physics, got --scene %s", scene);
  return ORR_OK;
}
