// Comfort only: everything on the page is there without it.
(function () {
  "use strict";
  var all = function (query, within) { return Array.prototype.slice.call((within || document).querySelectorAll(query)); };
  var make = function (tag, attributes, text) {
    var e = document.createElement(tag);
    Object.keys(attributes).forEach(function (k) { e.setAttribute(k, attributes[k]); });
    if (text) e.textContent = text;
    return e;
  };

  // What a cell of a map is stands below the map, for the mouse and for the arrow keys.
  all(".map").forEach(function (map) {
    var cells = all(".cell", map), svg = map.firstElementChild, at = -1;
    if (!cells.length) return;
    var read = make("p", { "class": "read", "aria-live": "polite" });
    map.parentNode.insertBefore(read, map.nextSibling);
    var said = function (c) { return c.querySelector("title").textContent; };
    var show = function (i) {
      if (at >= 0) cells[at].classList.remove("at");
      at = i;
      if (i < 0) { read.textContent = ""; return; }
      cells[i].classList.add("at");
      read.textContent = said(cells[i]);
    };
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("mouseover", function (e) {
      var c = e.target.closest(".cell");
      if (c) show(cells.indexOf(c));
    });
    svg.addEventListener("mouseleave", function () { show(-1); });
    svg.addEventListener("focus", function () { if (at < 0 && svg.matches(":focus-visible")) show(0); });
    svg.addEventListener("blur", function () { show(-1); });
    svg.addEventListener("keydown", function (e) {
      var to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: cells.length - 1 }[e.key];
      if (to === undefined) return;
      e.preventDefault();
      show(Math.max(0, Math.min(cells.length - 1, to)));
    });
  });

  // Many services: find one, open or close all.
  var overview = document.querySelector(".overview");
  if (!overview) return;
  var tools = make("div", { "class": "tools" });
  var find = make("input", { "type": "search", "placeholder": "Find a service or a rule", "aria-label": "Find a service or a rule" });
  var open = make("button", { "type": "button" }, "Open all"), close = make("button", { "type": "button" }, "Close all");
  tools.append(find, open, close);
  overview.insertBefore(tools, overview.querySelector("table"));
  var services = all(".service");
  var each = function (state) { return function () { services.forEach(function (s) { s.firstElementChild.open = state; }); }; };
  open.addEventListener("click", each(true));
  close.addEventListener("click", each(false));
  find.addEventListener("input", function () {
    var words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    services.forEach(function (s) {
      var text = [s.querySelector("summary").textContent].concat(all(".broken h4", s).map(function (h) { return h.textContent; })).join(" ").toLowerCase();
      var gone = !words.every(function (w) { return text.indexOf(w) >= 0; });
      s.hidden = gone;
      overview.querySelector('[data-service="' + s.dataset.id + '"]').hidden = gone;
    });
  });
})();
