"""Every number of GitHub's that Spark keeps to, each with its source, and the few of our own that follow from them.

Sources: [docs] docs.github.com, [api] GitHub's published OpenAPI description, [seen] observed by several public bots where
GitHub documents nothing. Nothing here is computed and nothing else in this room has a bare number of GitHub's.
"""

from __future__ import annotations

API_VERSION = "2022-11-28"
"""[docs, REST API versions] Sent with every request, so that a newer default cannot change the shape of an answer."""

PER_PAGE = 100
"""[api, every list] Most entries of one page."""

MAX_PULL_FILES = 3_000
"""[api, pulls/list-files] The files API lists no more of one pull; what is beyond is never named."""

MAX_DIFF_FILES = 300
"""[docs, repository limits] Above this `.diff` of a pull answers 406, code `too_large`."""

MAX_DIFF_LINES = 20_000
"""[docs, repository limits] Above this `.diff` of a pull answers 406, code `too_large`; one file above it has no patch."""

MAX_RAW_BYTES = 100_000_000
"""[api, repos/get-content] Above this the contents API gives no file, in any media type."""

MAX_BODY = 65_536
"""[seen, 422 `body is too long (maximum is 65536 characters)`] Characters of a comment's or a review's body."""

SAFE_BODY = 60_000
"""[seen] Where others cut: the server counts some characters more than once."""

MAX_REVIEW_COMMENTS = 30
"""[seen] Comments of one `POST .../reviews`. 27 always worked; 32 were posted and answered 502; more were "submitted too
quickly". There is no documented maximum."""

MAX_CONTENT_WRITES_PER_MINUTE = 80
"""[docs, secondary rate limits] Requests that create content."""

MAX_CONTENT_WRITES_PER_HOUR = 500
"""[docs, secondary rate limits] Requests that create content."""

SECONDS_BETWEEN_WRITES = 1.0
"""[docs, best practices] Pause between requests that change something, when there are many of them."""

SECONDARY_WAIT = 60.0
"""[docs, best practices] Seconds to wait after a secondary limit that names no time."""

MAX_ANNOTATIONS = 50
"""[api, checks/create and checks/update] Annotations of one request; a later one adds to those there are."""

MAX_ANNOTATION_BYTES = 65_536
"""[api, checks/create: 64 KB] An annotation's message."""

MAX_CHECK_TITLE = 255
"""[api, checks/create] Characters of an annotation's title. For the title of a check's output none are documented."""

MAX_CHECK_TEXT = 65_535
"""[api, checks/create: characters] A check run's summary, and its text. Counted in bytes here, which are never fewer."""

MAX_CHECK_ACTIONS = 3
"""[api, checks/create] Buttons of a check run."""

MAX_ACTION_LABEL = 20
MAX_ACTION_DESCRIPTION = 40
MAX_ACTION_IDENTIFIER = 20
"""[api, checks/create] Characters of what a button has."""

MAX_JWT_SECONDS = 600
"""[docs, generating a JSON web token] An App's own token may not end later than this from now."""

JWT_PAST_SECONDS = 60
"""[docs, generating a JSON web token] It is dated back by this, for clocks that differ."""

MAX_APP_NAME = 34
"""[docs, registering a GitHub App] Characters of an App's name."""

MAX_PULL_COMMITS = 250
"""[api, pulls/list-commits] The list has no more of a pull's commits."""

# What is no content and so not paced: a reaction. [docs, secondary rate limits: "requests that create content", such as
# issues, comments and pull requests; a reaction is none of them and notifies nobody.] It counts as any other write: 5 of 900
# points a minute.

# Our own, chosen inside the numbers above.

JWT_SECONDS = 540
"""Life of an App's own token from now: a minute below the limit, for a clock that runs ahead of GitHub's."""

JWT_LEAST_SECONDS = 60.0
"""An App's own token with less than this left is made anew."""

RENEW_TOKEN_SECONDS = 600.0
"""An installation token (an hour long [docs]) with less than this left is renewed, while it is still used."""

TOKEN_LEAST_SECONDS = 60.0
"""With less than this left it is not used any more: a review takes about as long."""

KEEP_TOKEN_SECONDS = 8 * 3600.0
"""So long after it was last wanted a repository's token is renewed ahead: a working day."""

MAX_TOKENS_AHEAD = 200
"""Repositories, those used last, whose tokens are renewed ahead: 240 requests an hour of the 5,000 that an App has [docs, rate
limits for GitHub Apps]."""

MAX_KEPT_TOKENS = 2_000
"""Repositories of which a process remembers a token; the one used longest ago is forgotten first."""

SERVER_SOCKETS = 64
"""Connections that a server keeps open to GitHub, below the 100 requests at once [docs, secondary rate limits]."""

CHECK_TRIES = 4
"""Sendings of what opens or closes a check run, at most."""

CHECK_PAUSE = 0.5
"""Seconds before the second of them; each further pause is twice as long."""

CHECK_UPDATE_SECONDS = 10.0
"""What an update of a check run may take: the next one tells the same and more."""

MAX_DELIVERY_PAGES = 50
"""Pages read of each of the two lists of deliveries in one sweep: 5,000 failures, and the 5,000 newest of all."""

PARALLEL_READS = 8
"""A pull of 3,000 files is 30 pages: four rounds. Far below GitHub's 100 at once [docs, secondary rate limits], which everything
that uses the account shares."""

FREE_WRITES = 3
"""Writes in a minute that go out without a pause: one review of one part is never delayed."""

BLOBS_PER_QUERY = 50
"""Objects of one GraphQL query, which the server cuts off with a 502 after 10 s [docs, GraphQL limits]; two queries in parallel
are faster than one of a hundred."""

EAGER_QUERIES = 4
"""Queries sent before anybody asks for a file; of a larger pull the others wait until one of their files is wanted."""

CHANGED_LINES_PER_QUERY = 20_000
"""Changed lines of the files of one query: the only hint at their size that the files API gives."""

MAX_COMPARED_FILES = 300
"""[api, commits/compare-two-commits] A comparison lists no more files, all on its first page."""

MAX_COMPARED_BYTES = 10_000_000
"""Blobs above this are not compared here: a text of that size is no review's business, and the machine is shared."""

MAX_RATE_WAIT = 30.0
"""Seconds that a read waits for a rate limit; a longer one ends the job with the time in its message."""

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
"""Silence on an open request after which it counts as lost. Creating a review of 30 comments takes GitHub seconds."""

READ_TRIES = 2
"""Repeats of a GET after a cut connection or a 5xx; a POST is never repeated by the transport."""

POST_TRIES = 2
"""Sendings of one review, at most: the second only after a listing has shown that the first did not land."""

MAX_PROBES = 60
"""Pending reviews made to find refused comments; what is still unknown then goes to the summary."""

THUMBS_READ = 20
"""Thumbs down that are read of a thread's first comment: the first of somebody who may write is enough."""

THREADS_PER_SMALL_PAGE = 25
"""Threads of a page when GraphQL could not finish one of a hundred: it stops a query after 10 s [docs, GraphQL limits]."""

ROLES_ASKED = 10
"""Logins of which one review asks what they may do: those who resolved our threads, or put a thumb down."""

STEP_TRIES = 3
"""Sendings of a change that is the same twice as once, such as a reaction or a thread resolved."""

STEPS_PER_DOCUMENT = 20
"""Notes, or resolutions, that one GraphQL document asks for. A request is cut off after 10 s [docs, GraphQL limits], and a review
of 30 comments, which are made like notes, comes near that (`MAX_REVIEW_COMMENTS`): two thirds of it leave room."""

BUNDLE_SECONDS = 15.0
"""With less than this left notes in threads are sent as they are, not as one review: that takes three requests, paced, for one."""

COMMITS_LOOKED_AT = 30
"""Newest commits of a branch among which a commit of ours is looked for by its trailer."""
