"""Training, saving, resuming, evaluating and rolling out on memory that the host cannot touch give
the bytes that they give on the CPU. A program that reads a loss where it lies instead of copying it
out is ended by the first read. strict.py ORRERY ORRERY_STRICT ORRERY_TOUCHING SOURCE_DIR"""
import hashlib
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

TOKENIZER = ["--set", "tokenizer.width=32", "--set", "tokenizer.heads=2", "--set", "tokenizer.kv_heads=2",
             "--set", "tokenizer.hidden=48", "--set", "tokenizer.layers=1", "--set", "train.batch=4"]
DYNAMICS = ["--set", "model.width=32", "--set", "model.heads=2", "--set", "model.kv_heads=1", "--set",
            "model.hidden=48", "--set", "model.layers=4", "--set", "data.frames=8", "--set", "train.batch=4"]
COMMON = ["--set", "run.threads=1", "--set", "run.device=cpu", "--set", "optim.warmup_steps=1", "--set",
          "optim.decay_steps=0", "--set", "ckpt.every=2", "--set", "guard.record_every=1", "--set", "eval.every=0"]


def call(*args):
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, args))}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")


def train(program, config, run, steps, *more):
    call(program, "train", config, "--set", f"run.dir={run}", "--set", f"train.steps={steps}", *COMMON, *more)


def steps_of(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: line[k] for k in ("step", "loss", "grad_norm", "lr", "tokens")} for line in lines]


def sums_of(folder, pattern):
    return {str(p.relative_to(folder)): hashlib.md5(p.read_bytes()).hexdigest() for p in sorted(folder.rglob(pattern))}


def all_of_it(program, plain, clips, out, configs):
    """Everything that a run leaves, in a form to compare."""
    out.mkdir()
    tokenizer, dynamics, single = out / "tokenizer", out / "dynamics", out / "fp32"
    train(program, configs / "demo_rich_tokenizer.yaml", tokenizer, 3, *TOKENIZER, "--set", "train.micro_batch=2", "--set",
          f"data.train=[{clips / 'train'}]")
    # one tokenizer makes the tokens of both programs: a run's own checkpoint has its folder in its hash
    tokens, maker = clips.parent / "tokens", clips.parent / "maker"
    if not tokens.exists():
        shutil.copytree(tokenizer, maker, symlinks=True)
        call(plain, "data", "tokenize", clips / "train", "--tokenizer", maker, "--out", tokens, "--threads", 1)
    data = ["--set", f"data.train=[{tokens}]", "--set", f"tokenizer.checkpoint={maker}/ckpt"]
    config = configs / "demo_rich_dynamics.yaml"
    # steps of one shape: issued, captured for either set of marks, replayed
    train(program, config, dynamics, 5, *DYNAMICS, *data, "--set", "train.micro_batch=2")
    train(program, config, dynamics, 9, *DYNAMICS, *data, "--set", "train.micro_batch=2")  # resumed
    fp32 = [*DYNAMICS, *data, "--set", "run.precision=fp32", "--set", "train.recompute=true"]
    train(program, config, single, 2, *fp32)
    train(program, config, single, 2, *fp32, "--replay", 2)
    world = [dynamics, "--data", clips / "test", "--tokenizer", maker, "--threads", 1, "--device", "cpu"]
    call(program, "eval", *world, "--clips", 4, "--horizon", 4, "--json", out / "eval.json")
    call(program, "rollout", *world, "--clip", 1, "--frames", 12, "--out", out / "film.png")
    figures = json.loads((out / "eval.json").read_text())
    figures.pop("checkpoint")
    prints = [json.loads(line) for line in (dynamics / "record.jsonl").read_text().splitlines()]
    return {"prints": [line for line in prints if "step" in line], "tokenizer": steps_of(tokenizer),
            "dynamics": steps_of(dynamics), "fp32": steps_of(single),
            "checkpoints": sums_of(out, "*.safetensors"), "evaluation": figures, "film": sums_of(out, "film.png")}


def main():
    plain, strict, touching, source = (pathlib.Path(a) for a in sys.argv[1:])
    with tempfile.TemporaryDirectory() as root:
        root = pathlib.Path(root)
        clips = root / "clips"
        made = subprocess.run([plain, "data", "generate", "--scene", "tabletop", "--out", clips / "train", "--episodes",
                               "3", "--seed", "1"], capture_output=True, text=True)
        if made.returncode != 0:
            print("skipped: no simulator to make clips with:", made.stderr)
            sys.exit(77)
        call(plain, "data", "generate", "--scene", "tabletop", "--out", clips / "test", "--episodes", 4, "--seed", 2,
             "--forks", 4)
        want = all_of_it(plain, plain, clips, root / "plain", source / "configs")
        got = all_of_it(strict, plain, clips, root / "strict", source / "configs")
        for part in want:
            if got[part] != want[part]:
                sys.exit(f"{part} differs:\n{json.dumps(want[part], indent=1)}\nstrict:\n{json.dumps(got[part], indent=1)}")
        config = source / "configs" / "demo_rich_tokenizer.yaml"
        words = ["--set", f"run.dir={root / 'touching'}", "--set", "train.steps=1", "--set", f"data.train=[{clips / 'train'}]"]
        ended = subprocess.run([touching, "train", config, *COMMON, *TOKENIZER, *words], capture_output=True, text=True)
        if ended.returncode != -signal.SIGSEGV:
            sys.exit(f"a read of device memory went unnoticed: exit code {ended.returncode}\n{ended.stderr}")
        print("equal to the bit:", ", ".join(want))


main()
