/* 闭环 console: what pages do beyond plain links and forms. Everything works without it. Events are delegated, so
   that what htmx swaps in needs no new listeners. */
(function () {
  'use strict';
  var $ = function (s, r) { return (r || document).querySelector(s); };
  var $$ = function (s, r) { return Array.prototype.slice.call((r || document).querySelectorAll(s)); };
  document.documentElement.classList.add('has-js');

  /* ----- toasts, said aloud by the live region ----- */
  function toast(text) {
    var box = $('#toasts');
    if (!box) return;
    var d = document.createElement('div');
    d.className = 'toast';
    d.textContent = text;
    box.appendChild(d);
    setTimeout(function () { d.remove(); }, 6000);
  }

  /* ----- when the connection goes, the page says so, and what was typed waits. Only the event counts: a machine
     without any network, the demo on its own address, is "offline" all the time ----- */
  var gone = false;
  function connection() {
    var bar = $('.offline');
    if (bar) bar.remove();
    if (!gone) return;
    bar = document.createElement('p');
    bar.className = 'banner y offline';
    bar.setAttribute('role', 'alert');
    bar.textContent = document.body.getAttribute('data-gone');
    document.body.insertBefore(bar, document.body.firstChild);
  }
  window.addEventListener('offline', function () { gone = true; connection(); });
  window.addEventListener('online', function () { gone = false; connection(); });
  document.addEventListener('submit', function (ev) {
    if (!gone) return;
    ev.preventDefault();
    ev.stopImmediatePropagation();
    connection();
  }, true);

  /* ----- a link to a form unfolds it ----- */
  function unfold() {
    var at = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (at && at.tagName === 'DETAILS') {
      at.open = true;
      var first = $('textarea,select,input:not([type=hidden])', at);
      if (first) first.focus({ preventScroll: true });
    }
  }
  window.addEventListener('hashchange', unfold);

  /* what was just done is said once: a reload or a shared address does not say it again */
  function forget() {
    var u = new URL(location.href);
    if (u.searchParams.has('done') && history.replaceState) {
      u.searchParams.delete('done');
      history.replaceState(history.state, '', u.pathname + (u.search || '') + u.hash);
    }
  }

  function ready() {
    unfold();
    forget();
    var wrong = $('.errsum');
    if (wrong) wrong.focus();
  }
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', ready); else ready();

  /* ----- clicks ----- */
  document.addEventListener('click', function (ev) {
    $$('details.menu[open]').forEach(function (m) { if (!m.contains(ev.target)) m.removeAttribute('open'); });
    var el = ev.target.closest ? ev.target.closest('[data-print],[data-phrase],.errsum a') : null;
    if (!el) return;
    if (el.matches('[data-print]')) window.print();
    if (el.matches('[data-phrase]')) {
      var box = $('.inp', el.closest('.decide'));
      box.value = el.getAttribute('data-phrase');
      box.focus();
    }
    if (el.matches('.errsum a')) {
      var field = document.getElementById(el.getAttribute('href').slice(1));
      if (field) { ev.preventDefault(); field.focus(); field.scrollIntoView({ block: 'center' }); }
    }
  });

  /* ----- what takes longer than a moment says so, and for how long already ----- */
  function busy(f) {
    setTimeout(function () {
      if (!document.contains(f) || $('.busy', f)) return;
      var p = document.createElement('p'), n = document.createElement('span'), start = Date.now();
      p.className = 'busy';
      p.setAttribute('role', 'status');
      p.textContent = f.getAttribute('data-busy') + '… ';
      n.className = 'num';
      n.setAttribute('aria-hidden', 'true');
      p.appendChild(n);
      f.appendChild(p);
      var timer = setInterval(function () {
        if (!document.contains(p)) { clearInterval(timer); return; }
        n.textContent = Math.round((Date.now() - start) / 1000) + ' s';
        var from = f.getAttribute('data-busy-from');
        if (from) fetch(from).then(function (r) { return r.ok ? r.text() : ''; }).then(function (text) { if (text) p.firstChild.nodeValue = text + ' '; }, function () {});
      }, 1000);
    }, 300);
  }

  /* ----- a form is sent once ----- */
  document.addEventListener('submit', function (ev) {
    var f = ev.target;
    if (f.hasAttribute('data-busy') && !ev.defaultPrevented) busy(f);
    if (f.method !== 'post' || ev.defaultPrevented || f.hasAttribute('hx-post')) return;
    if (f.getAttribute('data-sent')) { ev.preventDefault(); return; }
    f.setAttribute('data-sent', '1');
  });
  window.addEventListener('pageshow', function () {
    $$('form[data-sent]').forEach(function (f) { f.removeAttribute('data-sent'); });
    $$('form .busy').forEach(function (p) { p.remove(); });
  });

  /* ----- picking rows for a batch ----- */
  function picked(f) {
    var boxes = Array.prototype.filter.call(f.elements, function (b) { return b.matches('[data-pick]'); }), on = boxes.filter(function (b) { return b.checked; });
    var n = function (what) { return on.filter(function (b) { return b.hasAttribute('data-can-' + what); }).length; };
    boxes.forEach(function (b) { b.closest('tr,.appr').classList.toggle('is-sel', b.checked); });
    var bar = $('.batch', f), all = $('[data-pick-all]', f);
    if (!bar) return;
    bar.classList.toggle('on', on.length > 0);
    $('[data-picked]', bar).textContent = on.length;
    ['approve', 'urge'].forEach(function (what) { var at = $('[data-count-' + what + ']', bar); if (at) at.textContent = n(what); });
    if (all) {
      all.checked = on.length > 0 && on.length === boxes.length;
      all.indeterminate = on.length > 0 && on.length < boxes.length;
    }
  }
  document.addEventListener('change', function (ev) {
    var f = ev.target.form;
    if (!f || !f.matches('[data-batch]')) return;
    if (ev.target.matches('[data-pick-all]')) $$('[data-pick]', f).forEach(function (b) { b.checked = ev.target.checked; });
    picked(f);
  });
  document.addEventListener('click', function (ev) {
    var el = ev.target.closest ? ev.target.closest('[data-unpick]') : null;
    if (!el) return;
    var f = el.closest('[data-batch]');
    Array.prototype.forEach.call(f.elements, function (b) { if (b.matches('[data-pick]')) b.checked = false; });
    picked(f);
  });
  window.addEventListener('pageshow', function () { $$('[data-batch]').forEach(picked); });

  /* ----- keys ----- */
  var going = false;
  var places = { o: '/overview', i: '/todo', t: '/ledger', l: '/lists', a: '/trail', w: '/workflows' };
  function step(list, current, mark, by) {
    var i = list.indexOf(current);
    i = Math.max(0, Math.min(list.length - 1, i < 0 ? 0 : i + by));
    if (current) current.classList.remove(mark);
    list[i].classList.add(mark);
    list[i].scrollIntoView({ block: 'nearest' });
    return list[i];
  }
  document.addEventListener('keydown', function (ev) {
    if (ev.key === 'Escape') $$('details.menu[open]').forEach(function (m) { m.removeAttribute('open'); $('summary', m).focus(); });
    /* Enter in an opinion never approves by accident */
    if (ev.key === 'Enter' && ev.target.matches && ev.target.matches('.decide .inp')) {
      ev.preventDefault();
      $('.btns .btn', ev.target.closest('.decide')).focus();
      return;
    }
    var typing = /INPUT|TEXTAREA|SELECT/.test(ev.target.tagName) && ev.target.type !== 'checkbox' && ev.target.type !== 'radio';
    if (typing || ev.ctrlKey || ev.metaKey || ev.altKey) return;
    if (ev.key === '/') { var q = $('#q'); if (q) { ev.preventDefault(); q.focus(); } return; }
    if (going) { going = false; if (places[ev.key]) location.href = places[ev.key]; return; }
    if (ev.key === 'g') { going = true; setTimeout(function () { going = false; }, 900); return; }
    var by = ev.key === 'j' ? 1 : ev.key === 'k' ? -1 : 0;
    var items = $$('.appr'), item = $('.appr.cur');
    if (items.length) {
      if (by) step(items, item, 'cur', by).focus({ preventScroll: true });
      else if (item && ev.key === 'a') $('.btn.pri', item).click();
      else if (item && ev.key === 'x') $('[data-pick]', item).click();
      else if (item && ev.key === 'r') { ev.preventDefault(); $('.decide .inp', item).focus(); }
      return;
    }
    var rows = $$('#rows tr'), row = $('#rows tr.kcur');
    if (rows.length && by) step(rows, row, 'kcur', by);
    else if (row && ev.key === 'x') { var box = $('[data-pick]', row); if (box) box.click(); }
    else if (row && ev.key === 'Enter' && ev.target === document.body) $('a.nm', row).click();
  });

  /* ----- htmx: 403, 409 and 422 carry HTML meant for the page ----- */
  document.addEventListener('htmx:beforeSwap', function (ev) {
    var s = ev.detail.xhr.status;
    if (s === 403 || s === 409 || s === 422) { ev.detail.shouldSwap = true; ev.detail.isError = false; }
  });
  document.addEventListener('htmx:responseError', function (ev) {
    if (ev.detail.xhr.status === 401) { location.reload(); return; }
    toast(document.body.getAttribute('data-failed') + (ev.detail.xhr.getResponseHeader('X-Request-Id') || '—'));
  });
  document.addEventListener('htmx:sendError', function () { toast(document.body.getAttribute('data-offline')); });
  document.addEventListener('htmx:afterSwap', function (ev) {
    if (ev.detail.target.tagName === 'DIALOG' && !ev.detail.target.open) ev.detail.target.showModal();
    $$('[data-batch]').forEach(picked);
    $$('[data-count-copy]').forEach(function (to) { var from = $('[data-count]'); to.innerHTML = from ? from.innerHTML : ''; });
  });

  /* ----- something new for the reader: a stream of signals while the page is looked at, and a look now and then
     where there is none ----- */
  var live = document.body && document.body.getAttribute('data-live'), stream = null, glance = 60000;
  function news() {
    if (!window.htmx) return;
    window.htmx.trigger(document.body, 'notices-changed');
    window.htmx.trigger(document.body, 'todo-changed');
    var list = $('[data-fresh]');
    // What somebody is writing or has opened is left alone.
    var busyWith = list && ($$('textarea,input:not([type=hidden]):not([type=checkbox])', list).some(function (x) { return x.value && x.value !== x.defaultValue; }) ||
      list.contains(document.activeElement) || $('details[open],input:checked', list));
    if (list && !busyWith) window.htmx.ajax('GET', location.pathname + location.search, { target: list, select: '[data-fresh]', swap: 'outerHTML' });
  }
  function listen() {
    if (!live || !window.EventSource || document.hidden || stream) return;
    stream = new EventSource(live);
    stream.addEventListener('told', news);
    stream.onerror = function () { if (stream && stream.readyState === 2) { stream.close(); stream = null; } };
  }
  function hush() { if (stream) { stream.close(); stream = null; } }
  if (live || $('.side')) {
    document.addEventListener('visibilitychange', function () { if (document.hidden) hush(); else { listen(); news(); } });
    window.addEventListener('pagehide', hush);
    setInterval(function () { if (!document.hidden && (!stream || stream.readyState !== 1)) { listen(); news(); } }, glance);
    listen();
  }
})();
