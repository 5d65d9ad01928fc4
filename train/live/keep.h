// What is kept of a session, and what one begins from again: its file, a film of it, its place in a
// data set (train/live/scribe.h).
#ifndef TRAIN_LIVE_KEEP_H
#define TRAIN_LIVE_KEEP_H

#include "train/live/control.h"

// Local. Sends the session's file. ORR_EINVAL where there is none yet.
orr_code train_live_keep_session(train_live_seat *s);
// Local. Lets a peer go in words, with its session, so that it can come back to it.
orr_code train_live_keep_part(train_live_seat *s, const char *code, const char *words);
// Local. Begins a film of the frames that were shown last: "mp4", also where `format` is NULL, or
// "gif". ORR_EINVAL while another one is made.
orr_code train_live_keep_film(const train_live_house *h, train_live_seat *s, const char *format);
// Local. Sends a film that was asked for, or says why there is none.
orr_code train_live_keep_film_made(train_live_seat *s, const train_live_film *f);
// Local. The seat's session is over: it is kept where sessions are, and nobody waits for its film.
void train_live_keep_end(const train_live_house *h, train_live_seat *s);

// Local. The simulator, if there is one, stands at the beginning of what a session's `start` names
// (train_record), or stands still where no scene made that.
orr_code train_live_keep_simulator(const train_live_house *h, train_live_seat *s,
                                   const json_t *start);
// Local. Begins with a session file, which `what` names: at its end, or at its beginning to be
// seen.
orr_code train_live_keep_resume(const train_live_house *h, train_live_seat *s, const char *what,
                                const uint8_t *file, size_t size, bool at_end, int64_t now_ns);
// Local. Says how a session that was played again came out, at its end.
orr_code train_live_keep_replayed(train_live_seat *s);

#endif
