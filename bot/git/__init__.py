"""The local git: ranges, the index, single files and blobs, as the review needs them."""
