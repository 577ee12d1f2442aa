# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # From a table of runs to a plan
#
# The runs are the **pocket study**: small transformers that jaxscale's developers trained on a synthetic source of
# known entropy, 1.3766 nats per byte. The grid is fitted; runs of 2 to 6 times the compute of its largest are held
# against it.
# Replace the first cell by `js.Study.read("runs.csv", {...})` for your own table.

# %%
import os

import jax
import jax.numpy as jnp
import numpy as np

import jaxscale as js

jax.config.update("jax_enable_x64", True)
SMALL = os.environ.get("JAXSCALE_NOTEBOOK_SMALL") == "1"

study = js.load("pocket_grid", where="corpus == 'zipf'")
larger = js.load("pocket_larger", where="corpus == 'zipf'")
print(study.describe())

# %% [markdown]
# ## Fit, and read the certificate
# `share_best` says how many of 33 starts reached the best optimum; `remarks` is empty when there is nothing to warn of.

# %%
Chinchilla = js.catalogue()["Chinchilla"]
fit = js.fit(Chinchilla(), study, js.student_t())
print(fit.law)
print(fit.certificate)
print(*fit.remarks, sep="\n")
assert fit.certificate.certified

# %% [markdown]
# ## How sure are we? Refit on resampled runs

# %%
draws = js.bootstrap(fit, 100 if SMALL else 4000, key=0)
for name, error in draws.standard_errors().items():
    print(f"{name}: {float(fit.params[name]):.4g} +- {error:.2g}")

# %% [markdown]
# ## What does a bigger run reach?
# The forecast of each larger run, its 90 % interval, and the loss that training then reached. The interval holds the
# parameters' uncertainty under this one law, not a run's noise, and not the doubt about the law: read how many it
# misses, although the fit is certified and E is right.

# %%
N, D, loss = (larger.columns[name] for name in ("N", "D", "loss"))
ahead = js.forecast(fit, {"N": N, "D": D}, draws)
times = larger.columns["C"] / study.columns["C"].max()
for i in np.argsort(times):
    low, high = ahead.quantiles["0.05"][i], ahead.quantiles["0.95"][i]
    print(
        f"{times[i]:4.0f} x compute, N {N[i]:.3g}, D {D[i]:.3g}: "
        f"forecast {ahead.point[i]:.4f} ({low:.4f} to {high:.4f}), trained {loss[i]:.4f}: "
        f"{'inside' if low <= loss[i] <= high else 'outside'}"
    )
print(*ahead.remarks(), sep="\n")

# %% [markdown]
# ## What should a budget buy?
# One compute-optimal run per draw, at 30 times the largest fitted compute (counted as 6 N D).

# %%
budget = 30 * float((6 * study.columns["N"] * study.columns["D"]).max())
best = js.allocate(draws.ok(), budget)
low, high = np.quantile(best.N, [0.05, 0.95])
print(f"{budget:.3g} FLOP: N = {float(js.allocate(fit.law, budget).N):.3g} (90 % interval {low:.3g} to {high:.3g})")

# %% [markdown]
# ## Which run pulls the plan? Differentiate through the fit
# The derivative of log N* with respect to each log loss, by the implicit function theorem.

# %%
runs = study.runs(js.signature(Chinchilla()))


def log_optimal_size(log_loss):
    moved = js.Runs.of(runs.inputs, jnp.exp(log_loss))
    return jnp.log(js.allocate(js.fit(Chinchilla(), moved, js.student_t()).law, budget).N)


pull = jax.grad(log_optimal_size)(jnp.log(runs.target))
row = int(jnp.argmax(jnp.abs(pull)))
print(
    f"1 % more loss in the run N={float(runs.inputs['N'][row]):.3g}, D={float(runs.inputs['D'][row]):.3g} "
    f"moves N* by {float(pull[row]):.2f} %"
)
