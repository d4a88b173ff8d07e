"use strict";

const at = (id) => document.getElementById(id);
const REASONS = {
  random: () => "drawn by lot",
  uncertain: () => "the classifier is unsure",
  review: () => `labelled by an older guideline; confirm or change it, or skip to leave it without a label`,
  positive: (next) => `the classifier expects ${status.labels[next.expected]}`,
};
const KEYS = "123456789abcdefghijklmnopqrtvwxyz";
let status = null, turn = null, chosen = new Set(), shownAt = 0, busy = false;
let scored = { probabilities: [], truth: [] }, scoredOf = -1;
const thresholds = new Map();

async function ask(path, body) {
  const request = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, request);
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error);
  return value;
}

const isExclusive = () => status.exclusive;

function show(next) {
  turn = next;
  chosen = new Set(next && next.labels ? next.labels : []);
  shownAt = performance.now();
  at("text").textContent = next ? next.content : "Every text has been seen.";
  at("reason").textContent = !next ? "" : next.reason ? REASONS[next.reason](next) : "taken back; it can be labelled anew";
  at("skip").disabled = !next;
  drawAnswers();
}

function drawAnswers() {
  const buttons = status.labels.map((label, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.disabled = !turn;
    button.setAttribute("aria-pressed", chosen.has(place));
    button.setAttribute("aria-keyshortcuts", KEYS[place] || "");
    button.append(label);
    if (KEYS[place]) {
      const key = document.createElement("kbd");
      key.textContent = KEYS[place].toUpperCase();
      button.append(key);
    }
    button.addEventListener("click", () => choose(place));
    return button;
  });
  at("answers").replaceChildren(...buttons);
  at("save").hidden = isExclusive();
}

function choose(place) {
  if (!turn || place >= status.labels.length) return;
  if (isExclusive()) return say([place]);
  if (chosen.has(place)) chosen.delete(place); else chosen.add(place);
  drawAnswers();
}

async function once(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
    at("message").textContent = "";
  } catch (error) {
    at("message").textContent = `Not saved: ${error.message}`;
  } finally {
    busy = false;
  }
}

const say = (labels) => once(async () => {
  if (!turn) return;
  const milliseconds = Math.round(performance.now() - shownAt);
  const { next } = await ask("/api/say", { who: who(), text: turn.text, labels, milliseconds, guideline: status.guideline_version });
  show(next);
  refresh();
});

const undo = () => once(async () => {
  const { next } = await ask("/api/undo", { who: who() });
  if (next) show(next);
  else at("reason").textContent = "there is nothing to take back";
  refresh();
});

function drawGuideline() {
  at("guideline-title").textContent = status.guideline_version ? `Guideline, version ${status.guideline_version}` : "Guideline";
  at("guideline").textContent = status.guideline || "What does each label mean? Write it here; every label remembers the version it was given by.";
}

function writeGuideline(begin) {
  at("guideline-form").hidden = !begin;
  at("guideline-shown").hidden = begin;
  if (!begin) return void at("guideline-change").focus();
  at("guideline-text").value = status.guideline;
  const boxes = status.labels.map((name, place) => {
    const [label, box] = [document.createElement("label"), document.createElement("input")];
    box.type = "checkbox";
    box.value = place;
    label.append(box, ` ${name}`);
    return label;
  });
  at("guideline-touches").replaceChildren(at("guideline-touches").firstElementChild, ...boxes);
  at("guideline-text").focus();
}

const saveGuideline = () => once(async () => {
  const touches = [...at("guideline-touches").querySelectorAll("input:checked")].map((box) => Number(box.value));
  await ask("/api/guideline", { who: who(), text: at("guideline-text").value, touches });
  writeGuideline(false);
  await refresh();
});

// As a decision rule reads thresholds: of two exclusive labels the last one has one; of more the most probable label is given if it reaches its own.
const isOfTwo = () => isExclusive() && status.labels.length === 2;
const isMostProbable = () => isExclusive() && !isOfTwo();
const decided = () => status.labels.map((_, place) => place).slice(isOfTwo() ? 1 : 0);
const isGiven = (probabilities, place, threshold) =>
  probabilities[place] >= threshold && (!isMostProbable() || probabilities[place] === Math.max(...probabilities));

function drawDecision() {
  const places = decided();
  at("decide").hidden = scored.truth.length === 0;
  if (at("decide").hidden) return;
  const select = at("threshold-label");
  if (select.options.length === 0) {
    select.replaceChildren(...places.map((place) => new Option(status.labels[place], place)));
    select.value = places[0];
  }
  const place = Number(select.value), threshold = thresholds.get(place) ?? (isMostProbable() ? 0 : 0.5);
  at("threshold").value = Math.round(100 * threshold);
  at("threshold-value").textContent = threshold.toFixed(2);
  let flagged = 0, right = 0, having = 0;
  scored.truth.forEach((truth, row) => {
    const isFlagged = isGiven(scored.probabilities[row], place, threshold);
    flagged += isFlagged;
    having += truth[place];
    right += isFlagged && truth[place];
  });
  const share = (part, whole) => (whole ? `${part} of ${whole}` : "none");
  at("consequences").textContent = `Of ${scored.truth.length} texts drawn by lot, ${flagged} would be flagged (${Math.round((1000 * flagged) / scored.truth.length)} in a thousand). `
    + `Right among the flagged: ${share(right, flagged)} (precision). Found of those with the label: ${share(right, having)} (recall).`;
}

const publish = () => once(async () => {
  at("publish").disabled = true;
  at("published").textContent = "Training on all labels …";
  try {
    const { version, folder, rows } = await ask("/api/publish", { thresholds: [...thresholds] });
    const told = document.createElement("p"), commands = document.createElement("pre");
    told.textContent = `Version ${version}, trained on ${rows} texts, is in ${folder}.`;
    const quoted = /^[\w./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", "'\\''")}'`;
    commands.textContent = `lincah predict ${quoted} new.csv --text text\nlincah serve ${quoted}`;
    commands.tabIndex = 0;
    at("published").replaceChildren(told, commands);
  } catch (error) {
    at("published").textContent = `Not published: ${error.message}`;
  } finally {
    at("publish").disabled = false;
  }
});

const who = () => at("who").value.trim() || "me";

async function refresh() {
  try {
    status = await ask("/api/status");
  } catch {
    at("message").textContent = "lincah does not answer. What was shown as saved is saved; start it again with the same command.";
    return;
  }
  const review = status.to_review ? `, ${status.to_review} to look at again` : "";
  at("progress").textContent = `${status.labelled} of ${status.texts} texts labelled${review}`;
  drawGuideline();
  if (!busy) at("publish").disabled = !status.trained_on;
  if (status.judged_by !== scoredOf) {
    scoredOf = status.judged_by;
    scored = await ask("/api/scored");
    drawDecision();
  }
  const stale = status.stale_by ? `, ${status.stale_by} ${status.stale_by === 1 ? "answer" : "answers"} behind` : ", knows every answer";
  at("model").textContent = status.failure ? `No classifier: ${status.failure}`
    : status.trained_on ? `Trained on ${status.trained_on} texts in ${status.seconds.toFixed(1)} s${stale}.`
    : "None yet: it begins when every label has a text.";
  const rows = status.figures.map((figure) => {
    const row = document.createElement("tr");
    const shown = (value) => value === null ? "–" : value.toFixed(3);
    const cells = [figure.name, shown(figure.value), figure.interval ? figure.interval.map(shown).join(" to ") : "–"];
    row.append(...cells.map((text) => { const cell = document.createElement("td"); cell.textContent = text; return cell; }));
    return row;
  });
  at("figures").hidden = rows.length === 0;
  at("figures").caption.textContent = `by ${status.judged_by} texts that were drawn by lot, each scored by a classifier that did not know it`;
  at("figures").tBodies[0].replaceChildren(...rows);
  at("counts").replaceChildren(...status.labels.flatMap((label, place) => {
    const [name, count] = [document.createElement("dt"), document.createElement("dd")];
    name.textContent = label;
    count.textContent = status.label_rows[place];
    return [name, count];
  }));
}

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input:not([type=range], [type=checkbox]), textarea, select") || event.altKey || event.metaKey) return;
  const key = event.key.toLowerCase();
  if (event.ctrlKey) {
    if (key === "z") { event.preventDefault(); undo(); }
    return;
  }
  if (event.repeat) return;
  if (key === "u") return void undo();
  if (key === "s") return void (turn && say(null));
  if (key === "enter" && !isExclusive() && event.target.tagName !== "BUTTON") return void say([...chosen].sort((a, b) => a - b));
  const place = KEYS.indexOf(key);
  if (key.length === 1 && place >= 0) choose(place);
});

at("skip").addEventListener("click", () => say(null));
at("undo").addEventListener("click", undo);
at("save").addEventListener("click", () => say([...chosen].sort((a, b) => a - b)));
at("guideline-change").addEventListener("click", () => writeGuideline(true));
at("guideline-cancel").addEventListener("click", () => writeGuideline(false));
at("guideline-form").addEventListener("submit", (event) => { event.preventDefault(); saveGuideline(); });
at("threshold-label").addEventListener("change", drawDecision);
at("threshold").addEventListener("input", () => {
  thresholds.set(Number(at("threshold-label").value), Number(at("threshold").value) / 100);
  drawDecision();
});
at("publish").addEventListener("click", publish);
at("who").value = localStorage.getItem("who") || "me";
at("who").addEventListener("change", () => localStorage.setItem("who", who()));

(async () => {
  await refresh();
  if (!status) return;
  await once(async () => show((await ask("/api/next", { who: who() })).next));
  setInterval(refresh, 1000);
})();
