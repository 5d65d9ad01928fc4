"""Golden files of what the reference world model lacks, in its own style: heads on the registers, views and a patchwise
encoder.

It extends the reference's Dynamics and Tokenizer (world_model.py, float32 PyTorch), which it is given the path of:

    python3 tests/golden/extras.py world_model.py OUT.safetensors heads|views|patchwise [--seed N]

The loss of the gradients is the reference's, plus the mean cross-entropy of each head times its weight over the
frames whose target is known (not NaN). Targets lie between two bins (two-hot), rewards in symlog.
"""
import argparse
import importlib.util
import json

import torch
import torch.nn as nn

BINS = {"reward": 81, "done": 2, "progress": 21}
RANGE = {"reward": (-10.0, 10.0), "done": (0.0, 1.0), "progress": (0.0, 1.0)}


def two_hot(name, value):
    """Shares [..., bins] of the bins on either side of each value."""
    low, high = RANGE[name]
    v = value.double()
    v = torch.sign(v) * torch.log1p(v.abs()) if name == "reward" else v
    at = ((v - low) / (high - low) * (BINS[name] - 1)).clamp(0, BINS[name] - 1)
    bins = torch.arange(BINS[name], dtype=torch.float64)
    return (1 - (at[..., None] - bins).abs()).clamp(min=0).float()


def extend(reference):
    class Extended(reference.Dynamics):
        def __init__(self, c):
            super().__init__(c)
            if c.get("views"):
                self.embed.view = nn.Embedding(len(c["views"]), c["width"])
            if c.get("outcomes"):
                self.heads = nn.Module()
                for name in c["outcomes"]:
                    setattr(self.heads, name, nn.Linear(c["registers"] * c["width"], BINS[name]))
            reference.initialise(self, c["layers"])

        def view_of(self):
            """The view of each position [S], and its row and column there."""
            c, S = self.c, self.c["rows"] * self.c["cols"]
            view, y, x = (torch.zeros(S, dtype=torch.long) for _ in range(3))
            for s in range(S):
                row, col = divmod(s, c["cols"])
                for i, v in enumerate(c["views"]):
                    if v["x"] <= col < v["x"] + v["width"] and v["y"] <= row < v["y"] + v["height"]:
                        view[s], y[s], x[s] = i, row - v["y"], col - v["x"]
            return view, y, x

        def space(self):
            c = self.c
            angle = reference.rope_space(c["rows"], c["cols"], c["registers"], c["head_width"])
            if c.get("views"):
                K = c["head_width"]
                f = 100.0 ** (-torch.arange(K // 4, dtype=torch.float64) / (K // 4))
                _, y, x = self.view_of()
                angle[1:1 + len(y)] = torch.cat([y[:, None] * f, x[:, None] * f], -1)
            return angle

        def residual(self, tokens, action, valid, has_action, branch):
            c, e = self.c, self.embed
            B, T, S = tokens.shape
            a = e.action(torch.cat([action * valid, valid], -1))
            a = torch.where(has_action[..., None], a, e.no_action) + e.branch(branch)[:, None]
            t = e.token(tokens)
            if c.get("views"):
                t = t + e.view(self.view_of()[0])
            x = torch.cat([a[:, :, None], t, e._parameters["register"].expand(B, T, -1, -1)], 2)
            space, time = self.space(), reference.rope_time(T, c["head_width"])
            for b in self.blocks:
                x = b(x, space, time)
            return self.norm(x)

        def forward(self, *args):
            y = self.residual(*args)
            return self.head(y[:, :, 1:1 + args[0].shape[2]])

        def outcome_losses(self, args, targets):
            S = args[0].shape[2]
            registers = self.residual(*args)[:, :, 1 + S:].flatten(2)
            losses = {}
            for name in self.c.get("outcomes", {}):
                known = ~targets[name].isnan()
                logp = getattr(self.heads, name)(registers)[known].log_softmax(-1)
                losses[name] = -(two_hot(name, targets[name][known]) * logp).sum(-1).mean()
            return losses

    return Extended


def extend_tokenizer(reference):
    class Patchwise(reference.Tokenizer):
        def _blocks(self, half, x):
            """Each patch of the encoder is a sequence of its own."""
            if half is self.decoder or not self.c.get("patchwise"):
                return super()._blocks(half, x)
            angle = reference.rope_space(1, 1, 0, self.c["head_width"], action=False)
            y = x.reshape(-1, 1, x.shape[-1])
            for b in half.blocks:
                y = b(y[:, None], angle, None)[:, 0]
            return half.norm(y.reshape(x.shape))

    return Patchwise


SIZES = {
    "patchwise": dict(registers=1),
    "heads": dict(registers=2, outcomes={"reward": 0.5, "done": 2.0, "progress": 1.5}),
    "views": dict(registers=1, views=[dict(name="base", x=0, y=0, width=3, height=4), dict(name="wrist", x=3, y=0, width=2, height=4)]),
}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("reference")
    p.add_argument("out")
    p.add_argument("what", choices=list(SIZES))
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    spec = importlib.util.spec_from_file_location("world_model", a.reference)
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    dyn = reference.block(32, 4, 2, 48, 3, rows=4, cols=5, time_every=2, actions=2, branches=2, codes=30, z_loss=1e-4)
    tok = reference.block(24, 2, 1, 40, 1, patch=2, rows=4, cols=5, levels=[6, 5], l2=1.0, l1=0.5)
    dyn.update(SIZES[a.what])
    if a.what == "patchwise":
        tok.update(layers=2, patchwise=True)
    B, T = 2, 4
    gen, out = torch.Generator().manual_seed(a.seed), {}
    torch.manual_seed(a.seed)
    targets = dict(reward=5 * torch.randn(B, T, generator=gen), done=(torch.rand(B, T, generator=gen) < 0.4).float(),
                   progress=torch.rand(B, T, generator=gen))
    for v in targets.values():  # nothing is known of a clip's first frame, and of some others
        v[:, 0] = float("nan")
        v[torch.rand(B, T, generator=gen) < 0.2] = float("nan")
    targets["progress"][0, 1], targets["progress"][1, 2] = 0.0, 1.0  # on a bin, at both ends
    for name, model, args in (("tokenizer", extend_tokenizer(reference)(tok), dict(frames=torch.rand(B, 8, 10, 3, generator=gen))),
                              ("dynamics", extend(reference)(dyn), reference.batch(dyn, B, T, gen))):
        for q in model.parameters():  # away from the flat start, so that every gradient is visible
            q.data += 0.05 * torch.randn(q.shape, generator=gen)
        loss = model.loss(**args)
        total = loss
        if name == "dynamics":
            given = [args[k] for k in ("tokens", "action", "valid", "has_action", "branch")]
            for key, value in model.outcome_losses(given, targets).items():
                out[f"dynamics.loss.{key}"] = value.detach().reshape(1)
                out[f"dynamics.in.{key}"] = targets[key]
                total = total + dyn["outcomes"][key] * value
            out["dynamics.out.logits"] = model(*given)
        else:
            out["tokenizer.out.index"] = model.index(model.encode(args["frames"]))
        total.backward()
        out.update({f"{name}.in.{k}": v for k, v in args.items()})
        out.update({f"{name}.weight.{k}": v for k, v in model.named_parameters()})
        out.update({f"{name}.grad.{k}": v.grad for k, v in model.named_parameters()})
        out[f"{name}.loss"] = loss.detach().reshape(1)
    reference.save(a.out, out, dict(tokenizer=json.dumps(tok), dynamics=json.dumps(dyn)))
    print({k: float(v) for k, v in out.items() if ".loss" in k})


if __name__ == "__main__":
    main()
