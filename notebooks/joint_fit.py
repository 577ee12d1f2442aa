# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # One set of exponents for two corpora?
#
# The pocket study trained the same models on Python sources and on a synthetic source. A law for both can share its
# exponents (what the architecture does) and keep E, A and B apart (what the data are), or share nothing. Sharing
# narrows every interval if it is true, and biases every answer if it is not: so it is tested before it is believed.

# %%
import os

import jax
import numpy as np

import jaxscale as js

jax.config.update("jax_enable_x64", True)
SMALL = os.environ.get("JAXSCALE_NOTEBOOK_SMALL") == "1"

study = js.load("pocket_grid")
Chinchilla = js.catalogue()["Chinchilla"]
likelihood = js.student_t()
print(study.describe())

# %% [markdown]
# ## Three joint laws
# The data sets differ in E, A and B only, in everything, or in everything but the data exponent.

# %%
SPLITS = {
    "shared exponents": ("E", "A", "B"),
    "shared data exponent": ("E", "A", "B", "alpha"),
    "nothing shared": ("E", "A", "B", "alpha", "beta"),
}
fits = {}
for label, split in SPLITS.items():
    law = js.Pooled(Chinchilla(), split=split, groups=study.groups)
    fits[label] = js.fit(law, study, likelihood)
    print(f"{label}: negative log likelihood {fits[label].value:.2f}, certified {fits[label].certificate.certified}")
    print({name: np.round(np.asarray(value), 4).tolist() for name, value in fits[label].params.items()})
    print(*fits[label].remarks, sep="\n")

# %% [markdown]
# ## Is the sharing true?
# Twice the difference of the log likelihoods is about chi-squared with one degree of freedom per parameter that was
# split, if sharing is true.

# %%
from scipy.stats import chi2  # noqa: E402

free = {label: len(split) for label, split in SPLITS.items()}
for label in ("shared exponents", "shared data exponent"):
    gain = 2 * (fits[label].value - fits["nothing shared"].value)
    more = free["nothing shared"] - free[label]
    print(
        f"{label}: 2 x gain of splitting the rest {gain:.1f} on {more} more parameters, p = {chi2.sf(gain, more):.2g}"
    )

# %% [markdown]
# ## The exponents, corpus by corpus
# With intervals from refits on resampled runs. Theory for the synthetic source (Hutter 2021, Michaud et al. 2023):
# 0.4 in facts held, 0.4 / 1.4 = 0.29 in facts seen.

# %%
draws = js.bootstrap(fits["nothing shared"], 100 if SMALL else 2000, key=0)
for name in ("alpha", "beta", "E"):
    found = np.asarray(draws.ok().params()[name])
    for i, group in enumerate(study.groups):
        low, high = np.quantile(found[:, i], [0.025, 0.975])
        print(f"{name:6} {group:7} {np.median(found[:, i]):.4f}, 95 % interval {low:.4f} to {high:.4f}")
