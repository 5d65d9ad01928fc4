"""What stands at file level of a C file: its statements with the offsets where they begin and end."""
import re

_PREPROCESSOR = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)


def statements(code):
    """Yields (begin, end, text) of the statements and definitions at brace depth 0. A body in braces
    is part of its statement, but not of its text. `code` has neither comments nor strings' contents."""
    code = _PREPROCESSOR.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), code)
    depth, begin, text = 0, None, []
    for i, ch in enumerate(code):
        if depth == 0 and begin is None:
            if ch.isspace() or ch == ";":
                continue
            begin = i
        if ch == "{":
            if depth == 0:
                text.append("{}")
            depth += 1
        elif ch == "}":
            depth -= 1
        elif depth == 0:
            text.append(ch)
        function = ch == "}" and depth == 0 and re.search(r"\)\s*\{\}$", "".join(text)) and "=" not in "".join(text)
        if depth == 0 and begin is not None and (ch == ";" or function):
            yield begin, i + 1, " ".join("".join(text).split())
            begin, text = None, []
