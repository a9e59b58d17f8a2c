"""Writes the PyTorch files of this folder and, in expected.json, what they hold.

Run in this folder with PyTorch 1.13 (Debian 12: python3-torch). The values are
small and exact in every type, so that nothing is lost on the way through JSON.
"""
import io
import json
import zipfile

import numpy
import torch

expected = {}


def expect(name, state):
    expected[name] = {
        key: {
            "shape": list(t.shape),
            "dtype": str(t.dtype).removeprefix("torch."),
            "values": t.detach().double().contiguous().flatten().tolist(),
        }
        for key, t in state.items()
    }


def ramp(*shape):
    return torch.arange(int(numpy.prod(shape))).reshape(shape) / 4 - 2


base = ramp(4, 6)
state = {
    "base": base,
    "transposed": base.t(),
    "strided": base[1:4:2, ::3],
    "permuted": ramp(2, 3, 4).permute(2, 0, 1),
    "channels_last": ramp(2, 3, 2, 2).to(memory_format=torch.channels_last),
    "parameter": torch.nn.Parameter(ramp(2, 2)),
    "scalar": torch.tensor(3.5),
    "empty": torch.zeros(0, 3),
}
for dtype in ("float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"):
    state["types." + dtype] = torch.tensor([0, 1, 1, 0, 1]).to(getattr(torch, dtype))
torch.save(state, "state.pt")
torch.save(state, "state_legacy.pt", _use_new_zipfile_serialization=False)
expect("state.pt", state)
expect("state_legacy.pt", state)

# A module's own state_dict (an ordered dict with attributes) and an optimizer
# whose learning rate is a numpy scalar, as open_clip's training leaves them.
model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
with torch.no_grad():
    for p in model.parameters():
        p.copy_(ramp(*p.shape))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
model(ramp(4, 3)).sum().backward()
optimizer.step()
with torch.no_grad():
    for p in [*model.parameters(), *(b for b in model.buffers() if b.ndim)]:
        p.copy_(ramp(*p.shape))
optimizer.param_groups[0]["lr"] = numpy.float64(0.5)
checkpoint = {
    "epoch": 7,
    "name": "tiny",
    "state_dict": {"module." + k: v for k, v in model.state_dict().items()},
    "optimizer": optimizer.state_dict(),
    "scaler": {"scale": 65536.0, "growth_interval": 2000},
}
torch.save(checkpoint, "epoch_7.pt")
expect("epoch_7.pt", checkpoint["state_dict"])
torch.save(model.state_dict(), "module_state.pt")
expect("module_state.pt", model.state_dict())

# Scripted, not traced: its modules have lists and numbers among their attributes.
# Its code is left out of the archive; only the state is read.
whole = io.BytesIO()
torch.jit.save(torch.jit.script(model), whole)
with zipfile.ZipFile(whole) as source, zipfile.ZipFile("script.pt", "w") as archive:
    for entry in source.infolist():
        if "/code/" not in entry.filename:
            archive.writestr(entry, source.read(entry))
expect("script.pt", model.state_dict())

with open("expected.json", "w") as f:
    json.dump(expected, f, indent=1)
    f.write("\n")
