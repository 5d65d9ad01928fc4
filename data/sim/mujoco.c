// The wall between MuJoCo's way of failing and ours.
#include "data/sim/mujoco.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

// MuJoCo's handlers take no context, so the place to return to is found through the thread.
typedef struct {
  jmp_buf back;
  char message[512];
} fault_guard;
static _Thread_local fault_guard *guard_of_thread;

static void on_fault(const char *message) {
  if (!guard_of_thread) return; // outside a guarded call: MuJoCo goes on as it would
  snprintf(guard_of_thread->message, sizeof guard_of_thread->message, "%s", message);
  longjmp(guard_of_thread->back, 1);
}

// Without a handler MuJoCo appends warnings to a file in the working folder.
static void on_warning(const char *message) {
  ORR_DEBUG("mujoco: %s", message);
}

orr_code data_mujoco_call(void (*fn)(void *arg), void *arg, const char *doing) {
  fault_guard guard;
  fault_guard *outer = guard_of_thread;
  mju_user_error = on_fault;
  mju_user_warning = on_warning;
  guard_of_thread = &guard;
  int failed = setjmp(guard.back);
  if (!failed) fn(arg);
  guard_of_thread = outer;
  ORR_CHECK(!failed, ORR_EUNSUPPORTED, "the simulator failed to %s: %s", doing, guard.message);
  return ORR_OK;
}

// -- models ---------------------------------------------------------------------------------

typedef struct {
  const char *file;
  const mjVFS *vfs;
  mjModel *model;
  char error[400];
} compile_job;

static void compile(void *arg) {
  compile_job *job = arg;
  job->model = mj_loadXML(job->file, job->vfs, job->error, sizeof job->error);
}

orr_code data_mujoco_compile(const char *name, const char *xml, mjModel **out) {
  orr_code rc = ORR_OK;
  char file[64], doing[96];
  snprintf(file, sizeof file, "%s.xml", name);
  snprintf(doing, sizeof doing, "compile the %s scene", name);
  compile_job job = {.file = file};
  mjVFS *vfs = orr_malloc(sizeof *vfs); // 2 MB: too large for a stack
  ORR_CHECK(vfs, ORR_ENOMEM, "out of memory for the %s scene (%zu bytes)", name, sizeof *vfs);
  mj_defaultVFS(vfs);
  size_t bytes = strlen(xml);
  ORR_CHECK_GOTO(mj_makeEmptyFileVFS(vfs, file, (int)bytes) == 0, free_vfs, ORR_ENOMEM,
                 "the simulator cannot hold the scene's %zu bytes", bytes);
  memcpy(vfs->filedata[0], xml, bytes);
  job.vfs = vfs;
  ORR_TRY_GOTO(data_mujoco_call(compile, &job, doing), free_vfs);
  ORR_CHECK_GOTO(job.model, free_vfs, ORR_EUNSUPPORTED,
                 "the simulator (MuJoCo %d) does not take the %s scene: %s; orrery is written for "
                 "MuJoCo 2.2",
                 mj_version(), name, job.error);
  *out = job.model;
free_vfs:
  mj_deleteVFS(vfs);
  orr_free(vfs);
  return rc;
}

orr_code data_mujoco_find(const mjModel *model, mjtObj kind, const char *name, int *out) {
  *out = mj_name2id(model, kind, name);
  ORR_CHECK(*out >= 0, ORR_EUNSUPPORTED, "the simulator's model has nothing called '%s'", name);
  return ORR_OK;
}

// -- states ---------------------------------------------------------------------------------

typedef struct {
  mjModel *model;
  mjData *data;
  int steps;
} state_job;

static void make_state(void *arg) {
  state_job *job = arg;
  job->data = mj_makeData(job->model);
}

orr_code data_mujoco_state(mjModel *model, mjData **out) {
  state_job job = {.model = model};
  ORR_TRY(data_mujoco_call(make_state, &job, "allocate the scene's state"));
  ORR_CHECK(job.data, ORR_ENOMEM, "out of memory for the scene's state");
  *out = job.data;
  return ORR_OK;
}

static void advance(void *arg) {
  state_job *job = arg;
  for (int i = 0; i < job->steps; i++) mj_step(job->model, job->data);
}

orr_code data_mujoco_step(const char *name, mjModel *model, mjData *data, int steps) {
  state_job job = {.model = model, .data = data, .steps = steps};
  ORR_TRY(data_mujoco_call(advance, &job, "step the scene"));
  for (int w = 0; w < mjNWARNING; w++)
    ORR_CHECK(data->warning[w].number == 0, ORR_EINVAL, "the simulation of the %s scene failed: %s",
              name, mju_warningText(w, (size_t)data->warning[w].lastinfo));
  return ORR_OK;
}

static void forward(void *arg) {
  state_job *job = arg;
  mj_forward(job->model, job->data);
}

orr_code data_mujoco_forward(mjModel *model, mjData *data) {
  state_job job = {.model = model, .data = data};
  return data_mujoco_call(forward, &job, "place the scene");
}
