"""GitHub: reading pulls, posting reviews. The only home of PyGithub."""

from bot.deferred import defer

# A class for everything that GitHub has, and two libraries of cryptography: more than half of PyGithub's import. We send requests.
defer("github.*", "jwt", "nacl.*")
