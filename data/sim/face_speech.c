// What the face says, and how its mouth makes the sounds.
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "data/sim/face.h"

static const char *const first[] = {
    "Please bring", "I would like",   "You can see",   "We never found",    "They always want",
    "She may open", "He should move", "Do not forget", "Tomorrow we paint", "My mother made"};
static const char *const middle[] = {"the small blue map", "a warm apple pie", "four old books",
                                     "my father's boat",   "the open window",  "five big balloons",
                                     "a paper moon",       "the yellow bus",   "some cheap cheese",
                                     "that famous movie"};
static const char *const last[] = {"before the morning.",   "for a few moments.",
                                   "over the bridge.",      "about the whole family.",
                                   "from the farm below.",  "up to the room above.",
                                   "with me and my sheep.", "by the pool.",
                                   "at the awful market.",  "to show you how."};
enum { CHOICES = 10 };

void data_face_words(uint64_t seed, uint64_t episode, uint64_t sentence, char *out, int64_t size) {
  uint64_t pick[3];
  for (uint64_t i = 0; i < 3; i++)
    pick[i] = orr_rng_below(seed, ORR_STREAM_SCENE, episode, (sentence << 8) + 64 + i, CHOICES);
  snprintf(out, (size_t)size, "%s %s %s", first[pick[0]], middle[pick[1]], last[pick[2]]);
}

// Longest names first where one begins another.
data_face_mouth data_face_mouth_of(const char *sound) {
  static const struct {
    const char *name;
    data_face_mouth mouth;
  } rows[] = {
      {"_", {0, 0}},       {"p", {0, 0}},       {"b", {0, 0}},      {"m", {0, 0}},
      {"f", {0.08, 0.2}},  {"v", {0.08, 0.2}},  {"aI", {0.8, 0.4}}, {"aU", {0.85, -0.1}},
      {"a", {0.85, 0.3}},  {"A:", {1, 0}},      {"A", {0.95, 0}},   {"0", {0.75, -0.5}},
      {"O:", {0.7, -0.7}}, {"OI", {0.6, -0.5}}, {"O", {0.7, -0.6}}, {"o", {0.55, -0.8}},
      {"u:", {0.3, -1}},   {"U", {0.35, -0.8}}, {"w", {0.2, -1}},   {"i:", {0.3, 1}},
      {"i", {0.3, 0.9}},   {"I", {0.35, 0.7}},  {"eI", {0.5, 0.7}}, {"e", {0.55, 0.6}},
      {"E", {0.6, 0.5}},   {"V", {0.65, 0.1}},  {"3", {0.5, -0.2}}, {"@U", {0.5, -0.6}},
      {"@", {0.4, 0}},     {"S", {0.2, -0.5}},  {"Z", {0.2, -0.5}}, {"tS", {0.2, -0.5}},
      {"dZ", {0.2, -0.5}}, {"r", {0.25, -0.4}}, {"l", {0.35, 0.1}}, {"T", {0.2, 0.1}},
      {"D", {0.2, 0.1}},   {"s", {0.12, 0.4}},  {"z", {0.12, 0.4}}, {"h", {0.4, 0}},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (strncmp(sound, rows[i].name, strlen(rows[i].name)) == 0) return rows[i].mouth;
  return (data_face_mouth){0.25, 0.1};
}
