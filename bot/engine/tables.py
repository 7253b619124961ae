"""Our tables, beside the ones that DBOS keeps for itself in the same database. SQLite and PostgreSQL alike.

Times are seconds since 1970 as floats, by the clock of the process that writes; nothing that must be right compares the
clocks of two machines. JSON is text, so that both databases store the same.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

SCHEMA_VERSION = 2

metadata = MetaData()

about = Table(
    "spark_about",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
"""`schema`: the version of these tables. Also small facts of the whole installation, such as how far the sweeper came."""

deliveries = Table(
    "spark_deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("event", Text, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("job", String(16), nullable=True),
    Column("answer", Text, nullable=False),
    Index("spark_deliveries_by_age", "received_at"),
)
"""Every delivery with a right signature that was answered 200 or 202, with what was answered."""

jobs = Table(
    "spark_jobs",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("delivery", Text, nullable=False),
    Column("repo", Text, nullable=False),
    Column("number", Integer, nullable=True),
    Column("installation", BigInteger, nullable=False),
    Column("lane", Text, nullable=False),
    Column("sameness", Text, nullable=False),
    Column("work", Text, nullable=False),
    Column("state", String(12), nullable=False),
    Column("owner", String(40), nullable=True),
    Column("attempt", Integer, nullable=False, default=0),
    Column("lost", Integer, nullable=False, default=0),
    Column("released", Integer, nullable=False, default=0),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float, nullable=True),
    Column("ended_at", Float, nullable=True),
    Column("stop", String(12), nullable=True),
    Column("checkpoint", Text, nullable=True),
    Column("ended", Text, nullable=True),
    Column("talk", Integer, nullable=False, default=0, server_default="0"),
    # One job of a lane at a time, in all processes: held by the database itself.
    Index(
        "spark_one_running",
        "lane",
        unique=True,
        sqlite_where=text("state = 'running' AND released = 0"),
        postgresql_where=text("state = 'running' AND released = 0"),
    ),
    Index("spark_jobs_in_turn", "state", text("talk DESC"), "created_at"),
    Index("spark_jobs_by_sameness", "sameness", "created_at"),
    Index("spark_jobs_by_age", "created_at"),
    Index("spark_jobs_in_lane", "lane", "created_at"),
)
"""`lane`: what runs one after another (`owner/name#7`). `sameness`: jobs that would do the same (lane, head, base, and what
else tells them apart). `owner`: the process that runs it. `attempt`: how often it was begun. `lost`: how often a process died
under it. `released`: 1 while it runs but has let its lane and its slot go. `stop`: a `StopCause` that another process asks for. `ended`: an `Ended` as JSON.
`talk`: 1 for the answer to a comment, which has slots of its own and goes first; since version 2."""

events = Table(
    "spark_events",
    metadata,
    Column("job", String(16), ForeignKey("spark_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(12), nullable=False),
    Column("data", Text, nullable=False),
)
"""The live events of each job."""

spending = Table(
    "spark_spending",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("day", String(10), nullable=False),
    Column("usd", Float, nullable=False),
    Index("spark_spending_by_day", "day"),
)
"""Dollars taken from a day's budget (UTC), by job or by whatever else spends; what was taken and not used is given back."""

executors = Table(
    "spark_executors",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("beats", BigInteger, nullable=False),
)
"""Live processes. `beats` grows; a process whose number stands still for the length of the lease is dead. The watcher
measures that by its own clock, so no two clocks need to agree."""

dismissals = Table(
    "spark_dismissals",
    metadata,
    Column("repo", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("data", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index("spark_dismissals_by_age", "repo", "at"),
)
"""What people of a repository said is not to be spoken of; for good, so nothing prunes it. `data`: a `Remembered` as JSON.
Since version 2."""

repos = Table(
    "spark_repos",
    metadata,
    Column("repo", String(200), primary_key=True),
    Column("reviews_drafts", Integer, nullable=False),
)
"""What the door must know of a repository before a job has read its configuration: learned from the last review."""
