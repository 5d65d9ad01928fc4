"""No mutable variables at file level: state belongs to an object that somebody creates and destroys."""
import re

from scopes import statements

# (file, variable): process-wide by nature, because what it serves is.
ALLOWED = [(re.compile(place), re.compile(name)) for place, name in (
    (r"base/(status|log|fault)\.c$", r".*"),  # a thread's last message, the log's set-up, armed faults
    (r"data/shard/h5\.c$", r"hdf5_lock"),  # Debian's HDF5 is one library that is not thread safe
    (r"data/sound/speech\.c$", r"said"),  # espeak-ng's callback gets no context; of a process that says one sentence
    (r"data/sim/mujoco\.c$", r"guard_of_thread"),  # MuJoCo's error handler gets no context
    (r"train/run/stop\.c$", r"stop_flag"),  # nor does a signal's
    (r"tests/", r".*"),
)]

_TYPE_ONLY = re.compile(r"(template ?<[^>]*> ?)?(typedef\b|extern\b|_Static_assert\b|(static )?(const )?(struct|union|enum)( \w+)? ?(\{\})?;)")
_FUNCTION_POINTER = re.compile(r"[\w\s*]+\(\s*\*\s*(?:const\s+)?\w+")


def _variable(text):
    """The name of the variable that a statement defines, or None."""
    head = text.split("=")[0]
    if not text.endswith(";") or _TYPE_ONLY.match(text):
        return None
    if "(" in head:
        return re.search(r"(\w+)\s*(?:\[.*\])?\s*\)", head)[1] if _FUNCTION_POINTER.match(head) else None
    return re.findall(r"\w+", re.sub(r"\[[^\]]*\]", "", head))[-1]


def check(sources, root):
    findings = []
    for s in sources:
        for begin, _, text in statements(s.code):
            name = _variable(text)
            if not name or any(place.match(s.path) and allowed.fullmatch(name) for place, allowed in ALLOWED):
                continue
            head = text.split("=")[0]
            # a pointer is constant only when the const stands after its last star
            constant = re.search(r"\bconst\b", head[head.rfind("*"):] if "*" in head else head)
            if not constant and "__constant__" not in head:
                findings.append(s.finding(begin, f"'{name}' is a mutable variable at file level"))
    return findings
