#include "train/live/keep.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "train/live/record_file.h"

// A file after 8 bytes that say what it is.
static orr_code send_file(train_live_seat *s, int kind, int form, const uint8_t *file,
                          size_t size) {
  uint8_t *message = orr_calloc(1, size + TRAIN_WIRE_FILE_HEADER);
  ORR_CHECK(message, ORR_ENOMEM, "play: out of memory");
  message[0] = (uint8_t)kind;
  message[1] = (uint8_t)form;
  memcpy(message + TRAIN_WIRE_FILE_HEADER, file, size);
  const orr_code rc = s->voice.say(s->voice.ctx, false, message, size + TRAIN_WIRE_FILE_HEADER);
  orr_free(message);
  return rc;
}

orr_code train_live_keep_session(train_live_seat *s) {
  uint8_t *file;
  size_t size;
  ORR_CHECK(s->ready, ORR_EINVAL, "nothing has begun yet");
  ORR_CHECK(!train_live_seat_is_hidden(s), ORR_EINVAL,
            "the session is on its way to an earlier frame: save it when it is there");
  ORR_TRY(train_record_write(&s->session.record, &file, &size));
  const orr_code rc = send_file(s, TRAIN_WIRE_SESSION, 0, file, size);
  orr_free(file);
  return rc;
}

orr_code train_live_keep_part(train_live_seat *s, const char *code, const char *words) {
  uint8_t *file;
  size_t size;
  if (s->ready && !train_live_seat_is_hidden(s) && s->session.record.frames > 0) {
    ORR_TRY(train_record_write(&s->session.record, &file, &size));
    const orr_code rc = send_file(s, TRAIN_WIRE_SESSION, 1, file, size);
    orr_free(file);
    ORR_TRY(rc);
  }
  return train_live_control_error(s, code, words);
}

orr_code train_live_keep_film(const train_live_house *h, train_live_seat *s, const char *format) {
  ORR_CHECK(!format || strcmp(format, "mp4") == 0 || strcmp(format, "gif") == 0, ORR_EINVAL,
            "\"format\": wanted \"mp4\" or \"gif\"");
  ORR_CHECK(s->ready, ORR_EINVAL, "nothing has begun yet");
  ORR_CHECK(!train_live_projector_is_busy(h->projector), ORR_EINVAL,
            "another film is being made: ask again in a moment");
  train_live_film f = {.owner = s,
                       .height = s->reel.height,
                       .width = s->reel.width,
                       .fps = h->fps,
                       .format =
                           format && strcmp(format, "gif") == 0 ? DATA_FILM_GIF : DATA_FILM_MP4};
  ORR_TRY(train_live_reel_copy(&s->reel, &f.frames, &f.count));
  train_live_projector_begin(h->projector, &f);
  return train_live_control_say(s,
                                json_pack("{s:s, s:I, s:I}", "say", "filming", "frames",
                                          (json_int_t)f.count, "first", (json_int_t)s->reel.first));
}

orr_code train_live_keep_film_made(train_live_seat *s, const train_live_film *f) {
  if (f->rc != ORR_OK) return train_live_control_error(s, "film", f->words);
  return send_file(s, TRAIN_WIRE_FILM, f->format == DATA_FILM_GIF, f->film, f->bytes);
}

void train_live_keep_end(const train_live_house *h, train_live_seat *s) {
  if (h->scribe && s->ready && s->session.fresh &&
      train_live_scribe_keep(h->scribe, &s->session.record) != ORR_OK)
    ORR_WARN("play: a session is not kept: %s", orr_status_message());
  train_live_projector_forget(h->projector, s);
  train_live_reel_clear(&s->reel);
  train_live_sound_end(&s->sound);
  s->ready = s->watch = s->running = false;
  s->frames_asked = 0;
}

orr_code train_live_keep_simulator(const train_live_house *h, train_live_seat *s,
                                   const json_t *start) {
  const char *set = json_string_value(json_object_get(start, "set"));
  const json_int_t clip = json_integer_value(json_object_get(start, "clip"));
  const train_live_scenery *of = NULL;
  if (!s->simulator) return ORR_OK;
  // its steps are those of the data, the model's may be longer; it begins where an episode does
  const bool fits = s->session.world[0]->m.dynamics->c->data.stride == 1 && clip >= 0 &&
                    json_integer_value(json_object_get(start, "from")) == 0;
  for (int i = 0; i < h->sets && set && fits && !of; i++)
    if (strcmp(h->set[i].name, set) == 0) of = &h->set[i].scenery;
  return train_live_simulator_begin(s->simulator, of, (uint64_t)clip);
}

orr_code train_live_keep_resume(const train_live_house *h, train_live_seat *s, const char *what,
                                const uint8_t *file, size_t size, bool at_end, int64_t now_ns) {
  train_record r;
  ORR_TRY(train_record_read(what, file, size, &r));
  const orr_code fits = train_live_session_fits(&s->session, &r, h->anyway);
  if (fits == ORR_OK) train_live_keep_end(h, s);
  const double fps = r.fps;
  orr_code rc = fits == ORR_OK ? train_live_keep_simulator(h, s, r.start) : fits;
  if (rc == ORR_OK) rc = train_live_session_load(&s->session, &r, h->anyway);
  train_record_release(&r);
  ORR_TRY(rc);
  s->ready = true;
  s->watch = !at_end;
  s->fps = fps;
  s->last_ns = s->due_ns = now_ns;
  ORR_TRY(train_live_control_started(s));
  if (!train_live_seat_is_hidden(s)) train_live_seat_show(s, TRAIN_WIRE_GIVEN, now_ns);
  return ORR_OK;
}

orr_code train_live_keep_replayed(train_live_seat *s) {
  train_live_session *x = &s->session;
  const char *words = !x->checks        ? "Played again by another model: the frames are its own."
                      : x->differs >= 0 ? "These frames are not those of the recorded session."
                                        : "Every frame is the one that was recorded, to the bit.";
  json_t *j =
      json_pack("{s:s, s:I, s:b, s:b, s:I, s:s}", "say", "replayed", "frames",
                (json_int_t)x->record.frames, "checked", x->checks, "equal",
                x->checks && x->differs < 0, "differs", (json_int_t)x->differs, "words", words);
  if (s->watch) s->running = false; // it stands at the end; who only wanted to be there goes on
  x->replays = s->watch = false;
  ORR_TRY(train_live_control_say(s, j));
  return train_live_control_state(s);
}
