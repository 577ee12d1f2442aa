"""Source files of public data sets, downloaded once, checked by size and SHA-256, never half-written."""

import os
from pathlib import Path
from typing import Any, cast

import pooch

from jaxscale.core.errors import BadInput
from jaxscale.studies.dataset import Dataset, SourceFile
from jaxscale.studies.tables.tables import sha256_of

BASE = "https://raw.githubusercontent.com"
_SECONDS = 60


def cache_folder(given: str | Path | None = None) -> Path:
    """Where downloads are kept: the argument, `JAXSCALE_CACHE_DIR`, or the user's cache folder."""
    return Path(given or os.environ.get("JAXSCALE_CACHE_DIR") or pooch.os_cache("jaxscale"))


def fetch(data: Dataset, file: SourceFile, url: str | None = None, cache: str | Path | None = None) -> Path:
    """Local path of a checked source file.

    `url` replaces the base of the address (or set `JAXSCALE_DATA_URL`). Raises `BadInput` where there is no
    network, no such file, a truncated one or a wrong checksum; nothing bad stays in the cache.
    """
    address = data.address(file, url or os.environ.get("JAXSCALE_DATA_URL") or BASE)
    folder = cache_folder(cache) / data.slug / data.commit[:12]
    try:
        got = pooch.retrieve(
            address,
            known_hash=f"sha256:{file.sha256}",
            fname=Path(file.path).name,
            path=folder,
            downloader=cast(Any, _Checked(file)),  # pooch's protocol misnames its arguments
        )
    except BadInput:
        raise
    # The transport is pooch's choice, so its exceptions are known here by their common base only.
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{data.slug}: {address} could not be downloaded ({type(error).__name__}); check the network, or set "
            "JAXSCALE_DATA_DIR to a folder that holds the tidy tables"
        ) from error
    return Path(got)


class _Checked:
    """A pooch downloader whose refusals say what came. pooch writes to a temporary file and removes it on error."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file

    def __call__(self, url: Any, output_file: Any, pooch_: Any, *, check_only: bool | None = None) -> None:
        del check_only
        # Unstreamed, since a streamed response that fails leaves its connection open; the files are small.
        pooch.HTTPDownloader(progressbar=False, timeout=_SECONDS, stream=False)(url, output_file, pooch_)
        path, wanted = Path(output_file), self.file
        size, digest = path.stat().st_size, sha256_of(path)
        if size < wanted.size:
            raise BadInput(
                f"{url}: truncated file: expected {wanted.size} bytes, got {size}; it was removed, try again"
            )
        if digest != wanted.sha256:
            raise BadInput(
                f"{url}: wrong checksum: expected sha256 {wanted.sha256}, got {digest}; the file was removed: "
                "try again, and if it persists the source has changed and must not be used"
            )
