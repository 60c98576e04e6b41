
(() => {
  "use strict";
  const texts = JSON.parse(document.getElementById("texts").textContent);
  const out = document.getElementById("out");
  const form = document.getElementById("form");
  const field = (name) => document.getElementById(name);
  let lang = (navigator.language || "").toLowerCase().startsWith("en") ? "en" : "zh-CN";
  let shown = null; // what is shown of the last verification, to be shown again in the other language

  const has = (key) => Object.hasOwn(texts[lang], key);
  const t = (key, args) => (has(key) ? texts[lang][key] : key).replace(/\{(\w+)\}/g, (whole, name) => (args && name in args ? String(args[name]) : whole));
  const el = (name, cls, ...inside) => {
    const e = document.createElement(name);
    if (cls) e.className = cls;
    e.append(...inside); // texts, never markup
    return e;
  };
  const number = (n) => n.toLocaleString(lang);

  function speak() {
    document.documentElement.lang = lang;
    document.title = t("title");
    for (const e of document.querySelectorAll("[data-t]")) e.textContent = t(e.dataset.t);
    if (shown) shown();
  }

  function banner(cls, title, detail) {
    return el("div", "banner " + cls, el("b", "", title), detail || "");
  }

  function list(title, pairs) {
    const dl = el("dl");
    for (const [what, value, cls] of pairs) dl.append(el("dt", "", what), el("dd", cls || "", value));
    return el("section", "", el("h2", "", title), dl);
  }

  function findings(found, more) {
    const rows = el("tbody");
    for (const f of found) {
      const subject = el("td", "", el("span", "mono", f.subject));
      if (f.seq) subject.append(el("br"), t("entry", { n: f.seq }));
      if (f.entry) subject.append(el("div", "mono", f.entry));
      const check = has("check." + f.check) ? "check." + f.check : f.check;
      rows.append(el("tr", "", subject, el("td", "", el("b", "", t(check)), el("div", "mono", f.detail))));
    }
    const head = el("thead", "", el("tr", "", el("th", "", t("subject")), el("th", "", t("found"))));
    const section = el("section", "", el("h2", "", t("findings")), el("table", "", head, rows));
    if (more) section.append(el("p", "", t("more", { n: number(more) })));
    return section;
  }

  // report shows what `bihuan audit verify` says of a bundle, in the same order: the verdict, why, and what was looked at.
  function report(file, a) {
    const cls = { intact: "g", tampered: "r", undecided: "y" }[a.verdict];
    const more = a.more || 0;
    const n = a.findings.length + more;
    const parts = [banner(cls, t(a.verdict, { n: number(n) }), t(a.verdict + "_detail"))];
    for (const d of a.doubts || []) {
      const why = t("doubt." + d.why, { n: number(d.n) });
      parts.push(el("p", "banner y", t(d.alone ? "doubt_alone" : "doubt_beside", { file: d.file, why })));
    }
    for (const why of a.undecided || []) parts.push(el("p", "banner y", why));
    if (a.error) parts.push(el("p", "banner y", t("broken_off", { why: a.error })));
    if (a.own_keys) parts.push(el("p", "banner n", t("own_keys")));
    if (n) parts.push(findings(a.findings, more));
    const erased = (a.erased || []).map((x) => [x.subject + (x.of ? " " + x.of : ""), t("erased_by", { by: x.by, at: x.at }), "mono"]);
    if (erased.length) parts.push(list(t("erased"), erased));
    const m = a.manifest;
    const about = [[t("file"), file], ["SHA-256", a.sha256, "mono"]];
    if (m.format) {
      about.push([t("scope"), t("scope." + m.scope) + (m.id ? " " + m.id : "")], [t("log"), m.log, "mono"], [t("made"), m.made]);
    }
    if (a.checkpoint) {
      about.push([t("checkpoint"), t("signed", { n: number(a.checkpoint.size), at: a.checkpoint.time })], ["", a.checkpoint.root, "mono"]);
    }
    const counted = Object.entries(a.checked).map(([what, k]) => [t(has("checked." + what) ? "checked." + what : what), number(k)]);
    parts.push(list(t("checked"), counted), list(t("about"), about));
    out.replaceChildren(...parts);
    out.dataset.verdict = a.verdict;
  }

  function show(draw) {
    shown = draw;
    draw();
    out.focus();
  }

  // program starts the verifier once and returns its function.
  let started = null;
  function program() {
    started ??= (async () => {
      const packed = Uint8Array.from(atob(field("program").textContent), (c) => c.charCodeAt(0));
      const wasm = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
      const go = new Go();
      const { instance } = await WebAssembly.instantiate(wasm, go.importObject);
      go.run(instance); // which never ends
      return globalThis.bihuanVerify;
    })();
    return started;
  }

  async function verify() {
    delete out.dataset.verdict;
    const file = field("bundle").files[0];
    if (!file) return show(() => out.replaceChildren(banner("y", t("no_bundle"))));
    show(() => out.replaceChildren(el("p", "banner n", t("working"))));
    let run;
    try {
      run = await program();
    } catch (err) {
      return show(() => out.replaceChildren(banner("y", t("undecided"), t("cannot_run", { why: String(err) }))));
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    const key = field("key").files[0];
    const keys = key ? await key.text() || "\n" : "";
    const known = await Promise.all(Array.from(field("known").files, async (f) => ({ name: f.name, text: await f.text() })));
    await new Promise((done) => setTimeout(done, 50)); // for the browser to show that it is at work
    const a = JSON.parse(run(bytes, keys, known));
    if (a.usage) return show(() => out.replaceChildren(banner("y", t("undecided"), t("usage", { why: a.usage }))));
    show(() => report(file.name, a));
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      await verify();
    } catch (err) { // a file that cannot be read, or the program has run out of memory
      started = null;
      show(() => out.replaceChildren(banner("y", t("undecided"), t("broken_off", { why: String(err) }))));
    } finally {
      button.disabled = false;
    }
  });
  field("language").addEventListener("click", () => {
    lang = lang === "en" ? "zh-CN" : "en";
    speak();
  });
  speak();
})();
