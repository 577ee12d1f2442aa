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
# The runs here are **simulated** from published coefficients (Besiroglu et al. 2024), so the truth is known.
# Replace the first cell by `js.Study.read("runs.csv", {...})` for your own table.

# %%
import os

import jax
import jax.numpy as jnp
import numpy as np

import jaxscale as js

jax.config.update("jax_enable_x64", True)
SMALL = os.environ.get("JAXSCALE_NOTEBOOK_SMALL") == "1"

# %%
Chinchilla = js.catalogue()["Chinchilla"]
truth = js.from_published(Chinchilla, "besiroglu2024")
N, ratio = (x.ravel() for x in np.meshgrid(np.geomspace(5e7, 5e9, 10), np.geomspace(3.0, 300.0, 8)))
noise = 0.003 * np.random.default_rng(0).standard_t(5, N.size)
loss = np.asarray(jax.vmap(lambda n, d: truth(N=n, D=d))(jnp.asarray(N), jnp.asarray(ratio * N))) * np.exp(noise)
study = js.Study.from_arrays("simulated", {"N": N, "D": ratio * N}, loss)

# %% [markdown]
# ## Fit, and read the certificate
# `share_best` says how many of 33 starts reached the best optimum; `remarks` is empty when there is nothing to warn of.

# %%
fit = js.fit(Chinchilla(), study, js.student_t())
print(fit.law)
print(fit.certificate)
assert fit.certificate.certified
assert not fit.remarks

# %% [markdown]
# ## How sure are we? Refit on resampled runs
# The exponents' standard errors should hold the distance to the truth.

# %%
draws = js.bootstrap(fit, 100 if SMALL else 4000, key=0)
errors = draws.standard_errors()
for name in ("E", "alpha", "beta"):
    off = abs(float(getattr(fit.law, name)) - float(getattr(truth, name))) / errors[name]
    print(
        f"{name}: {float(getattr(fit.law, name)):.4f} +- {errors[name]:.4f}, {off:.1f} standard errors from the truth"
    )
    assert off < 4

# %% [markdown]
# ## What will a bigger run reach, and what should a budget buy?
# A forecast says how many decades beyond the data it reaches. The plan is one compute-optimal run per draw.

# %%
ahead = js.forecast(fit, {"N": 7e10, "D": 1.4e12}, draws)
print(ahead.point, ahead.quantiles, f"{ahead.decades[0]:.1f} decades out")
print(*ahead.remarks(), sep="\n")

best = js.allocate(draws.ok(), 1e24)
low, high = np.quantile(best.N, [0.05, 0.95])
print(f"1e24 FLOP: N = {float(js.allocate(fit.law, 1e24).N):.3g} (90 % interval {low:.3g} to {high:.3g})")

# %% [markdown]
# ## Which run pulls the plan? Differentiate through the fit
# The derivative of log N* with respect to each log loss, by the implicit function theorem.


# %%
def log_optimal_size(log_loss):
    runs = js.Runs.of({"N": N, "D": ratio * N}, jnp.exp(log_loss))
    return jnp.log(js.allocate(js.fit(Chinchilla(), runs, js.student_t()).law, 1e24).N)


pull = jax.grad(log_optimal_size)(jnp.log(jnp.asarray(loss)))
row = int(jnp.argmax(jnp.abs(pull)))
print(f"1 % more loss in the run N={N[row]:.2g}, D={ratio[row] * N[row]:.2g} moves N* by {float(pull[row]):.2f} %")
