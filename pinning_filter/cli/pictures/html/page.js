// Draws the cloud that the page holds. Names come from tenants: they are
// only ever set as text.
"use strict";
(() => {
  const cloud = JSON.parse(document.getElementById("cloud").textContent);
  const hosts = cloud.hosts;
  const by = (id) => document.getElementById(id);
  const make = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const few = (names) => names.length <= 10
    ? names.join(", ")
    : `${names.slice(0, 9).join(", ")} and ${names.length - 9} more`;
  const plural = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const when = (taken) => taken.replace("T", " ").replace("+00:00", " UTC");
  const gib = (kib) => `${Math.round(kib / 104857.6) / 10} GiB`;

  for (const host of hosts) {
    host.share = host.total ? 1 - host.free / host.total : -1;
    host.fragments = host.lost.length ? host.lost[0][2] : 0;
    host.lostTold = host.lost.map(([flavor, servers]) =>
      `${servers} ${flavor}`);
    host.words = [
      host.name, host.cell, host.zone, host.closed,
      ...host.guests.flatMap((g) => [g.name, g.id, g.flavor]),
    ].join("\n").toLowerCase();
  }

  // The grid.
  const rows = by("rows");
  const key = (host, name) =>
    name === "guests" ? host.guests.length : host[name];
  let order = hosts.map((_, index) => index);
  let sorted = { name: "name", down: false };
  let chosen = null;

  const cells = hosts.map((host, index) => {
    const row = make("tr", host.closed ? "closed" : "");
    row.dataset.index = index;
    row.tabIndex = -1;
    const name = make("td", "", host.name);
    name.title = host.name;
    const zone = make("td", "", host.zone);
    zone.title = host.zone;
    row.append(name, zone);
    if (host.known) {
      row.append(
        make("td", "number", host.free), make("td", "number", host.total));
      const bar = make("span", "bar");
      const used = make("i");
      used.style.width = `${Math.max(0, host.share) * 100}%`;
      bar.append(used);
      bar.title = `${Math.round(Math.max(0, host.share) * 100)} %`;
      const held = make("td");
      held.append(bar);
      const lost = make("td", "", host.lostTold[0] || "");
      lost.title = host.lostTold.join(", ");
      row.append(held, lost);
    } else {
      const none = make("td", "", "reports no NUMA topology");
      none.colSpan = 4;
      row.append(none);
    }
    row.append(make("td", "number", host.guests.length));
    return row;
  });

  // The same hosts as tiles. The table says all of it in words, so the tiles
  // are for the eye and the mouse only.
  const tiles = hosts.map((host, index) => {
    const tile = make("i", host.known ? "" : "unknown");
    tile.dataset.index = index;
    tile.title = host.known
      ? `${host.name}: ${host.free} of ${plural(host.total, "pCPU")} free`
      : `${host.name}: reports no NUMA topology`;
    return tile;
  });

  by("tiles").className = hosts.length > 500 ? "many" : "";

  function paint() {
    const fragments = sorted.name === "fragments";
    hosts.forEach((host, index) => {
      const strength = fragments
        ? (host.free && host.fragments / host.free) : host.share;
      tiles[index].style.setProperty("--strength", Math.max(0, strength));
    });
    by("tiles-told").textContent = "Hosts in the order of the table; "
      + (fragments ? "the larger the lost share of its free pCPUs"
        : "the fuller") + ", the stronger the colour.";
  }

  const shown = () => [...rows.children];

  function list() {
    const words = by("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = order.filter(
      (index) => words.every((word) => hosts[index].words.includes(word)));
    rows.replaceChildren(...kept.map((index) => cells[index]));
    by("tiles").replaceChildren(...kept.map((index) => tiles[index]));
    by("none").hidden = kept.length > 0;
    const free = kept.reduce((sum, index) => sum + hosts[index].free, 0);
    const total = kept.reduce((sum, index) => sum + hosts[index].total, 0);
    by("totals").textContent =
      `${plural(kept.length, "host")}, ${free} of ${total} pCPUs free`
      + (cloud.taken ? `, as of ${when(cloud.taken)}` : "");
    const first = kept.includes(chosen) ? chosen : kept[0];
    for (const row of cells) row.tabIndex = -1;
    if (first !== undefined) cells[first].tabIndex = 0;
  }

  function sort(name) {
    const numeric = name !== "name" && name !== "zone";
    sorted = {
      name, down: sorted.name === name ? !sorted.down : numeric,
    };
    const sign = sorted.down ? -1 : 1;
    order = hosts.map((_, index) => index).sort((a, b) => {
      const one = key(hosts[a], name), two = key(hosts[b], name);
      const way = numeric
        ? one - two
        : one.localeCompare(two, "en", { numeric: true });
      return way * sign || a - b;
    });
    for (const button of document.querySelectorAll("th button")) {
      const cell = button.parentElement;
      if (button.dataset.key !== name) cell.removeAttribute("aria-sort");
      else cell.setAttribute(
        "aria-sort", sorted.down ? "descending" : "ascending");
    }
    paint();
    list();
  }

  // One host.
  const hue = (index) => Math.round((index * 137.508 + 210) % 360);
  const letter = (index) => {
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return index < 26
      ? letters[index]
      : letter(Math.floor(index / 26) - 1) + letters[index % 26];
  };
  const hint = "Point at a pCPU or a guest to see who it is. Arrow keys move "
    + "among hosts, Enter goes to a host's pCPUs, Escape back; / searches.";
  const meanings = {
    free: "free", taken: "taken by a guest that is not known here",
    shared: "for floating vCPUs", closed: "not for guests",
    orphan: "a guest runs there that Nova does not know",
  };
  const signs = {
    vcpu: "A0: vCPU 0 of guest A", emulator: "em: emulator threads",
    twice: "!: another guest is there, too", outside: "?: not dedicated",
    idle: "-: kept idle beside a guest", free: "empty: free",
    taken: `#: ${meanings.taken}`, shared: `~: ${meanings.shared}`,
    closed: `x: ${meanings.closed}`, orphan: `@: ${meanings.orphan}`,
  };

  function tell(host, use) {
    const [pcpu, state, guest, vcpu] = use;
    if (guest === null) return `pCPU ${pcpu}: ${meanings[state]}`;
    const who = host.guests[guest];
    const what = {
      vcpu: `vCPU ${vcpu}`, emulator: "emulator threads",
      idle: "kept idle beside", twice: "held twice, here as that",
      outside: `not dedicated, and vCPU ${vcpu}`,
    }[state];
    return `pCPU ${pcpu}: ${what} of ${letter(guest)}, ${about(who)}`;
  }

  function about(who) {
    return `${who.name || who.id}\nflavor ${who.flavor || "unknown"}, `
      + `${plural(who.vcpus, "vCPU")}, ${gib(who.memory)}, CPU policy `
      + `${who.cpu}, thread policy ${who.threads}`
      + (who.pcpus ? `, pCPUs ${who.pcpus}` : "")
      + (who.fixed ? `; cannot be migrated live: ${who.fixed}` : "")
      + (who.name ? `\n${who.id}` : "");
  }

  function mark(guest) {
    for (const each of by("machine").querySelectorAll(".pcpu")) {
      each.classList.toggle(
        "same", guest !== null && each.dataset.guest === String(guest));
    }
  }

  function drawCore(host, pcpus, core) {
    const box = make("div", "core");
    for (const pcpu of core) {
      const use = pcpus.get(pcpu);
      const [, state, guest, vcpu] = use;
      const button = make("button", `pcpu ${state}`);
      button.type = "button";
      button.tabIndex = -1;
      const text = guest === null
        ? { free: "", taken: "#", shared: "~", closed: "x", orphan: "@" }[state]
        : letter(guest) + {
          vcpu, emulator: " em", idle: " -", twice: "!", outside: "?",
        }[state];
      button.append(make("small", "", pcpu), text);
      if (guest !== null) {
        button.dataset.guest = guest;
        button.style.setProperty("--hue", hue(guest));
      }
      const told = tell(host, use);
      button.setAttribute("aria-label", told);
      const show = () => {
        by("told").textContent = told;
        mark(guest);
      };
      button.addEventListener("mouseenter", show);
      button.addEventListener("focus", show);
      box.append(button);
    }
    return box;
  }

  function drawCell(host, pcpus, cell) {
    const box = make("div", "cell");
    const title = make("b", "", `NUMA cell ${cell.id}`);
    const huge = cell.pages.filter(([size, total]) => size > 64 && total);
    title.append(make("small", "", ` ${gib(cell.memory)}`
      + (cell.socket === null ? "" : `, socket ${cell.socket}`)
      + huge.map(([size, total, used, reserved]) =>
        `, ${total - used - reserved} of ${total} pages of `
        + (size % 1048576 ? `${size / 1024} MiB` : `${size / 1048576} GiB`)
        + " free").join("")));
    box.append(title);
    const left = new Set(cell.cores);
    cell.caches.forEach((cache, number) => {
      const within = cell.cores.filter((core) => cache.includes(core[0]));
      const inner = make("div", "cache");
      inner.append(make("b", "", `L3 ${number}`));
      for (const core of within) {
        left.delete(core);
        inner.append(drawCore(host, pcpus, core));
      }
      box.append(inner);
    });
    for (const core of left) box.append(drawCore(host, pcpus, core));
    return box;
  }

  function choose(index, focus) {
    if (chosen !== null) {
      cells[chosen].removeAttribute("aria-selected");
      tiles[chosen].classList.remove("chosen");
    }
    chosen = index;
    const host = hosts[index];
    tiles[index].classList.add("chosen");
    history.replaceState(null, "", `#${encodeURIComponent(host.name)}`);
    for (const row of cells) row.tabIndex = -1;
    cells[index].setAttribute("aria-selected", "true");
    cells[index].tabIndex = 0;
    by("title").textContent = host.name;
    by("facts").textContent = [
      host.known
        ? `${host.free} of ${plural(host.total, "pCPU")} free`
        : "reports no NUMA topology",
      host.zone && `zone ${host.zone}`, host.cell && `cell ${host.cell}`,
      host.lost.length
        && `lost to fragmentation: ${host.lostTold.join(" or ")}`,
      host.others && `${plural(host.others, "guest")} without a topology`,
      host.unplaced.length
        && `where they sit is not known: ${host.unplaced.join(", ")}`,
      host.closed,
    ].filter(Boolean).join(", ");
    by("told").textContent = hint;
    const pcpus = new Map(host.pcpus.map((use) => [use[0], use]));
    by("machine").replaceChildren(
      ...host.cells.map((cell) => drawCell(host, pcpus, cell)));
    const states = new Set(host.pcpus.map((use) => use[1]));
    by("legend").textContent = Object.keys(signs)
      .filter((state) => states.has(state))
      .map((state) => signs[state]).join("; ");
    const first = by("machine").querySelector(".pcpu");
    if (first) first.tabIndex = 0;
    by("guests-title").hidden = !host.guests.length;
    by("guests").replaceChildren(...host.guests.map((guest, number) => {
      const item = make("li"), button = make("button");
      button.type = "button";
      const swatch = make("span", "swatch", letter(number));
      swatch.style.setProperty("--hue", hue(number));
      button.append(swatch, make("span", "",
        `${guest.name || guest.id}, ${guest.flavor || "unknown flavor"}`));
      const show = () => {
        by("told").textContent = `${letter(number)}, ${about(guest)}`;
        mark(number);
      };
      button.addEventListener("mouseenter", show);
      button.addEventListener("focus", show);
      item.append(button);
      return item;
    }));
    if (focus && first) first.focus();
  }

  // In a narrow window a host is beneath the table, out of sight.
  function open(index) {
    choose(index, false);
    if (matchMedia("(max-width: 66rem)").matches) by("host").scrollIntoView();
  }

  // Mouse and keyboard.
  document.querySelector("thead").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) sort(button.dataset.key);
  });
  rows.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) open(Number(row.dataset.index));
  });
  by("tiles").addEventListener("click", (event) => {
    const tile = event.target.closest("i");
    if (!tile) return;
    cells[tile.dataset.index].scrollIntoView({ block: "nearest" });
    open(Number(tile.dataset.index));
  });
  rows.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (!row) return;
    const all = shown(), at = all.indexOf(row);
    const to = {
      ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1,
      PageDown: at + 20, PageUp: at - 20,
    }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      choose(Number(row.dataset.index), true);
    } else if (to !== undefined) {
      const next = all[Math.min(Math.max(to, 0), all.length - 1)];
      choose(Number(next.dataset.index), false);
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  });
  by("machine").addEventListener("keydown", (event) => {
    const all = [...by("machine").querySelectorAll(".pcpu")];
    const at = all.indexOf(document.activeElement);
    const step = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1,
    }[event.key];
    if (event.key === "Escape" && chosen !== null) {
      cells[chosen].focus();
    } else if (at >= 0 && step) {
      const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
      all[at].tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else return;
    event.preventDefault();
  });
  by("search").addEventListener("input", list);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== by("search")) {
      by("search").focus();
      event.preventDefault();
    }
  });
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark" : system.matches;
  function labelTheme() {
    const other = `${isDark() ? "light" : "dark"} colours`;
    by("theme").textContent = other[0].toUpperCase() + other.slice(1);
    by("theme").setAttribute("aria-label", `Switch to ${other}`);
  }
  by("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    labelTheme();
  });
  system.addEventListener("change", labelTheme);

  // The host that the address names, or the first that has something to show.
  function first() {
    let named = "";
    try {
      named = decodeURIComponent(location.hash.slice(1));
    } catch { /* an address that somebody mistyped */ }
    const at = hosts.findIndex((host) => host.name === named);
    return at >= 0 ? at : Math.max(0, hosts.findIndex((host) => host.known));
  }

  by("lost-told").textContent = cloud.flavors.length
    ? "Lost: how many more servers of a flavor a host would take if its free "
      + "pCPUs and memory were in one piece. Counted for "
      + `${few(cloud.flavors)}.`
    : "Lost: not counted, as no flavor here pins vCPUs.";
  labelTheme();
  paint();
  list();
  if (hosts.length) {
    choose(first(), false);
    cells[chosen].scrollIntoView({ block: "nearest" });
  }
})();
