"""The built-in prompts: four kinds of work that people ask of a coding model, each with an answer of a known size.

They are fixed texts, so that two measurements are of the same work. What the answers say is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bot.review.ports import CallKind, Prompt

ROOM: Final = 2
"""An answer may be this many times as long as its prompt aims at: models do not count."""
WARM_TOKENS: Final = 16
"""The limit of a warm-up's answer. The Responses API takes no lower one."""
_CHARS_PER_TOKEN: Final = 4
_SYSTEM: Final = "You are a careful senior programmer. Answer with code alone: no introduction, no Markdown fence, no closing remarks."


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchPrompt:
    """One kind of work."""

    name: str
    summary: str
    """For people, in a few words."""
    aims_at: int
    """Tokens that the answer should have, and about has."""
    user: str
    system: str = _SYSTEM

    def prompt(self, max_tokens: int | None) -> Prompt:
        """The call, with a limit of `max_tokens` for its answer; by default twice what it aims at.

        It asks for little reasoning, as reviews at `instant` do.
        """
        return _call(self.system, self.user, max_tokens or ROOM * self.aims_at)


def warm_up() -> Prompt:
    """A call that opens a connection and finds out what the endpoint takes, for next to nothing."""
    return _call(_SYSTEM, "Write the word ready.", WARM_TOKENS)


def _call(system: str, user: str, most: int) -> Prompt:
    return Prompt(
        kind=CallKind.ANSWER,
        system=system,
        user=user,
        max_output_tokens=most,
        reason=False,
        tokens=(len(system) + len(user)) // _CHARS_PER_TOKEN,
    )


_BOILERPLATE: Final = """\
Write one Python module `store.py` with SQLAlchemy 2 models for a library: Author, Book, Copy, Member, Loan and Fine, each
with typed mapped columns, foreign keys, relationships on both sides and a `__repr__`. Below them write a repository class
for each model with the methods get, list, add, update and remove, with type annotations and one-line docstrings. Write
all of it out; abbreviate nothing. Aim at about 1,200 tokens.
"""

_REFACTOR: Final = """\
Refactor this function into small functions with type annotations and early returns. Keep what it does, to the letter. Print
the whole new module with one-line docstrings. Aim at about 600 tokens.

def process(orders, customers, rates, today):
    result = []
    errors = []
    for o in orders:
        if o is not None:
            if o.get("customer") in customers:
                c = customers[o["customer"]]
                if not c.get("blocked"):
                    total = 0
                    for line in o.get("lines", []):
                        if line.get("qty", 0) > 0:
                            price = line["price"] * line["qty"]
                            if line.get("sale") and line["sale_until"] >= today:
                                price = price * (100 - line["sale"]) / 100
                            if c.get("country") in rates:
                                price = price * (1 + rates[c["country"]] / 100)
                            else:
                                errors.append(("no rate", o["id"], c.get("country")))
                                continue
                            total += price
                        else:
                            errors.append(("bad quantity", o["id"], line.get("sku")))
                    if total > 0:
                        if c.get("credit", 0) >= total or c.get("prepaid"):
                            result.append({"id": o["id"], "total": round(total, 2), "to": c["mail"]})
                        else:
                            errors.append(("no credit", o["id"], c["mail"]))
                    else:
                        errors.append(("empty", o["id"], None))
                else:
                    errors.append(("blocked", o["id"], c.get("mail")))
            else:
                errors.append(("unknown customer", o.get("id"), o.get("customer")))
    return result, errors
"""

_HOOKS: Final = """\
Convert this React class component into a function component with hooks, in TypeScript. Keep what it does: the debounced
search, the aborted request, the keyboard, the resize listener. Print the whole file. Aim at about 700 tokens.

class SearchBox extends React.Component {
  constructor(props) {
    super(props);
    this.state = { query: "", results: [], active: -1, busy: false, error: null, narrow: window.innerWidth < 640 };
    this.input = React.createRef();
    this.timer = null;
    this.abort = null;
    this.onResize = this.onResize.bind(this);
    this.onKey = this.onKey.bind(this);
  }
  componentDidMount() {
    window.addEventListener("resize", this.onResize);
    if (this.props.autoFocus) this.input.current.focus();
  }
  componentDidUpdate(before) {
    if (before.scope !== this.props.scope) this.search(this.state.query);
    if (before.open && !this.props.open) this.setState({ query: "", results: [], active: -1 });
  }
  componentWillUnmount() {
    window.removeEventListener("resize", this.onResize);
    clearTimeout(this.timer);
    if (this.abort) this.abort.abort();
  }
  onResize() { this.setState({ narrow: window.innerWidth < 640 }); }
  onChange(event) {
    const query = event.target.value;
    this.setState({ query });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.search(query), 150);
  }
  async search(query) {
    if (this.abort) this.abort.abort();
    if (!query.trim()) { this.setState({ results: [], busy: false }); return; }
    this.abort = new AbortController();
    this.setState({ busy: true, error: null });
    try {
      const url = `/api/search?q=${encodeURIComponent(query)}&scope=${this.props.scope}`;
      const answer = await fetch(url, { signal: this.abort.signal });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      this.setState({ results: await answer.json(), active: -1, busy: false });
    } catch (error) {
      if (error.name !== "AbortError") this.setState({ error: error.message, busy: false });
    }
  }
  onKey(event) {
    const { results, active } = this.state;
    if (event.key === "ArrowDown") this.setState({ active: Math.min(active + 1, results.length - 1) });
    else if (event.key === "ArrowUp") this.setState({ active: Math.max(active - 1, 0) });
    else if (event.key === "Enter" && active >= 0) this.props.onPick(results[active]);
    else if (event.key === "Escape") this.props.onClose();
  }
  render() {
    const { query, results, active, busy, error, narrow } = this.state;
    return (
      <div className={narrow ? "search narrow" : "search"} onKeyDown={this.onKey}>
        <input ref={this.input} value={query} onChange={(event) => this.onChange(event)} placeholder="Search" />
        {busy && <Spinner />}
        {error && <p role="alert">{error}</p>}
        <ul>{results.map((item, at) => <Row key={item.id} item={item} active={at === active} onPick={this.props.onPick} />)}</ul>
      </div>
    );
  }
}
"""

_REVIEW: Final = """\
Review this change. For each real mistake in an added line write one JSON object on a line of its own with the keys "line"
(the added line's number), "severity", "title", "body" (three sentences: what happens, when, how to mend it) and "suggestion"
(the new text of the line). End with {"end": true}. Aim at about 500 tokens.

--- a/shop/reports.py
+++ b/shop/reports.py
@@ -12,6 +12,41 @@ class Reports:
     def __init__(self, db, cache={}):
         self.db = db
         self.cache = cache
+
+    def by_customer(self, name, since):
+        rows = self.db.execute("SELECT * FROM orders WHERE customer = '" + name + "' AND day >= '" + str(since) + "'")
+        if self.cache.get(name):
+            return self.cache[name]
+        self.cache[name] = [row for row in rows]
+        return rows
+
+    def export(self, path, rows):
+        file = open(path, "w")
+        for row in rows:
+            file.write(",".join(row) + "\\n")
+        return os.path.getsize(path)
+
+    def average(self, rows):
+        total = 0
+        for row in rows:
+            total += row["total"]
+        return total / len(rows)
+
+    def newest(self, rows, count):
+        rows.sort(key=lambda row: row["day"])
+        return rows[-count:-1]
+
+    def load(self, path):
+        try:
+            with open(path) as file:
+                return yaml.load(file.read())
+        except:
+            return None
+
+    def send(self, rows, to):
+        body = "\\n".join(str(row) for row in rows)
+        subprocess.run(f"echo '{body}' | mail -s report {to}", shell=True)
+        print("sent report to", to, "with password", self.db.password)
"""

PROMPTS: Final[Mapping[str, BenchPrompt]] = {
    prompt.name: prompt
    for prompt in (
        BenchPrompt(name="boilerplate", summary="models and repositories", aims_at=1200, user=_BOILERPLATE),
        BenchPrompt(name="refactor", summary="one long function into small ones", aims_at=600, user=_REFACTOR),
        BenchPrompt(name="hooks", summary="a React class into hooks", aims_at=700, user=_HOOKS),
        BenchPrompt(name="review", summary="findings in a diff", aims_at=500, user=_REVIEW),
    )
}
"""Every prompt, by name."""
