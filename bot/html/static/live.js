// Puts into the page what the server sends: it makes no HTML of its own and decides nothing about findings.
// A review's page follows its events and goes on where it was after a lost connection; the list asks again each 2 s.

const LIST_EVERY = 2000;
const MOST_LOOKS = 20;
const LINK_LOST = "The connection was lost. Trying again…";
const wait = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const main = () => document.querySelector("main");
const at = (id) => document.getElementById(id);

// One line a message: a screen reader would miss all but the last of several in one.
function say(text) {
  const line = document.createElement("p");
  line.textContent = text;
  at("say").append(line);
  if (at("say").childElementCount > 20) at("say").firstElementChild.remove();
}

function tell(trouble) {
  at("link").textContent = trouble;
  at("link").hidden = !trouble;
}

// How far the server's clock is ahead of ours, in seconds; its answers say what time it is there.
let ahead = 0;
const setClock = (main) => { ahead = Number(main.dataset.now) - Date.now() / 1000; };
const since = (moment) => Math.max(0, Date.now() / 1000 + ahead - moment);
const seconds = (value) => value < 60 ? `${value.toFixed(value < 1 ? 2 : 1)} s` : `${Math.round(value).toLocaleString("en")} s`;

function fragment(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // Made and escaped by the server; the policy of the page runs no script in it.
  return template.content.firstElementChild;
}

// Takes the place of <main> with what the server says now; focus, folds and the place on the page stay.
async function renew() {
  const answer = await fetch(location.pathname + location.search, { headers: { "X-Spark-Part": "main" } });
  // Signed out, or gone: what the server has to say about that is a page of its own.
  if ([401, 403, 404].includes(answer.status)) location.reload();
  if (!answer.ok) throw new Error(String(answer.status));
  const main = fragment(await answer.text());
  if (main?.tagName !== "MAIN") throw new Error("This is no page of ours.");
  setClock(main);
  const shown = document.querySelector("main");
  main.received = main.innerHTML;
  // A list that is as it was stays: somebody may be selecting text in it.
  if (main.dataset.page === "list" && main.received === shown.received) return shown;
  const folds = new Map([...document.querySelectorAll("details[id]")].map((box) => [box.id, box]));
  const focused = document.activeElement?.id;
  shown.replaceWith(main);
  for (const [id, was] of folds) {
    const box = at(id);
    if (box) box.open = was.open || (!was.querySelector(".card") && Boolean(box.querySelector(".card")));
  }
  if (focused && at(focused)) at(focused).focus({ preventScroll: true });
  return main;
}

// -- one review ---------------------------------------------------------------------------------------------------

class Review {
  constructor(main) {
    this.main = main;
    this.received = []; // Since the page was last made: its making may know less than we were told.
    this.renewing = null;
    this.looks = 0; // For something that was told to be stored, too.
    this.polls = 1; // Before a stream is tried again that was refused; twice as many each time.
  }

  follow() {
    const { job, seq } = this.main.dataset;
    this.source = new EventSource(`/reviews/${job}/events?for=page&after=${seq}`);
    this.source.onopen = () => { this.polls = 1; tell(""); };
    this.source.onerror = () => {
      if (this.over) return;
      tell(LINK_LOST);
      // A browser gives up by itself on an answer that is no stream: too many pages are open, or signed out.
      if (this.source.readyState === EventSource.CLOSED) this.poll(this.polls);
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
  anew() {
    this.again = true;
    this.renewing ??= this.remake().finally(() => { this.renewing = null; });
    return this.renewing;
  }

  async remake() {
    let pause = 250;
    while (this.again) {
      this.again = false;
      try {
        this.main = await renew();
      } catch {
        this.again = true;
        tell(LINK_LOST);
        pause = Math.min(2 * pause, 5000);
        await wait(pause);
      }
    }
    this.received = this.received.filter(({ seq }) => seq > Number(this.main.dataset.seq));
    const isOurs = ({ kind }) => ["found", "progress", "lost", "note"].includes(kind);
    const first = this.received.findIndex((event) => !isOurs(event));
    // Told, and not yet in what the server has stored: look once more. What is never stored is not waited for.
    this.looks = first < 0 ? 0 : this.looks + 1;
    const waits = this.looks > 0 && this.looks <= MOST_LOOKS;
    for (const event of waits ? this.received.slice(0, first) : this.received.filter(isOurs)) this.show(event);
    this.bar();
    if (waits) setTimeout(() => this.anew(), 150);
  }

  bar() {
    const { badge, tone, title } = this.main.dataset;
    at("badge").textContent = badge;
    at("badge").className = `verdict ${tone}`;
    for (const count of document.querySelectorAll("[data-count]")) {
      const number = document.querySelectorAll(`#index .sev.${count.dataset.count}`).length;
      count.querySelector("b").textContent = number;
      count.classList.toggle("none", !number);
    }
    const number = at("index").childElementCount;
    document.title = `${number ? `(${number}) ` : ""}${badge[0].toUpperCase()}${badge.slice(1)} · ${title} · Spark`;
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
    if (at("tile-first").textContent === "–") at("tile-first").textContent = seconds(Number(this.main.dataset.waited) + data.at);
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
    await this.anew();
    tell("");
    say(`${this.main.dataset.kind === "command" ? "It" : "The review"} is over. ${this.main.querySelector(".outcome").textContent}`);
  }

  // Asks again and again instead of listening, and tries now and then to listen.
  async poll(times) {
    for (let turn = 0; turn < times; turn += 1) {
      await wait(LIST_EVERY);
      const before = at("index").childElementCount;
      await this.anew();
      tell("");
      const more = at("index").childElementCount - before;
      if (more > 0) say(`${more} more ${more === 1 ? "finding" : "findings"}.`);
      if (this.main.dataset.over) { this.end(); return; }
    }
    this.polls = Math.min(2 * times, 16);
    this.follow();
  }
}

// Seconds that pass while nothing else moves.
function tick() {
  const { since: began } = main().dataset;
  if (began && at("tile-elapsed")) at("tile-elapsed").textContent = seconds(since(Number(began)));
  for (const row of document.querySelectorAll("li[data-since]")) row.textContent = seconds(since(Number(row.dataset.since)));
  setTimeout(tick, calm.matches ? 1000 : 100);
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
    tell("");
  } catch {
    tell(LINK_LOST);
  }
  setTimeout(keepList, LIST_EVERY);
}

setClock(main());
tick();
if (main().dataset.page === "list") {
  main().received = main().innerHTML;
  setTimeout(keepList, LIST_EVERY);
} else {
  document.addEventListener("keydown", press);
  if (!main().dataset.over) new Review(main()).follow();
}
