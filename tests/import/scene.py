"""A scene whose frames show their own number and the action that led to them, so that a frame or an action
one place off cannot pass.

Rows 0-15: a red bar, rows 16-31 a green one, as long as components 0 and 1 of the action that led here say
(-1: nothing, 1: the whole width). Rows 32-47: the frame's number in white and black blocks."""
import numpy as np

HEIGHT, WIDTH, STEPS = 48, 64, 16  # actions are multiples of 1/STEPS: two pixels of a bar
BITS = 8


def actions(frames, width=2, seed=0):
    """[frames,width], the last of which leads nowhere."""
    rng = np.random.default_rng(seed)
    return (rng.integers(-STEPS, STEPS + 1, (frames, width)) / STEPS).astype("f4")


def frames(led, height=HEIGHT, width=WIDTH, first=0):
    """[frames,height,width,3]; led: the actions, of which led[t-1] leads to frame t."""
    out = np.full((len(led), HEIGHT, WIDTH, 3), 64, "u1")
    for t in range(len(led)):
        a = led[t - 1] if t else (0, 0)
        out[t, :16, : int(round((a[0] + 1) * WIDTH / 2)), 0] = 224
        out[t, 16:32, : int(round((a[1] + 1) * WIDTH / 2)), 1] = 224
        for bit in range(BITS):
            block = WIDTH // BITS
            out[t, 32:, bit * block : (bit + 1) * block] = 224 if (t + first) >> bit & 1 else 16
    return out.repeat(height // HEIGHT, 1).repeat(width // WIDTH, 2)


def read(frame):
    """(number, component 0, component 1) that a frame shows. Lossy and resized frames too."""
    h, w = frame.shape[:2]
    f = frame.astype("f4")
    bar = lambda row, channel: np.round((f[int(h * row), :, channel] > 144).sum() / w * 2 * STEPS) / STEPS - 1
    number = 0
    for bit in range(BITS):
        number |= int(f[int(h * 5 / 6), int(w * (bit + 0.5) / BITS)].mean() > 120) << bit
    return number, bar(1 / 6, 0), bar(1 / 2, 1)


def misaligned(frames_, actions_):
    """Frames that do not show the action recorded before them; [] when all is well."""
    wrong = []
    for t in range(1, len(frames_)):
        _, a, b = read(frames_[t])
        if (a, b) != tuple(actions_[t - 1, :2].round(4)):
            wrong.append((t, (a, b), tuple(actions_[t - 1, :2])))
    return wrong


def numbers(frames_):
    return [read(f)[0] for f in frames_]


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.mean((a.astype("f8") - b.astype("f8")) ** 2), 1e-9))
