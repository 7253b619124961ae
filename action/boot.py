"""The `__main__` of the zipapp: `python3 spark-<version>-<platform>.pyz review` runs Spark on a machine that has only Python.

What it holds is unpacked once for each user, into a directory named after its contents, and is used from there: compiled
packages cannot be loaded out of an archive. It refuses a Python or a machine that its packages were not built for. The
syntax is that of Python 3.6, so that an interpreter that is too old can say so.
"""

import gc
import os
import sys

NEEDED = (3, 11)
USERS_MISTAKE = 2
OUTSIDE = 3
OBJECTS = 200_000
"""That may come before the interpreter looks for some that can go; see `spark_ready.py`."""


def boot(archive: str, version: "tuple[int, ...]") -> int:
    """Run the archive under a Python of this version; returns the exit code."""
    if version < NEEDED:
        needed, found = ".".join(map(str, NEEDED)), ".".join(map(str, version))
        return _refuse(f"needs Python {needed} or newer, this is {found}. Run it with a newer one.", USERS_MISTAKE)
    import json  # noqa: PLC0415 - an older Python is told first
    import zipfile  # noqa: PLC0415 - as above
    from pathlib import Path  # noqa: PLC0415 - as above

    import spark_unpack  # noqa: PLC0415 - as above

    tag = spark_unpack.platform_tag()
    try:
        with zipfile.ZipFile(archive) as packed:
            about = json.loads(packed.read("spark.json"))
        if about["tag"] != tag:
            remedy = f"Download the one for {tag}, or: pip install 'spark-review[cli]'."
            return _refuse(f"{archive} is for {about['tag']}, and this Python is {tag}. {remedy}", USERS_MISTAKE)
        place = Path(_cache(os.environ)) / f"zipapp-{about['content'][:32]}"
        if not spark_unpack.is_ready(place):
            spark_unpack.publish(place, lambda into: spark_unpack.unpack(Path(archive), into, ("code", "site")))
    except (zipfile.BadZipFile, spark_unpack.BadArchiveError, KeyError, ValueError) as error:
        return _refuse(f"{archive} is damaged ({error}). Download it again.", OUTSIDE)
    except OSError as error:
        return _refuse(f"cannot unpack {archive}: {error}. Name another directory in XDG_CACHE_HOME.", OUTSIDE)
    gc.set_threshold(OBJECTS)
    sys.path[:0] = [str(place / "code"), str(place / "site")]
    from bot.__main__ import main  # noqa: PLC0415 - it is only there now

    return main()


def _cache(env: "os._Environ[str]") -> str:
    """The user's own directory for what was unpacked. OSError where another user could put something into it."""
    above = env.get("XDG_CACHE_HOME") or env.get("LOCALAPPDATA") or os.path.expanduser("~/.cache")
    place = os.path.join(above, "spark-review")
    os.makedirs(place, mode=0o700, exist_ok=True)
    if sys.platform != "win32":
        about = os.stat(place)
        if about.st_uid != os.getuid() or about.st_mode & 0o022:
            raise PermissionError(f"others can write to {place}")
    return place


def _refuse(text: str, code: int) -> int:
    print(f"spark: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(boot(sys.path[0], tuple(sys.version_info[:2])))
