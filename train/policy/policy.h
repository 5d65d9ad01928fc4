// A policy that somebody serves by openpi's wire (Physical Intelligence, openpi,
// `websocket_policy_server`): the server speaks first, a map of metadata; then each observation, a
// map of what the policy's keys are called, is answered by a map with `actions`, an array
// [horizon,components]. Maps are MessagePack (train/policy/msgpack.h). An error is a text message,
// after which the server hangs up.
#ifndef TRAIN_POLICY_POLICY_H
#define TRAIN_POLICY_POLICY_H

#include "train/policy/policy_link.h"

// What a key of the observation holds.
typedef enum {
  TRAIN_POLICY_FRAME,  // the last frame, u8 [height,width,3], fitted into size x size where that is
                       // more than 0 (the rest is black)
  TRAIN_POLICY_ACTION, // the action that led to it, f32 [A]
  TRAIN_POLICY_ZEROS,  // f32 [size]
  TRAIN_POLICY_TEXT,
} train_policy_what;

typedef struct {
  char key[128];
  train_policy_what what;
  int64_t size;
  const char *text;
} train_policy_part;

typedef struct {
  const uint8_t *frame; // [height,width,3]
  int64_t height, width;
  const float *action; // [A]
  int64_t A;
} train_policy_sight;

// Local. Reads KEY=frame, KEY=frame:224, KEY=action, KEY=zeros:8, KEY=text:WORDS; the text stays
// the caller's. ORR_ECONFIG.
orr_code train_policy_part_read(const char *text, train_policy_part *out);

typedef struct train_policy train_policy;

// Local. Connects and hears the greeting; `parts` are borrowed. As of train_policy_link_open, and
// ORR_EFORMAT for a greeting that is no map.
orr_code train_policy_open(const char *address, const char *key, double patience_s,
                           const train_policy_part *parts, int count, train_policy **out);
void train_policy_close(train_policy *p); // takes NULL
// Local. Shows what is seen and takes the answer: *chunk [*rows,A], the policy's own until the next
// call. ORR_EIO, ORR_EFORMAT where the answer is not what the world takes: a wrong number of
// components, none at all, no numbers.
orr_code train_policy_ask(train_policy *p, const train_policy_sight *sight, const float **chunk,
                          int64_t *rows);

#endif
