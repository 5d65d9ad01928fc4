// `orrery data generate`: a data set of simulated clips. Local. Call it before the process uses
// OpenGL, HDF5 or threads: it forks. ORR_EUNSUPPORTED in a build without the simulator.
#include "train/cli/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/cores.h"
#include "base/log.h"
#include "data/sim/generate.h"
#include "train/cli/physics_args.h"
#include "train/cli/progress.h"

#define FRAMES_DEFAULT 10000
#define PHYSICS_FRAMES 16

static const orr_option options[] = {
    {"scene", "NAME", "what is simulated; the scenes are listed below (tabletop)", ORR_OPTION_ONCE},
    {"out", "DIR", "folder for the data set; made when missing", ORR_OPTION_ONCE},
    {"frames-total", "N", "frames in all, rounded up to whole episodes (10000)", ORR_OPTION_ONCE},
    {"episodes", "N", "episodes in all, instead of --frames-total", ORR_OPTION_ONCE},
    {"episode-frames", "N", "frames of an episode (64)", ORR_OPTION_ONCE},
    {"size", "N|HxW", "height and width of a frame in pixels (64; arm: 64x128)", ORR_OPTION_ONCE},
    {"task", "NAME", "what whoever acts is about: one of the scene's tasks, below",
     ORR_OPTION_ONCE},
    {"skill", "WORDS",
     "how well: expert, or noise=X,delay=FRAMES,bias=X,lazy=SHARE (people of all skills)",
     ORR_OPTION_ONCE},
    {"seed", "S", "key of all random numbers: same seed, same bytes (1)", ORR_OPTION_ONCE},
    {"processes", "P", "processes that simulate and draw (the machine's cores)", ORR_OPTION_ONCE},
    {"shard-frames", "N", "about so many frames a file (1024)", ORR_OPTION_ONCE},
    {"fps", "F", "frames and actions a second (the scene's: 10, coinrun 15)", ORR_OPTION_ONCE},
    {"forks", "C", "episodes in pairs: two futures of one start of C frames", ORR_OPTION_ONCE},
    {"branch", "NAME", "branch of the data set (the scene's)", ORR_OPTION_ONCE},
    {"", NULL, "the physics scene (docs/exam.md)", ORR_OPTION_ONCE},
    TRAIN_PHYSICS_OPTIONS,
    {"voices", "A:B",
     "of who speaks in the scene face, B not among them (0:10; 10:12 are two more)",
     ORR_OPTION_ONCE},
    {"", NULL, "scenes of a library of your own (docs/coinrun.md)", ORR_OPTION_ONCE},
    {"library", "FILE", "the library, such as procgen2's libenv.so", ORR_OPTION_ONCE},
    {"library-sha256", "HEX", "accept that one instead of the known one", ORR_OPTION_ONCE},
    {"assets", "DIR", "its pictures (where the wheel has them)", ORR_OPTION_ONCE},
    {"mode", "easy|hard", "its kind of levels (hard)", ORR_OPTION_ONCE},
    {"levels", "A:B", "levels to draw from, B not among them (0:10000)", ORR_OPTION_ONCE},
    {0},
};
static const orr_command command = {
    "data generate", "", 0, 0, "Simulates clips and writes them as a data set.", options,
};

static orr_code parse_amount(const orr_args *args, data_sim_options *o) {
  int64_t total = 0;
  ORR_TRY(orr_args_i64(args, "episode-frames", 2, 1000000, &o->episode_frames));
  ORR_TRY(orr_args_i64(args, "episodes", 1, 1000000000, &o->episodes));
  ORR_TRY(orr_args_i64(args, "frames-total", 1, 1000000000000, &total));
  ORR_CHECK(!total || !o->episodes, ORR_ECONFIG,
            "data generate: got both --frames-total and --episodes; give one of them");
  if (o->episodes) return ORR_OK;
  if (!total) total = FRAMES_DEFAULT;
  o->episodes = (total + o->episode_frames - 1) / o->episode_frames;
  const int64_t group = o->forks ? 2 : o->group ? o->group : 1;
  o->episodes = (o->episodes + group - 1) / group * group;
  return ORR_OK;
}

// The physics scene has a choice, and clips as long as its worlds last.
static orr_code parse_choice(const orr_args *args, data_sim_options *o, data_physics_choice *c) {
  if (o->scene != &data_scene_physics) return train_physics_args_none(args, o->scene->name);
  ORR_TRY(train_physics_args(args, c));
  o->episode_frames = PHYSICS_FRAMES;
  o->group = data_physics_group(c);
  o->setting.choice = c;
  return ORR_OK;
}

static orr_code parse_goal(const orr_args *args, data_sim_options *o, data_skill *skill) {
  const data_goals *g = o->scene->goals;
  const char *task = orr_args_text(args, "task", NULL), *words = orr_args_text(args, "skill", NULL);
  ORR_CHECK(o->scene->tries || (!task && !words), ORR_ECONFIG,
            "data generate: got --%s, but whoever acts in the scene %s tries nothing",
            task ? "task" : "skill", o->scene->name);
  if (task) o->setting.task = data_goals_task(g, task);
  ORR_CHECK(o->setting.task >= 0, ORR_ECONFIG,
            "data generate --task: got '%s', which is no task of the scene %s; --help lists them",
            task, o->scene->name);
  if (!words) return ORR_OK;
  o->setting.skill = skill;
  return data_skill_read(words, skill);
}

// "2:5" as two numbers, the second not among what is meant.
static orr_code parse_voices(const orr_args *args, const data_scene *scene, data_scene_setting *s) {
  const char *text = orr_args_text(args, "voices", NULL);
  char *end = NULL, *last = NULL;
  if (!text) return ORR_OK;
  ORR_CHECK(scene->voices, ORR_ECONFIG,
            "data generate: got --voices, but nobody speaks in the scene %s", scene->name);
  s->voice_first = strtoll(text, &end, 10);
  if (*end == ':') s->voice_end = strtoll(end + 1, &last, 10);
  ORR_CHECK(end != text && last && last != end + 1 && !*last && s->voice_first >= 0 &&
                s->voice_first < s->voice_end && s->voice_end <= scene->voices,
            ORR_ECONFIG,
            "data generate --voices: got '%s', wanted FIRST:END within 0:%" PRId64
            ", END not among them",
            text, scene->voices);
  return ORR_OK;
}

static orr_code parse_levels(const orr_args *args, data_scene_setting *s) {
  const char *text = orr_args_text(args, "levels", "0:10000");
  char *end = NULL;
  errno = 0;
  s->level_first = strtoll(text, &end, 10);
  const bool first = end != text && *end == ':';
  const char *second = first ? end + 1 : text;
  s->level_end = strtoll(second, &end, 10);
  ORR_CHECK(first && end != second && *end == 0 && errno == 0, ORR_ECONFIG,
            "data generate: --levels: got '%s', wanted FIRST:END, e.g. 0:10000", text);
  return ORR_OK;
}

static orr_code parse_library(const orr_args *args, const data_scene *scene,
                              data_scene_setting *s) {
  static const char *const names[] = {"library", "library-sha256", "assets", "mode", "levels"};
  for (size_t i = 0; !scene->foreign && i < sizeof names / sizeof *names; i++)
    ORR_CHECK(!orr_args_text(args, names[i], NULL), ORR_ECONFIG,
              "data generate: scene %s has no library; leave --%s out", scene->name, names[i]);
  s->library = orr_args_text(args, "library", NULL);
  s->library_sha256 = orr_args_text(args, "library-sha256", NULL);
  s->assets = orr_args_text(args, "assets", NULL);
  const char *mode = orr_args_text(args, "mode", "hard");
  s->easy = strcmp(mode, "easy") == 0;
  ORR_CHECK(s->easy || strcmp(mode, "hard") == 0, ORR_ECONFIG,
            "data generate: --mode: got '%s', wanted easy or hard", mode);
  return parse_levels(args, s);
}

static orr_code parse(const orr_args *args, data_sim_options *o, data_skill *skill,
                      data_physics_choice *choice) {
  int64_t processes = orr_cores_usable(), seed = 1;
  ORR_TRY(data_scene_find(orr_args_text(args, "scene", "tabletop"), &o->scene));
  o->setting.height = o->scene->height;
  o->setting.width = o->scene->width;
  ORR_TRY(parse_goal(args, o, skill));
  ORR_TRY(parse_voices(args, o->scene, &o->setting));
  ORR_TRY(orr_args_require(args, "out", &o->dir));
  ORR_TRY(orr_args_size(args, "size", 16, 2048, &o->setting.height, &o->setting.width));
  ORR_TRY(orr_args_i64(args, "seed", 0, INT64_MAX, &seed));
  ORR_TRY(orr_args_i64(args, "processes", 1, 1024, &processes));
  ORR_TRY(orr_args_i64(args, "shard-frames", 1, 1000000000, &o->shard_frames));
  o->setting.fps = o->scene->fps;
  ORR_TRY(orr_args_f64(args, "fps", 1, 100, &o->setting.fps));
  ORR_TRY(parse_library(args, o->scene, &o->setting));
  ORR_TRY(orr_args_i64(args, "forks", 0, 1000000, &o->forks));
  ORR_TRY(parse_choice(args, o, choice));
  ORR_TRY(parse_amount(args, o));
  o->branch = orr_args_text(args, "branch", o->scene->branch);
  o->seed = (uint64_t)seed;
  o->processes = (int)processes;
  return ORR_OK;
}

static void list_scene(const data_scene *s) {
  printf("  %-12s %s\n", s->name, s->sentence);
  if (!s->tries) return;
  printf("  %-12s tasks:", "");
  for (int i = 0; s->goals->tasks[i]; i++) printf(" %s", s->goals->tasks[i]);
  printf("\n");
}

static orr_code list_scenes(void) {
  printf("\nscenes:\n");
  for (int i = 0; data_scene_at(i); i++) list_scene(data_scene_at(i));
#define CONCEPT(name, variants, sentence) printf("  %-12s %s\n", #name, sentence);
  printf("\nconcepts of the physics scene:\n");
  DATA_PHYSICS_CONCEPT_ROWS(CONCEPT)
#undef CONCEPT
  return ORR_OK;
}

orr_code train_cmd_data_generate(int argc, char **argv) {
  orr_args args;
  train_progress progress = train_progress_begin("generate");
  data_skill skill;
  data_sim_options o = {.episode_frames = 64,
                        .shard_frames = 1024,
                        .progress = train_progress_frames,
                        .ctx = &progress};
  ORR_TRY(orr_args_parse(&command, argc, argv, &args));
  if (args.help) return list_scenes();
  data_physics_choice choice;
  ORR_TRY(parse(&args, &o, &skill, &choice));
  json_t *extra = o.setting.choice ? data_physics_index(&choice, o.setting.fps) : NULL;
  o.extra = extra;
  const orr_code rc = data_sim_generate(&o);
  json_decref(extra);
  ORR_TRY(rc);
  const data_scene_setting *s = &o.setting;
  if (o.scene->outcome) // episodes end by themselves
    ORR_INFO("%s: %" PRId64 " frames, %" PRId64 " x %" PRId64 " pixels", o.dir,
             o.episodes * o.episode_frames, s->height, s->width);
  else
    ORR_INFO("%s: %" PRId64 " episodes of %" PRId64 " frames, %" PRId64 " x %" PRId64 " pixels",
             o.dir, o.episodes, o.episode_frames, s->height, s->width);
  return ORR_OK;
}
