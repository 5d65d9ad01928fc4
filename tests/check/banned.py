"""Calls that the house does not make, and the few files that may."""
import re

MEM = "allocations go through base/mem.h, so that fault sweeps reach them"
END = "only train/cli/main.c and the watchdog end the process: return an orr_code"
SKEW = "nothing may depend on two nodes' clocks: the order of things comes from steps, names and base/clock.h's monotonic clock"
# what a call is banned for, the names, and the files that may (a pattern from the path's start)
RULES = [(words, re.compile(r"(?<![\w.>])(" + names + r")\s*\("), re.compile(allowed)) for words, names, allowed in (
    (END, "exit|_Exit|quick_exit|abort|raise", r"train/cli/main\.c$|dist/watchdog\.c$|tests/"),
    # a child after fork() must not run its parent's exit handlers; dist_world_abort is main's error path
    (END, "_exit", r"train/cli/main\.c$|dist/(watchdog|world)\.c$|base/(workers|confine)\.c$|data/sound/speech\.c$|tests/"),
    ("no bound on what it writes: use snprintf or memcpy", "strcpy|strcat|sprintf|vsprintf|gets|stpcpy", r"$^"),
    ("it cannot tell an error: use strtoll or strtod and check the end", "atoi|atol|atoll|atof|scanf", r"$^"),
    ("random numbers come from base/rng.h", "rand|srand|random|srandom|drand48|rand_r", r"$^"),
    ("it keeps hidden state between calls", "strtok|strerror_l|localtime|gmtime|asctime|ctime", r"$^"),
    ("no command of a shell from inside", "system|popen", r"tests/"),
    ("the stack has no error return", "alloca", r"$^"),
    (MEM, "malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|memalign|valloc|strdup|strndup|asprintf|vasprintf",
     r"base/mem\.c$|tests/"),
    ("files that must survive a crash go through base/fs.h, so that fault sweeps reach them",
     "open|openat|creat|fopen|write|pwrite|writev|fwrite|rename|renameat|fsync|fdatasync|ftruncate|mkdir|rmdir|unlink|remove",
     r"(?!checkpoints/)"),
    ("captured steps hold communicators, whose end waits for theirs: train_step_leave_device frees the graphs first",
     "dist_world_leave_device", r"dist/|train/step/step\.c$|train/bench/comm\.c$|tests/"),
    (SKEW, "time|gettimeofday|ftime", r"base/clock\.c$|tests/"),
)]
# the same for words that are no calls
CLOCKS = re.compile(r"\b(st_[acm]tim(?:e|ensec)?)\b")
CLOCKS_COUNT = re.compile(r"(train|dist|checkpoints)/")

# No environment variable changes a result. These say who started the process and with what rights.
GETENV = re.compile(r"(?<![\w.>])(?:secure_)?getenv\s*\(\s*([^)]*)\)")
VARIABLES = [(re.compile(place), re.compile(name)) for place, name in (
    (r"dist/", r"\"(OMPI|PMIX|PMI|SLURM|MPI)_\w+\""),  # the launcher
    (r"data/", r"\"(AWS_\w+|SSL_CERT_FILE|SSL_CERT_DIR)\""),  # credentials of remote clips
    (r"base/home\.c$", r"\"HOME\""),  # where paths with ~ lie
    (r"data/remote/user_dirs\.c$", r"\"XDG_CACHE_HOME\""),  # where the cache lies
    (r"tests/", r".*"),
)]


def check(sources, root):
    findings = []
    for s in sources:
        for words, call, allowed in RULES:
            if allowed.match(s.path):
                continue
            findings += [s.finding(m.start(), f"{m[1]}(): {words}") for m in call.finditer(s.code)]
        if CLOCKS_COUNT.match(s.path):
            findings += [s.finding(m.start(), f"{m[1]}: {SKEW}") for m in CLOCKS.finditer(s.code)]
        for m in GETENV.finditer(s.no_comments):
            if s.code[m.start()] != s.no_comments[m.start()]:
                continue  # inside a string
            if not any(place.match(s.path) and name.fullmatch(m[1].strip()) for place, name in VARIABLES):
                findings.append(s.finding(m.start(), f"getenv({m[1]}): no environment variable changes a result"))
    return findings
