// The live page. What hosts wrote enters it only as text: there is no markup in this file, and the page's policy
// (Trusted Types) lets none in.
"use strict";

const BAD = ["failed", "timed_out", "stalled", "killed", "lost"];
const FILTERS = {
  "not succeeded": (row) => row.state !== "succeeded",
  running: (row) => row.state === "running",
  queued: (row) => row.state === "queued",
  failed: (row) => BAD.includes(row.state) && row.state !== "lost",
  lost: (row) => row.state === "lost",
  unreachable: (row) => row.state === "unreachable" || row.state === "error",
  succeeded: (row) => row.state === "succeeded",
  all: () => true,
};
const RANK = { lost: 0, failed: 0, timed_out: 0, stalled: 0, killed: 0, error: 1, unreachable: 1, running: 2, queued: 3, succeeded: 4 };
const PAGE = 200; // rows at first, and with each "more"
const LONGEST_OUTPUT = 512 * 1024; // characters of a stream that stay on the page
const SILENCE = 40; // seconds: the server sends something every fifteen

const byId = (id) => document.getElementById(id);
const csrf = document.body.dataset.csrf;
const mayAct = document.body.dataset.actions === "yes";
const hosts = new Map(); // by name, in the inventory's order
let runs = {};
let needs = [];
let clock = 0; // seconds that the server's clock is ahead of ours
let shown = PAGE;
let filter = "not succeeded";
let open = null; // the job whose output is shown
let output = null; // its EventSource
let due = false;
let fleet = null; // its EventSource
let heardAt = 0; // when the server last sent something; 0: never
let triedAt = 0; // when it did, or was asked to
let lostAt = 0; // since when it sends nothing; 0: what is shown is live

// While nothing arrives, nothing is known to go on: the clocks stop.
const now = () => (lostAt || Date.now()) / 1000 + clock;

function made(name, text, attributes = {}) {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  return element;
}

// Only to the pages that the server itself named: those of Prefect's UI.
function link(text, address) {
  const safe = /^https?:\/\//.test(address) || address.startsWith("/");
  return safe ? made("a", text, { href: address }) : made("span", text);
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  const [minutes, hours, days] = [Math.floor(whole / 60), Math.floor(whole / 3600), Math.floor(whole / 86400)];
  const two = (number) => String(number).padStart(2, "0");
  if (days) return `${days}d${two(hours % 24)}h`;
  return hours ? `${hours}h${two(minutes % 60)}m` : `${minutes}m${two(whole % 60)}s`;
}

function clockTime(seconds) {
  const date = new Date(seconds * 1000);
  const time = date.toLocaleTimeString([], { hourCycle: "h23" });
  return Date.now() - date.getTime() > 20 * 3600 * 1000 ? `${date.toLocaleDateString()} ${time}` : time;
}

const ago = (job, host) => (job.finished || job.delta === null || host.wrong ? job.delta : job.delta + now() - host.asked);
const ZONE = new Intl.DateTimeFormat([], { timeZoneName: "short" }).formatToParts().find((part) => part.type === "timeZoneName").value;
const key = (host, jid) => JSON.stringify([host, jid]);

// --- what there is to show ---

function rows() {
  const found = [];
  for (const host of hosts.values()) {
    if (host.wrong) {
      const since = host.away ? `since ${clockTime(host.away)}` : "";
      found.push({ host, state: host.wrong, name: "", msg: [since, host.msg].filter(Boolean).join(": "), remedy: host.remedy, jid: "", run: "" });
    }
    for (const job of host.jobs) found.push({ host, job, ...job });
  }
  return found;
}

function wordsOf(row) {
  const run = runs[row.run];
  return [row.host.host, row.name, row.jid, row.state, row.msg, row.line || "", row.run, run ? run.name : ""].join("\n").toLowerCase();
}

function order(a, b) {
  const rank = RANK[a.state] - RANK[b.state];
  if (rank) return rank;
  // Of what runs the longest first, of what ended the newest.
  const [first, second] = RANK[a.state] < RANK.running || a.state === "succeeded" ? [b, a] : [a, b];
  const [one, other] = [first.end || first.start || "", second.end || second.start || ""];
  return one < other ? -1 : one > other ? 1 : 0;
}

// Filter and search are in the address: so they outlast a reload, and can be shared.
function readAddress() {
  const query = new URLSearchParams(location.search);
  filter = Object.hasOwn(FILTERS, query.get("show")) ? query.get("show") : "not succeeded";
  byId("search").value = query.get("q") || "";
}

function writeAddress() {
  const query = new URLSearchParams(location.search);
  for (const [name, value, usual] of [["show", filter, "not succeeded"], ["q", byId("search").value.trim(), ""]]) {
    if (value === usual) query.delete(name);
    else query.set(name, value);
  }
  history.replaceState(null, "", `${location.pathname}${String(query) ? `?${query}` : ""}${location.hash}`);
}

const wantedRun = () => new URLSearchParams(location.search).get("run") || "";
const wantedHost = () => new URLSearchParams(location.search).get("host") || "";

function inScope(row) {
  return (!wantedRun() || row.run === wantedRun()) && (!wantedHost() || row.host.host === wantedHost());
}

// --- drawing, at most twice a second ---

function draw() {
  if (due) return;
  due = true;
  setTimeout(() => { due = false; drawAll(); }, 60);
}

function drawAll() {
  const all = rows().filter(inScope);
  drawNeeds();
  drawMap();
  drawFilters(all);
  drawScope();
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = all.filter(FILTERS[filter]).filter((row) => words.every((word) => wordsOf(row).includes(word)));
  found.sort(order);
  drawTable(found.slice(0, shown));
  byId("more").hidden = found.length <= shown;
  byId("more").firstChild.textContent = `Show more (${found.length - shown} left)`;
  const waiting = [...hosts.values()].filter((host) => host.asked === null && !host.wrong).length;
  byId("none").hidden = found.length > 0;
  byId("none").textContent = waiting ? `Asking ${waiting} of ${hosts.size} hosts …` : nothing(all);
  document.title = titleOf(all);
  set(byId("count"), `· ${hosts.size === 1 ? "1 host" : `${hosts.size} hosts`} · times in ${ZONE}`);
}

function nothing(all) {
  const succeeded = all.filter(FILTERS.succeeded).length;
  if (filter === "not succeeded" && succeeded === all.length && succeeded) return `Nothing runs or went wrong; ${succeeded === 1 ? "the one job" : `all ${succeeded} jobs`} that ended lately succeeded.`;
  return all.length ? "No job matches." : "There are no jobs on these hosts.";
}

function titleOf(all) {
  const counts = ["failed", "lost", "unreachable"].map((name) => [name, all.filter(FILTERS[name]).length]).filter(([, count]) => count);
  return `${lostAt ? "old · " : ""}${counts.map(([name, count]) => `${count} ${name} · `).join("")}${document.querySelector(".pattern").textContent} · remotejobs`;
}

function drawFilters(all) {
  const counts = Object.entries(FILTERS).map(([name, fits]) => [name, all.filter(fits).length]);
  const box = byId("filters");
  for (const [name, count] of counts) {
    let button = box.querySelector(`[data-name="${name}"]`);
    if (!button) {
      button = made("button", "", { type: "button", "data-name": name });
      button.append(made("i", "", { class: name, "aria-hidden": "true" }), made("span", name), " ", made("b", ""));
      button.addEventListener("click", () => { filter = name; shown = PAGE; writeAddress(); drawAll(); });
      box.append(button);
    }
    button.setAttribute("aria-pressed", String(name === filter));
    button.className = !count ? "none" : name === "failed" || name === "lost" || name === "unreachable" ? "bad" : "";
    set(button.lastChild, String(count));
  }
}

function drawScope() {
  const box = byId("scope");
  const [run, host] = [wantedRun(), wantedHost()];
  const known = runs[run];
  const text = run ? `only the run ${known ? known.name : run}` : host ? `only ${host}` : "";
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.replaceChildren();
  if (!text) return;
  box.append(text, " ");
  if (known && known.page) box.append(link("in Prefect", known.page), " ");
  box.append(link("show all", "/"));
}

function drawMap() {
  const box = byId("map");
  box.hidden = hosts.size < 2;
  for (const host of hosts.values()) {
    const states = host.wrong ? [host.wrong] : host.jobs.map((job) => job.state);
    const worst = states.sort((a, b) => RANK[a] - RANK[b])[0] || (host.asked === null ? "waiting" : "idle");
    let item = host.square;
    if (!item) {
      item = made("a", "", { href: `?host=${encodeURIComponent(host.host)}`, tabindex: box.firstChild ? "-1" : "0" });
      host.square = item;
      const place = made("li");
      place.append(item);
      box.append(place);
    }
    if (item.className !== worst) {
      item.className = worst;
      item.setAttribute("aria-label", `${host.host}: ${worst.replace("_", " ")}`);
    }
  }
  sayOfSquare();
}

// The host and state of the square that is pointed at or has the focus, as text. For screen readers they are its label.
function sayOfSquare() {
  const square = document.querySelector("#map a:hover") || document.querySelector("#map a:focus");
  set(byId("map-words"), square ? square.getAttribute("aria-label") : "");
}

const lines = new Map(); // table rows by key

function drawTable(found) {
  const body = document.querySelector("#jobs tbody");
  const wanted = new Set();
  const focused = document.activeElement; // a row that is moved loses it
  let before = null;
  for (const row of found) {
    const id = key(row.host.host, row.jid);
    wanted.add(id);
    let line = lines.get(id);
    if (!line) {
      line = newLine(row);
      lines.set(id, line);
    }
    fill(line, row);
    const place = before ? before.nextSibling : body.firstChild;
    if (line !== place) body.insertBefore(line, place);
    before = line;
  }
  for (const [id, line] of lines) {
    if (!wanted.has(id)) {
      line.remove();
      lines.delete(id);
    }
  }
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

function newLine(row) {
  const line = made("tr");
  for (const label of ["Host", "State", "Job", "For", "rc", ""]) line.append(made("td", "", { "data-label": label }));
  line.cells[0].append(made("a", row.host.host, { href: `?host=${encodeURIComponent(row.host.host)}` }));
  line.cells[1].append(made("span", "", { class: "state" }));
  line.cells[5].append(made("span"), made("code", "", { title: "its last line" }));
  if (row.jid) {
    const name = made("a", "", { href: `#${encodeURIComponent(row.host.host)}/${row.jid}`, title: row.jid, class: "open" });
    line.cells[2].append(name, made("span", "", { class: "run" }));
  }
  return line;
}

function fill(line, row) {
  const stale = Boolean(row.job && row.host.wrong);
  const over = row.job && !row.job.finished && runs[row.run] && runs[row.run].over;
  line.className = [stale ? "stale" : "", open && open.host === row.host.host && open.jid === row.jid ? "chosen" : ""].join(" ").trim();
  const state = line.cells[1].firstChild;
  set(state, row.state.replace("_", " "));
  state.className = `state ${row.state}`;
  if (row.job) {
    set(line.cells[2].firstChild, row.name);
    drawRun(line.cells[2].lastChild, row);
    set(line.cells[3], duration(ago(row.job, row.host)));
    set(line.cells[4], row.rc);
  }
  const parts = [stale ? `as of ${clockTime(row.host.asked)}; no contact` : "", over ? `its run is over: ${runs[row.run].state}` : "",
    row.still ? "it still runs without a supervisor" : "", row.msg, row.remedy].filter(Boolean);
  const [said, output] = line.cells[5].children;
  set(said, parts.join(" · "));
  set(output, row.line);
  output.hidden = !row.line;
}

function drawRun(box, row) {
  const run = runs[row.run];
  const text = run ? run.name : "";
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.replaceChildren();
  if (run && run.page) box.append(" ", link(run.name, run.page));
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text ?? "";
}

function drawNeeds() {
  const text = JSON.stringify(needs);
  const box = byId("needs");
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.hidden = !needs.length;
  const urgent = needs.filter((need) => !need.calm).length;
  set(byId("needs-head"), urgent ? `Needs a person (${urgent})` : "To be known");
  box.classList.toggle("calm", !urgent);
  box.querySelector("ul").replaceChildren(...needs.map(drawNeed));
}

function drawNeed(need) {
  const item = made("li", null, { class: need.calm ? "calm" : "" });
  item.append(made("b", need.kind), " ");
  if (need.host) item.append(need.jid ? made("a", need.host, { href: `#${encodeURIComponent(need.host)}/${need.jid}` }) : made("span", need.host, { class: "host" }), " ");
  item.append(made("span", need.text));
  if (need.page) item.append(" ", link("in Prefect", need.page));
  if (need.remedy) item.append(made("span", ` ${need.remedy}`, { class: "remedy" }));
  if (need.command) item.append(made("code", need.command));
  return item;
}

// --- one job ---

function jobAt(place) {
  const match = /^#([^/]+)\/([A-Za-z0-9._-]+)$/.exec(place);
  if (!match) return null;
  try {
    return { host: decodeURIComponent(match[1]), jid: match[2] };
  } catch {
    return null;
  }
}

function show() {
  const job = jobAt(location.hash);
  if (output) output.close();
  output = null;
  open = job;
  byId("job").hidden = !job;
  document.body.classList.toggle("with-job", Boolean(job));
  drawAll();
  if (!job) return;
  empty();
  note("");
  for (const id of ["job-cmd", "commands"]) byId(id).replaceChildren();
  byId("job-actions").dataset.text = "";
  drawJob();
  byId("job-name").focus();
  follow(job);
}

function drawJob() {
  if (!open) return;
  const host = hosts.get(open.host);
  const job = host && host.jobs.find((each) => each.jid === open.jid);
  set(byId("job-name"), `${job ? job.name : open.jid} on ${open.host}`);
  const state = byId("job-state");
  const parts = job ? [duration(ago(job, host)), job.rc ? `rc ${job.rc}` : "", job.msg, job.start ? `started ${clockTime(Date.parse(job.start) / 1000)}` : ""] : ["it is not among the jobs that are shown"];
  const badge = made("span", job ? job.state.replace("_", " ") : "", { class: `state ${job ? job.state : ""}` });
  state.replaceChildren(badge, ` ${parts.filter(Boolean).join(" · ")}`);
  const text = JSON.stringify([job && job.state, runs[job && job.run], job && failedLike(job).length, open.end, open.page]);
  const box = byId("job-actions");
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.replaceChildren();
  if (!job) return;
  const page = (runs[job.run] && runs[job.run].page) || open.page;
  if (page) box.append(link("Its run in Prefect", page), " ");
  if (job.run) box.append(link("All jobs of this run", `/?run=${job.run}`), " ");
  if (job.run && page && BAD.includes(job.state)) box.append(link("Run again on the failed, in Prefect", `/runs/${job.run}/again`), " ");
  if (!mayAct) return;
  if (!job.finished || job.still || job.state === "lost") box.append(button("Kill …", () => kill(open.host, job)), " ");
  if (!job.run && BAD.includes(job.state) && job.state !== "lost") box.append(button(`Run again on the failed (${failedLike(job).length}) …`, () => again(job)), " ");
}

function failedLike(job) {
  return [...hosts.values()].filter((host) => host.jobs.some((each) => each.jid === job.jid && BAD.includes(each.state) && each.state !== "lost" && !each.still));
}

function button(text, act) {
  const element = made("button", text, { type: "button" });
  element.addEventListener("click", act);
  return element;
}

function follow(job) {
  if (output) output.close();
  const source = new EventSource(`/output?host=${encodeURIComponent(job.host)}&jid=${encodeURIComponent(job.jid)}`);
  output = source;
  let fresh = true; // what comes after a lost connection begins anew
  const heard = (name, act) => source.addEventListener(name, (event) => { if (source === output) act(JSON.parse(event.data)); });
  source.addEventListener("error", () => { if (source === output) note("no connection: this is as it was"); });
  heard("details", (said) => {
    fresh = true;
    note("");
    open.page = said.page;
    set(byId("commands"), said.commands.join("\n"));
    drawJob();
  });
  heard("command", (text) => { note(""); set(byId("job-cmd"), text.trimEnd()); });
  heard("output", (said) => {
    note("");
    if (fresh) empty();
    fresh = false;
    for (const name of ["stdout", "stderr"]) if (said[name]) append(name, said[name]);
  });
  heard("away", (text) => note(`no contact, this is as it was: ${text}`));
  heard("gone", (text) => { note(text); source.close(); });
  heard("end", (said) => {
    note("");
    set(byId("job-cmd"), said.cmd.trimEnd());
    for (const id of ["stdout", "stderr"]) if (!byId(id).textContent) byId(id).replaceChildren(made("em", "it wrote nothing here"));
    open.end = said.state;
    source.close();
  });
}

function empty() {
  for (const id of ["stdout", "stderr"]) {
    byId(id).replaceChildren();
    delete byId(id).dataset.cut;
  }
  for (const id of ["out-head", "err-head"]) set(byId(id).lastElementChild, "");
}

function append(name, said) {
  const box = byId(name);
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  if (said.skipped) {
    box.replaceChildren();
    box.dataset.cut = "yes";
  }
  box.append(said.text);
  while (box.childNodes.length > 1 && box.textContent.length > LONGEST_OUTPUT) {
    box.firstChild.remove();
    box.dataset.cut = "yes";
  }
  set(byId(name === "stdout" ? "out-head" : "err-head").lastElementChild, box.dataset.cut ? `the end of ${said.bytes} bytes` : "");
  if (atEnd) box.scrollTop = box.scrollHeight;
}

function note(text) {
  set(byId("job-note"), text);
  byId("job-note").hidden = !text;
}

// --- actions ---

function ask(text, yes, withTimeout = false) {
  const dialog = byId("ask");
  set(byId("ask-text"), text);
  set(byId("ask-yes"), yes);
  byId("ask-timeout").hidden = !withTimeout;
  byId("timeout").value = "";
  byId("timeout").disabled = !withTimeout;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
  });
}

// An action on a job has one token until its answer arrives: pressed twice, or again after a connection that broke, it is
// done once, and every press gets the same answer.
const tokens = new Map();

function tokenOf(action) {
  if (!tokens.has(action)) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    tokens.set(action, [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
  }
  return tokens.get(action);
}

async function post(address, what, fields) {
  const action = JSON.stringify([address, what]);
  report("asking …");
  try {
    const body = new URLSearchParams([...what, ...fields, ["once", tokenOf(action)]]);
    const answer = await fetch(address, { method: "POST", body, headers: { "X-CSRF-Token": csrf } });
    if (answer.ok || answer.status === 409) tokens.delete(action);
    if (!answer.ok) return report((await answer.text()).trim(), false);
    const done = await answer.json();
    report(done.map((each) => `${each.host}: ${each.text}`).join("\n"), done.every((each) => each.ok));
  } catch (error) {
    report(`No answer (${error.message}): check the job's state. Trying again does not do it twice.`, false);
  }
}

function report(text, good = true) {
  const box = byId("done");
  box.hidden = !text;
  box.className = good ? "" : "bad";
  box.replaceChildren(made("span", text), button("Close", () => { box.hidden = true; }));
}

async function kill(host, job) {
  if (await ask(`Kill ${job.name} on ${host}? All its processes are ended.`, "Kill it")) await post("/kill", [["jid", job.jid], ["host", host]], []);
}

async function again(job) {
  const names = failedLike(job).map((host) => host.host);
  const text = `Run ${job.name} again on ${names.length === 1 ? names[0] : `${names.length} hosts, ${names.slice(0, 5).join(", ")}${names.length > 5 ? " …" : ""}`}? ` +
    "It gets a new jid. Locks, slots and time limits of the first start are not known there and do not hold.";
  if (await ask(text, "Run again", true)) await post("/again", [["jid", job.jid]], [["timeout", byId("timeout").value], ...names.map((name) => ["host", name])]);
}

// --- what comes from the server ---

function listen() {
  const source = new EventSource("/events");
  fleet = source;
  triedAt = Date.now();
  const heard = (name, act) => source.addEventListener(name, (event) => {
    if (source !== fleet) return;
    connected("live");
    act(JSON.parse(event.data));
    draw();
  });
  heard("now", (time) => { // all hosts follow: at first, and after a lost connection
    clock = time - Date.now() / 1000;
    hosts.clear();
    byId("map").replaceChildren();
  });
  heard("hosts", (list) => {
    for (const host of list) hosts.set(host.host, { ...host, square: (hosts.get(host.host) || {}).square });
    drawJob();
  });
  heard("runs", (said) => { runs = said; drawJob(); });
  heard("needs", (said) => { needs = said; });
  heard("alive", () => {});
  source.addEventListener("error", () => {
    if (source !== fleet) return;
    const closed = source.readyState === EventSource.CLOSED;
    if (closed) fleet = null;
    connected(closed ? "not connected: load the page again; what is shown is old" : "connection lost, trying again; what is shown is old");
  });
}

// The connection stands, and nothing comes over it: the server hangs, or the network is gone without notice.
function silent() {
  fleet.close();
  listen();
  connected("no data, trying again; what is shown is old");
}

function pause() {
  if (!fleet) return;
  fleet.close();
  fleet = null;
  connected("paused: another page of this browser is in use; what is shown is old");
}

function connected(text) {
  const live = text === "live";
  if (live) heardAt = triedAt = Date.now();
  lostAt = live ? 0 : lostAt || heardAt || Date.now();
  set(byId("link"), live ? text : `${text}, of ${clockTime(lostAt / 1000)}`);
  document.body.classList.toggle("old", !live);
}

function keys(event) {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (byId("ask").open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && (open || typing)) {
    event.preventDefault(); // which would empty the search
    if (typing) event.target.blur();
    else close();
  } else if (event.key === "/" && !typing) {
    event.preventDefault();
    byId("search").focus();
  } else if (/^Arrow/.test(event.key) && event.target.closest("#map")) {
    moveInMap(event, event.key === "ArrowDown" || event.key === "ArrowRight" ? 1 : -1);
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !event.target.closest("pre")) {
    move(event, event.key === "ArrowDown" ? 1 : -1);
  }
}

// Arrows go from job to job, and through the squares of hosts, which are one stop of the Tab key: they may be a thousand.
function moveInMap(event, by) {
  const squares = [...document.querySelectorAll("#map a")];
  const next = squares[squares.indexOf(document.activeElement) + by];
  event.preventDefault();
  if (!next) return;
  document.activeElement.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

function move(event, by) {
  const links = [...document.querySelectorAll("#jobs a.open")];
  const at = links.indexOf(document.activeElement);
  if (at < 0 && by < 0) return;
  const next = links[Math.max(0, Math.min(links.length - 1, at + by))];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function close() {
  const from = open;
  history.pushState(null, "", location.pathname + location.search);
  show();
  const line = from && lines.get(key(from.host, from.jid));
  if (line) line.querySelector("a.open").focus();
}

window.addEventListener("hashchange", show);
window.addEventListener("popstate", () => { readAddress(); show(); });
document.addEventListener("keydown", keys);
for (const name of ["mouseover", "mouseout", "focusin", "focusout"]) byId("map").addEventListener(name, sayOfSquare);
byId("close").addEventListener("click", close);
byId("search").addEventListener("input", () => { shown = PAGE; writeAddress(); draw(); });
byId("more").firstChild.addEventListener("click", () => { shown += PAGE; drawAll(); });
if (byId("logout")) byId("logout").addEventListener("click", async () => {
  await fetch("/logout", { method: "POST", headers: { "X-CSRF-Token": csrf } });
  location.assign("/login");
});
setInterval(() => {
  if (fleet && (Date.now() - triedAt) / 1000 > SILENCE) silent();
  if (!document.hidden) { draw(); drawJob(); }
}, 1000);

// A browser keeps six connections to a server, for all of its tabs together. A hidden page follows no output, and pauses
// once another one is in use.
const others = new BroadcastChannel("remotejobs");
others.addEventListener("message", () => { if (document.hidden) pause(); });
function seen() {
  if (document.hidden) {
    if (output) output.close();
    return;
  }
  others.postMessage("seen");
  if (!fleet) listen();
  if (open && output && output.readyState === EventSource.CLOSED) follow(open);
}
document.addEventListener("visibilitychange", seen);

readAddress();
set(byId("link"), "connecting …");
listen();
seen();
show();
