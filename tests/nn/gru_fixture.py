"""Writes gru_fixture.h: what PyTorch computes for a packed GRU, its gradients and one Adam step.

python3 gru_fixture.py > gru_fixture.h   (PyTorch needed; the tests need only the header)
All inputs are wave(n, phase), which test_gru.c computes as well.
"""
import math
import torch

torch.set_num_threads(1)
IN, HIDDEN, ROWS = 3, 4, [3, 3, 2, 1]  # three sequences of 4, 3 and 2 steps


def wave(n, phase):
    return torch.tensor([0.5 * math.sin(0.37 * i + phase) for i in range(n)], dtype=torch.float64)


def table(name, t):
    numbers = ["%.9gF" % v if "." in "%.9g" % v or "e" in "%.9g" % v else "%.9g.0F" % v for v in t.flatten().tolist()]
    print("static const float %s[] = {%s};" % (name, ", ".join(numbers)))


gru = torch.nn.GRU(IN, HIDDEN, dtype=torch.float64)
parts = [gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0]
at = 0
everything = wave(sum(p.numel() for p in parts), 1.0)
with torch.no_grad():
    for p in parts:
        p.copy_(everything[at:at + p.numel()].reshape(p.shape))
        at += p.numel()
x = wave(sum(ROWS) * IN, 2.0).reshape(-1, IN).requires_grad_()
h0 = wave(ROWS[0] * HIDDEN, 3.0).reshape(1, ROWS[0], HIDDEN).requires_grad_()
packed = torch.nn.utils.rnn.PackedSequence(x, torch.tensor(ROWS))
adam = torch.optim.Adam(gru.parameters(), lr=0.01, weight_decay=0.1)
y = gru(packed, h0)[0].data
(y * wave(y.numel(), 4.0).reshape(y.shape)).sum().backward()
print("/* Made by gru_fixture.py with PyTorch %s. */" % torch.__version__)
print("/* clang-format off */")
table("expected_y", y)
table("expected_gradient", torch.cat([p.grad.flatten() for p in parts]))
table("expected_dx", x.grad)
table("expected_dh0", h0.grad)
adam.step()
table("expected_after_adam", torch.cat([p.detach().flatten() for p in parts]))
