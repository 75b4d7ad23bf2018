"""What is sent: made, changed, compared, thrown away."""

import os
import shutil
import subprocess
from pathlib import Path

from measure import Failed


def large(path, size):
    """A file of random bytes; nothing makes it smaller on its way."""
    with open(path, "wb") as out:
        left = size
        while left:
            left -= out.write(os.urandom(min(left, 1 << 22)))
    return Path(path)


def tree(path, count, size):
    """So many files of random bytes, a hundred to a folder."""
    path = Path(path)
    for number in range(count):
        folder = path / f"{number // 100:03}"
        if number % 100 == 0:
            folder.mkdir(parents=True)
        (folder / f"file-{number % 100:02}.bin").write_bytes(os.urandom(size))
    return path


def flat(path, count):
    """So many small files in one folder."""
    path = Path(path)
    path.mkdir(parents=True)
    for number in range(count):
        (path / f"entry number {number:06}.txt").write_bytes(b"%d" % number)
    return path


def files(path):
    """The files of a tree, from it, by name."""
    path = Path(path)
    return sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file())


def change(path, every):
    """Changes every so-manyth file: another content of the same size. Says how many."""
    changed = files(path)[::every]
    for name in changed:
        file = Path(path) / name
        file.write_bytes(os.urandom(file.stat().st_size))
    return len(changed)


def change_within(path, share):
    """Changes one stretch in the middle of a file, not at the start of a chunk. Says how many bytes."""
    size = os.stat(path).st_size
    length = int(size * share)
    with open(path, "r+b") as file:
        file.seek(size // 2 // 1000 * 1000)
        file.write(os.urandom(length))
    return length


def copy(source, target):
    subprocess.run(["cp", "-a", "--no-target-directory", source, target], check=True)


def same_file(one, other):
    if subprocess.run(["cmp", "-s", one, other], check=False).returncode != 0:
        raise Failed("what arrived differs")


def same_tree(one, other):
    told = subprocess.run(["diff", "-rq", one, other], check=False, capture_output=True, text=True)
    if told.returncode != 0:
        lines = (told.stdout + told.stderr).splitlines()
        raise Failed(f"what arrived differs: {len(lines)} of its names do")


def throw_away(*paths):
    for path in paths:
        path = Path(path)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
