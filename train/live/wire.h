// The messages of a session, byte by byte (docs/play.md): what a page or a program sends, and the
// frames it gets. All numbers are little-endian. Words travel as JSON (train/live/control.h).
//
//   input (client)                          picture (client)
//    0 u8  1                                 0 u8  2
//    1 u8  0                                 1 u8[3] 0
//    2 u16 number of components              4 u16 width, 6 u16 height
//    4 u32 number of the input               8 u8  [height,width,3]
//    8 f64 clock of the client in ms
//   16 f32 [components]                     session file (client)
//                                            0 u8  3
//                                            1 u8  1: at its end, 0: to be seen from its beginning
//                                            2 u8[6] 0, then the file
//   sound (client)
//    0 u8  4                                 8 u32 samples of the whole file; 0: a stream
//    1 u8[3] 0                              12 u32 of a file: the first sample here; 0 begins anew
//    4 u32 samples a second                 16 f32 [n] in [-1,1]
//
//   frame (server)
//    0 u8  16                                24 u32 number of the input that led to it
//    1 u8  world: 0, or 1 beside it          28 u32 frames this client has missed so far
//    2 u8  flags                             32 f32 ms to decode it
//    3 u8  0                                 36 f32 surprise: nats a token, NaN = not known
//    4 u16 width, 6 u16 height               40 f32 ms from the input's arrival to the frame
//    8 u64 number of the frame               44 f32 frames a second of late
//   16 f64 clock of that input               48 u8[16] XXH3-128 of the pixels, canonical form
//                                            64 u8 [height,width,3]; where they are shared
//                                               (train/live/program.h): u64 where they lie
//                                            then, for programs and where the model has such heads:
//                                               f32 reward, f32 done, f32 progress, NaN = no head
#ifndef TRAIN_LIVE_WIRE_H
#define TRAIN_LIVE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"

#define TRAIN_LIVE_PROTOCOL 1 // the number in the address: /play/1

enum {
  TRAIN_WIRE_INPUT = 1,
  TRAIN_WIRE_PICTURE = 2,
  TRAIN_WIRE_RESUME = 3,
  TRAIN_WIRE_SOUND = 4,
  TRAIN_WIRE_FRAME = 16,
  TRAIN_WIRE_SESSION = 17, // u8 17, u8 1 where a peer is let go, u8[6] 0, then a session file
  TRAIN_WIRE_FILM = 18,    // u8 18, u8 0 (MP4) or 1 (GIF), u8[6] 0, then a film
  TRAIN_WIRE_INPUT_HEADER = 16,
  TRAIN_WIRE_PICTURE_HEADER = 8,
  TRAIN_WIRE_SOUND_HEADER = 16,
  TRAIN_WIRE_FILE_HEADER = 8, // before a session's or a film's file
  TRAIN_WIRE_FRAME_HEADER = 64,
  TRAIN_WIRE_FRAME_OUTCOME = 12,
};

// Flags of a frame.
enum { TRAIN_WIRE_GIVEN = 1, TRAIN_WIRE_AHEAD = 2, TRAIN_WIRE_OUTCOME = 4, TRAIN_WIRE_SHARED = 8 };

typedef struct {
  uint32_t number;
  double clock_ms;
} train_wire_stamp;

typedef struct {
  train_wire_stamp stamp;
  int64_t components;
  const uint8_t *values; // [components] f32, in the message, not aligned
} train_wire_input;

typedef struct {
  int64_t width, height;
  const uint8_t *rgb; // [height,width,3], in the message
} train_wire_picture;

typedef struct {
  uint32_t rate;
  bool stream;
  int64_t whole, at;      // of a file: its samples, the first one here
  int64_t n;              // here
  const uint8_t *samples; // [n] f32, in the message, not aligned
} train_wire_sound;

// What heads on registers say of a frame (train/engine/engine.h).
typedef struct {
  float reward, done, progress;
} train_wire_outcome;

typedef struct {
  int world;
  unsigned flags;
  int64_t width, height, frame;
  train_wire_stamp stamp;
  uint32_t missed;
  float decode_ms, surprise, answer_ms, rate;
  train_wire_outcome outcome;
  orr_hash128 hash;
} train_wire_frame;

// Local. ORR_EFORMAT for bytes that are no such message, or values that are not finite.
orr_code train_wire_read_input(const uint8_t *bytes, size_t size, train_wire_input *out);
orr_code train_wire_read_picture(const uint8_t *bytes, size_t size, train_wire_picture *out);
orr_code train_wire_read_sound(const uint8_t *bytes, size_t size, train_wire_sound *out);
// Local. Component i of an input.
float train_wire_value(const train_wire_input *in, int64_t i);
// Local. Sample i of a sound.
float train_wire_sample(const train_wire_sound *s, int64_t i);
// Local. The header of a frame, TRAIN_WIRE_FRAME_HEADER bytes.
void train_wire_write_frame(const train_wire_frame *f, uint8_t *out);
// Local. What comes last of a frame with TRAIN_WIRE_OUTCOME, TRAIN_WIRE_FRAME_OUTCOME bytes.
void train_wire_write_outcome(const train_wire_frame *f, uint8_t *out);
// Local. The opposite, for programs and tests. ORR_EFORMAT.
orr_code train_wire_read_frame(const uint8_t *bytes, size_t size, train_wire_frame *out);

#endif
