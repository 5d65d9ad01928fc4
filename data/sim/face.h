// The face scene: somebody who speaks. Speech by espeak-ng with the times of its sounds, a face
// drawn in plain C whose mouth follows them, and which blinks, looks about and turns its head.
// What is said is the action: the spectrum around a frame (data/sound/mel.h) is what led to it.
//
// The constants, the way of drawing and what is read from pictures need no speech.
#ifndef DATA_FACE_H
#define DATA_FACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/sound/mel.h"
#include "data/sound/speech.h"

enum { DATA_FACE_IDENTITIES = 8 };

// Of /state. X(row, name)
#define DATA_FACE_STATE_ROWS(X)                                                                    \
  X(OPEN, "mouth.open")   /* 0..1 */                                                               \
  X(WIDE, "mouth.wide")   /* -1 round .. 1 drawn wide */                                           \
  X(JAW, "jaw")           /* 0..1 */                                                               \
  X(BLINK, "blink")       /* 0 open .. 1 shut */                                                   \
  X(GAZE_X, "gaze.x")     /* -1..1, to the picture's right */                                      \
  X(GAZE_Y, "gaze.y")     /* -1..1, down */                                                        \
  X(TURN, "head.turn")    /* -1..1, to the picture's right */                                      \
  X(TILT, "head.tilt")    /* rad, clockwise */                                                     \
  X(SPEAKS, "speaks")     /* 0 or 1: this is no pause */                                           \
  X(IDENTITY, "identity") /* whose face */                                                         \
  X(VOICE, "voice")       /* whose voice */

#define DATA_FACE_CONSTANT(row, name) DATA_FACE_##row,
typedef enum { DATA_FACE_STATE_ROWS(DATA_FACE_CONSTANT) DATA_FACE_STATE } data_face_row;
#undef DATA_FACE_CONSTANT

extern const char *const data_face_state_names[DATA_FACE_STATE];
extern const char *const data_face_action_names[DATA_MEL_BANDS];

// Local. Draws the face of a state [DATA_FACE_STATE] into rgb [height,width,3]. Thread safe.
void data_face_draw(const float *state, int64_t height, int64_t width, uint8_t *rgb);
// Local. How far the mouth of a picture is open, real or predicted: the area of its inside, as a
// share of the square of the picture's shorter side. Thread safe.
double data_face_opening(const uint8_t *rgb, int64_t height, int64_t width);
// Local. How far the eyes of a picture are open, real or predicted: the area of their white, as a
// share of the square of the picture's shorter side; about 0.006 open, 0.002 half shut, 0 shut.
// Thread safe.
double data_face_eyes(const uint8_t *rgb, int64_t height, int64_t width);
enum { DATA_FACE_LIKENESS = 9 };
// Local. Whose face a picture shows, in numbers [DATA_FACE_LIKENESS] that do not depend on what it
// does: mean colours, 0..1, of hair, cheeks and background. Thread safe.
void data_face_likeness(const uint8_t *rgb, int64_t height, int64_t width, double *out);

// -- what is said ---------------------------------------------------------------------------

// How a sound of espeak-ng's is made: opening 0..1, width -1..1.
typedef struct {
  double open, wide;
} data_face_mouth;
// Local. Unknown sounds are consonants in the middle of the mouth.
data_face_mouth data_face_mouth_of(const char *sound);
// Local. Words of sentence number `sentence` of an episode, into `out`. A function of its numbers.
void data_face_words(uint64_t seed, uint64_t episode, uint64_t sentence, char *out, int64_t size);

#endif
