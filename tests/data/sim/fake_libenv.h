// How the levels of tests/data/sim/fake_libenv.c behave; those below 200 are well-behaved games,
// which end after FAKE_STEPS actions with a reward of 10.
#ifndef TESTS_FAKE_LIBENV_H
#define TESTS_FAKE_LIBENV_H

enum {
  FAKE_SIDE = 64,
  FAKE_CRASHES = 200,
  FAKE_CRASHES_AT_ONCE,
  FAKE_HANGS,
  FAKE_LEAVES,      // says something and calls exit
  FAKE_REWARDS_NAN, // for an action
  FAKE_SCRIBBLES,   // writes to every descriptor that it finds
  FAKE_OTHER_SIDE,  // its frames are not square
  FAKE_NOTHING,     // makes no environment
  FAKE_MISBEHAVES,  // its reward has a bit for everything forbidden that it could do
};
#define FAKE_STEPS(level) (5 + (level) % 7)

#endif
