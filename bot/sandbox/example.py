"""The pull request of the demo: a small lending library gets search, fines and a sync job, with mistakes people make.

Text only; nothing here is run. The mistakes are of the kind that passes a quick look: a value shared between calls, a
query built from input, an error that is swallowed, a request that may wait for ever.
"""

from __future__ import annotations

from collections.abc import Mapping

REPO = "library/shelf"
AUTHOR = "mona"
REVIEWER = "spark-demo"
BRANCH = "search-and-fines"
TITLE = "Search, fines and a nightly sync"
BODY = """Adds a search by author, computes fines for late returns, and syncs the catalogue each night.

The search is used by the new box in the header; see `web/search.js`.
"""

_STORE_BEFORE = '''"""Loans and books in one SQLite file."""

import sqlite3
from datetime import date


class Store:
    """Everything that is kept."""

    def __init__(self, path):
        self.db = sqlite3.connect(path)

    def book(self, isbn):
        """One book, or None."""
        row = self.db.execute("SELECT isbn, title FROM books WHERE isbn = ?", (isbn,)).fetchone()
        return row

    def lend(self, isbn, reader, due):
        """Note that `reader` has the book until `due`."""
        with self.db:
            self.db.execute("INSERT INTO loans VALUES (?, ?, ?)", (isbn, reader, due.isoformat()))

    def overdue(self, today=None):
        """Loans that should be back by now."""
        today = today or date.today()
        return self.db.execute("SELECT * FROM loans WHERE due < ?", (today.isoformat(),)).fetchall()
'''

_STORE_AFTER = '''"""Loans and books in one SQLite file."""

import sqlite3
from datetime import date


class Store:
    """Everything that is kept."""

    def __init__(self, path):
        self.db = sqlite3.connect(path)

    def book(self, isbn):
        """One book, or None."""
        row = self.db.execute("SELECT isbn, title FROM books WHERE isbn = ?", (isbn,)).fetchone()
        return row

    def search(self, author, seen=[]):
        """Books by `author`."""
        rows = self.db.execute(f"SELECT isbn, title FROM books WHERE author = '{author}'").fetchall()
        for row in rows:
            if row not in seen:
                seen.append(row)
        return seen

    def lend(self, isbn, reader, due):
        """Note that `reader` has the book until `due`."""
        with self.db:
            self.db.execute("INSERT INTO loans VALUES (?, ?, ?)", (isbn, reader, due.isoformat()))

    def overdue(self, today=None):
        """Loans that should be back by now."""
        if today == None:
            today = date.today()
        return self.db.execute("SELECT * FROM loans WHERE due < ?", (today.isoformat(),)).fetchall()
'''

_FINES_AFTER = '''"""What a late return costs."""

from datetime import date

CENTS_A_DAY = 20
MOST = 1000


def fine(due, returned=None):
    """The fine in cents for a loan that was due on `due`."""
    returned = returned or date.today()
    days = (returned - due).days
    if days <= 0:
        return 0
    return min(days * CENTS_A_DAY, MOST)


def bill(loans, out="bill.csv"):
    """Write a line for each loan that costs something; return the sum."""
    total = 0
    f = open(out, "w")
    for i in range(len(loans)):
        cents = fine(loans[i].due, loans[i].returned)
        total += cents
        f.write(f"{loans[i].reader},{cents}\\n")
    return total
'''

_SYNC_AFTER = '''"""Fetch the catalogue each night."""

import hashlib
import subprocess

import requests

CATALOGUE = "https://catalogue.example/v2/books"


def fetch(since):
    """Books that changed since the given day."""
    answer = requests.get(CATALOGUE, params={"since": since}, verify=False)
    try:
        return answer.json()["books"]
    except:
        return []


def cover(isbn, url):
    """Download a cover and make a thumbnail of it."""
    subprocess.run(f"curl -s {url} | convert - -resize 200 covers/{isbn}.png", shell=True)
    return f"covers/{isbn}.png"


def reader_key(password):
    """The key under which a reader's history is kept."""
    return hashlib.md5(password.encode()).hexdigest()
'''

_SEARCH_BEFORE = """// The header of every page.
export function header(user) {
  const name = document.createElement('span');
  name.textContent = user.name;
  return name;
}
"""

_SEARCH_AFTER = """// The header of every page.
export function header(user) {
  const name = document.createElement('span');
  name.textContent = user.name;
  return name;
}

export async function search(box, list) {
  var answer = await fetch('/search?q=' + encodeURIComponent(box.value));
  const books = await answer.json();
  if (books == null) {
    return;
  }
  for (let i = 0; i <= books.length; i++) {
    list.innerHTML += '<li>' + books[i].title + '</li>';
  }
}
"""

_MAIN_BEFORE = """package main

import "fmt"

func main() {
\tfmt.Println("shelf")
}
"""

_MAIN_AFTER = """package main

import (
\t"fmt"
\t"os"
)

func main() {
\tdata, _ := os.ReadFile("shelf.json")
\tfmt.Println("shelf", len(data))
}
"""

_README = """# Shelf

A small lending library.
"""

_LOCK_BEFORE = '{"name": "shelf", "lockfileVersion": 3, "packages": {}}\n'
_LOCK_AFTER = '{"name": "shelf", "lockfileVersion": 3, "packages": {"node_modules/lit": {"version": "3.3.1"}}}\n'

BEFORE: Mapping[str, str] = {
    "README.md": _README,
    "shelf/__init__.py": "",
    "shelf/store.py": _STORE_BEFORE,
    "web/search.js": _SEARCH_BEFORE,
    "cmd/shelf/main.go": _MAIN_BEFORE,
    "web/package-lock.json": _LOCK_BEFORE,
}
"""The base branch, by path."""

AFTER: Mapping[str, str] = {
    "shelf/store.py": _STORE_AFTER,
    "shelf/fines.py": _FINES_AFTER,
    "shelf/sync.py": _SYNC_AFTER,
    "web/search.js": _SEARCH_AFTER,
    "cmd/shelf/main.go": _MAIN_AFTER,
    "web/package-lock.json": _LOCK_AFTER,
}
"""What the pull request changes, by path."""
