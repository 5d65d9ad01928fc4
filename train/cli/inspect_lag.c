#include "train/cli/inspect_lag.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

// How many rows actions were shifted by when they were imported.
static int64_t imported_shift(const data_index *x) {
  return json_integer_value(json_object_get(json_object_get(x->json, "import"), "action_shift"));
}

// Which row explains the change from a frame to the next, and what to do if it is another.
void train_inspect_print_lag(const data_index *x, const data_lag *l) {
  if (!l->known) {
    printf("  alignment not known: %s\n", l->why);
    return;
  }
  const char *sure = l->certainty >= 0.95  ? "certain"
                     : l->certainty >= 0.8 ? "likely"
                                           : "uncertain";
  printf("  alignment the change from frame t to t+1 goes with row t%s",
         l->shift ? "" : ", as it should");
  if (l->shift) printf("%+d", l->shift);
  printf(" (%s: %.0f %% of 400 draws; %.0f %% of the actions explained", sure, 100 * l->certainty,
         100 * l->explained);
  if (l->shift) printf(", %.0f %% by row t", 100 * fmax(l->unshifted, 0));
  printf("; %" PRId64 " pairs of frames)\n", l->pairs);
  if (!l->shift || l->certainty < 0.8) return;
  printf("            %s\n            import with --action-shift %" PRId64 " puts them together\n",
         l->shift > 0 ? "the actions seem to stand with the frame that they led to, or later"
                      : "the actions seem to stand too early, or the camera or the robot is late",
         imported_shift(x) + l->shift);
}

json_t *train_inspect_describe_lag(const data_lag *l) {
  if (!l->known) return json_pack("{s:b, s:s}", "known", 0, "why", l->why);
  return json_pack("{s:b, s:i, s:f, s:f, s:f, s:I}", "known", 1, "shift", l->shift, "certainty",
                   l->certainty, "explained", l->explained, "explained_unshifted", l->unshifted,
                   "pairs", (json_int_t)l->pairs);
}
