"""Ten steps of torch.optim.Adam and AdamW in float64, for lincah-kernels' tests.

python tools/golden/adam.py > crates/lincah-kernels/tests/golden/adam.tsv
"""

import torch

print("# made by tools/golden/adam.py with torch", torch.__version__.split("+")[0])
print("# name  learning_rate  beta1  beta2  epsilon  weight_decay  gradient_scale  step  3 gradients  3 parameters after the step")
CASES = [
    ("Adam", torch.optim.Adam, dict(lr=5e-4, betas=(0.9, 0.999), eps=1e-7, weight_decay=0.0), 1.0),
    ("AdamW", torch.optim.AdamW, dict(lr=1e-2, betas=(0.8, 0.99), eps=1e-3, weight_decay=0.1), 0.25),
]
generator = torch.Generator().manual_seed(1234)
for name, optimizer_class, options, gradient_scale in CASES:
    # Multiples of 1/64 are exact in float32 too; the last gradient is tiny, so that epsilon counts.
    parameter = torch.tensor([0.5, -1.25, 2.0], dtype=torch.float64, requires_grad=True)
    optimizer = optimizer_class([parameter], **options)
    for step in range(1, 11):
        gradient = torch.randint(-128, 129, (3,), generator=generator).double() / 64
        gradient[2] /= 2**20
        parameter.grad = gradient * gradient_scale
        optimizer.step()
        settings = [options["lr"], *options["betas"], options["eps"], options["weight_decay"], gradient_scale, step]
        print(name, *settings, *gradient.tolist(), *parameter.tolist(), sep="\t")
