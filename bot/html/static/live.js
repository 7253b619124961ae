// Puts into the page what the server sends: it makes no HTML of its own and decides nothing about findings.
// A review's page follows its events and goes on where it was after a lost connection; the list asks again each 2 s.

const LIST_EVERY = 2000;
const LINK_LOST = "The connection was lost. Trying again…";
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const at = (id) => document.getElementById(id);

const say = (text) => { at("say").textContent = text; };

function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // Made and escaped by the server; the policy of the page runs no script in it.
  return template.content.firstElementChild;
}

// Takes the place of <main> with what the server says now; focus, folds and the place on the page stay.
async function renew() {
  const answer = await fetch(location.pathname + location.search, { headers: { "X-Spark-Part": "main" } });
  if (!answer.ok) throw new Error(String(answer.status));
  const main = fragment(await answer.text());
  const folds = new Map([...document.querySelectorAll("details[id]")].map((box) => [box.id, box.open]));
  const focused = document.activeElement?.id;
  document.querySelector("main").replaceWith(main);
  for (const [id, open] of folds) if (at(id)) at(id).open = open || at(id).open;
  if (focused && at(focused)) at(focused).focus({ preventScroll: true });
  return main;
}

// -- one review ---------------------------------------------------------------------------------------------------

class Review {
  constructor(main) {
    this.main = main;
    this.received = []; // Since the page was last made: its making may know less than we were told.
    this.renewing = null;
  }

  follow() {
    const { job, seq } = this.main.dataset;
    this.source = new EventSource(`/reviews/${job}/events?for=page&after=${seq}`);
    this.source.onopen = () => { at("link").hidden = true; };
    this.source.onerror = () => {
      if (this.over) return;
      at("link").textContent = LINK_LOST;
      at("link").hidden = false;
      // A browser gives up by itself on an answer that is no stream: too many pages are open, or signed out.
      if (this.source.readyState === EventSource.CLOSED) setTimeout(() => this.poll(), LIST_EVERY);
    };
    for (const kind of ["state", "started", "progress", "found", "lost", "note"]) {
      this.source.addEventListener(kind, (message) => this.take(kind, message));
    }
    this.source.addEventListener("over", () => this.end());
  }

  take(kind, message) {
    const event = { kind, seq: Number(message.lastEventId), data: JSON.parse(message.data) };
    this.received.push(event);
    if (!this.renewing) this.show(event);
  }

  show({ kind, seq, data }) {
    if (seq <= Number(this.main.dataset.seq)) return;
    if (kind === "found") this.found(data);
    else if (kind === "progress") this.progress(data);
    else if (kind === "lost") this.lost(data);
    else if (kind === "note") at("notes").append(fragment(data.html));
    else this.anew(); // The diff is there, or the job stands elsewhere.
  }

  // The page as the server makes it now, and what has come since it was made. Tried until it is there.
  async anew() {
    if (this.renewing) { this.again = true; return; }
    this.renewing = true;
    do {
      this.again = false;
      try {
        this.main = await renew();
      } catch {
        this.again = true;
        await new Promise((done) => setTimeout(done, 500));
      }
    } while (this.again);
    this.renewing = false;
    this.received = this.received.filter(({ seq }) => seq > Number(this.main.dataset.seq));
    for (const event of this.received) {
      if (["found", "progress", "lost", "note"].includes(event.kind)) this.show(event);
      // Told, and not yet in what the server has stored: look once more.
      else { setTimeout(() => this.anew(), 150); break; }
    }
    this.bar();
  }

  bar() {
    const { badge, tone } = this.main.dataset;
    at("badge").textContent = badge;
    at("badge").className = `verdict ${tone}`;
    for (const count of document.querySelectorAll("[data-count]")) {
      const number = document.querySelectorAll(`#index .sev.${count.dataset.count}`).length;
      count.querySelector("b").textContent = number;
      count.classList.toggle("none", !number);
    }
    const number = at("index").childElementCount;
    document.title = document.title.replace(/^(\(\d+\) )?/, number ? `(${number}) ` : "");
  }

  found(data) {
    const card = fragment(data.html);
    card.classList.add("new");
    const shown = at(card.id);
    const row = data.row && at(data.row);
    const file = at(data.file);
    if (shown) shown.replaceWith(card);
    else if (row) {
      if (!row.nextElementSibling?.classList.contains("cards")) {
        const cards = document.createElement("tr");
        cards.className = "cards";
        cards.append(document.createElement("td"));
        cards.firstChild.colSpan = 4;
        row.after(cards);
      }
      row.nextElementSibling.firstChild.append(card);
    } else (file ? at(`${data.file}-loose`) : at("loose")).append(card);
    for (const id of data.marked) at(id)?.classList.add("marked", data.severity);
    if (file) {
      file.open = true;
      const badge = at(`${data.file}-badge`);
      const cards = [...file.querySelectorAll(".card")].sort((one, other) => other.dataset.rank - one.dataset.rank);
      badge.hidden = false;
      badge.className = `badge ${cards[0].classList[1]}`;
      badge.firstElementChild.textContent = cards.length;
    }
    this.entry(data);
    const number = at("index").childElementCount;
    at("findings-title").textContent = number === 1 ? "1 finding" : `${number} findings`;
    if (at("tile-first").textContent === "–") at("tile-first").textContent = data.at;
    this.bar();
    say(data.say);
  }

  entry(data) {
    const entry = fragment(data.entry);
    entry.classList.add("new");
    const index = at("index");
    index.hidden = false;
    index.querySelector(`[data-id="${CSS.escape(data.id)}"]`)?.remove();
    const after = [...index.children].find((other) => Number(other.dataset.rank) < Number(entry.dataset.rank));
    index.insertBefore(entry, after ?? null);
  }

  progress(data) {
    at("tile-rate").textContent = data.rate;
    at("tile-tokens").textContent = data.tokens;
    at("tile-chunks").textContent = data.chunks;
    const bar = at("bar");
    if (bar) { bar.max = data.of; bar.value = data.done; }
  }

  lost(data) {
    at("lost").append(fragment(data.html));
    at("lost-number").textContent = at("lost").childElementCount;
    at("lost-box").hidden = false;
  }

  async end() {
    this.over = true;
    this.source.close();
    at("link").hidden = true;
    await this.anew();
    say(`The review is over. ${this.main.querySelector(".outcome").textContent}`);
  }

  async poll() {
    await this.anew();
    if (this.main.dataset.over) { at("link").hidden = true; return; }
    setTimeout(() => this.poll(), LIST_EVERY);
  }

  // Seconds that pass while nothing else moves.
  tick() {
    if (this.main.dataset.over) return;
    const seconds = Math.max(0, Date.now() / 1000 - Number(this.main.dataset.since));
    at("tile-elapsed").textContent = seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
    setTimeout(() => this.tick(), calm.matches ? 1000 : 100);
  }
}

function walk(step) {
  const cards = [...document.querySelectorAll(".card")];
  if (!cards.length) return;
  const here = cards.findIndex((card) => card.contains(document.activeElement));
  const next = cards[(here < 0 ? (step > 0 ? 0 : cards.length - 1) : here + step + cards.length) % cards.length];
  for (let box = next.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
}

const KEYS = { n: () => walk(1), p: () => walk(-1), l: () => location.assign("/") };

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  KEYS[event.key]?.();
}

// -- the list -----------------------------------------------------------------------------------------------------

async function keepList() {
  try {
    if (!document.hidden) await renew();
    at("link").hidden = true;
  } catch {
    at("link").textContent = LINK_LOST;
    at("link").hidden = false;
  }
  setTimeout(keepList, LIST_EVERY);
}

const main = document.querySelector("main");
if (main.dataset.page === "list") setTimeout(keepList, LIST_EVERY);
if (main.dataset.page === "review") {
  document.addEventListener("keydown", press);
  if (!main.dataset.over) {
    const review = new Review(main);
    review.follow();
    review.tick();
  }
}
