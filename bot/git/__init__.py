"""The local git: ranges, the index, single files and blobs, as the review needs them."""

from bot.git.compare import compare_blobs, diff_blobs
from bot.git.difffile import DiffFileSource
from bot.git.process import Repository
from bot.git.sources import RangeSource, StagedSource

__all__ = ["DiffFileSource", "RangeSource", "Repository", "StagedSource", "compare_blobs", "diff_blobs"]
