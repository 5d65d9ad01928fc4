// What a person does, as the components of an action: keys, mouse and touch on the world, a gamepad.
// The mapping is data: {keys: [{code, component, to}], pointer: [x, y], stick: [x, y]}, saved in the
// session.
'use strict';

const Input = (() => {
  let components = [], mapping = {keys: [], pointer: [], stick: []}, changed = () => {};
  const held = new Set();
  let drag = null, stick = null; // [x, y] in -1..1, or null

  const usual = [['KeyD', 'KeyA'], ['KeyW', 'KeyS'], ['KeyE', 'KeyQ'], ['KeyL', 'KeyJ'], ['KeyI', 'KeyK'], ['KeyO', 'KeyU']];
  const also = [['ArrowRight', 'ArrowLeft'], ['ArrowUp', 'ArrowDown']];

  function standard(list) {
    const keys = [];
    list.forEach((c, i) => {
      for (const pairs of [usual, also]) {
        if (!pairs[i]) continue;
        keys.push({code: pairs[i][0], component: i, to: c.high});
        keys.push({code: pairs[i][1], component: i, to: c.low});
      }
    });
    const two = list.length > 1 ? [0, 1] : list.length ? [0] : [];
    return {keys, pointer: two, stick: two};
  }

  // Of several keys for one component the opposite ones cancel; a stick or a finger goes before keys.
  function values() {
    const v = components.map(c => c.rest || 0), up = components.map(() => 0), down = components.map(() => 0);
    for (const k of mapping.keys) {
      if (!held.has(k.code) || k.component >= v.length) continue;
      if (k.to >= 0) up[k.component] = Math.max(up[k.component], k.to);
      else down[k.component] = Math.min(down[k.component], k.to);
    }
    v.forEach((_, i) => { if (up[i] || down[i]) v[i] = up[i] + down[i]; });
    const point = drag || stick, to = drag ? mapping.pointer : mapping.stick;
    if (point) to.forEach((c, axis) => {
      if (c === undefined || c >= v.length) return;
      const x = axis ? -point[1] : point[0], range = components[c];
      v[c] = x >= 0 ? x * Math.max(range.high, 0) : -x * Math.min(range.low, 0);
    });
    return v;
  }

  function isTyping(e) { return e.target.closest && e.target.closest('input, select, textarea'); }

  addEventListener('keydown', e => {
    if (e.ctrlKey || e.metaKey || e.altKey || isTyping(e)) return;
    if (!mapping.keys.some(k => k.code === e.code)) return;
    e.preventDefault();
    if (e.repeat || held.has(e.code)) return;
    held.add(e.code);
    changed(e.timeStamp);
  });
  addEventListener('keyup', e => { if (held.delete(e.code)) changed(e.timeStamp); });
  addEventListener('blur', () => { if (held.size || drag) { held.clear(); drag = null; changed(performance.now()); } });

  // A drag from where the finger or the button went down; a sixth of the canvas is the whole way.
  function watch(canvas, pads) {
    let from = null, id = null;
    const show = (x, y) => {
      if (!from) { pads.replaceChildren(); return; }
      const box = pads.getBoundingClientRect();
      if (!pads.firstChild) {
        for (const name of ['stick', 'knob']) { const d = document.createElement('div'); d.className = name; pads.append(d); }
      }
      pads.firstChild.style.cssText = `left:${from[0] - box.left}px;top:${from[1] - box.top}px`;
      pads.lastChild.style.cssText = `left:${x - box.left}px;top:${y - box.top}px`;
    };
    canvas.addEventListener('pointerdown', e => {
      if (id !== null) return;
      id = e.pointerId; from = [e.clientX, e.clientY]; drag = [0, 0];
      canvas.setPointerCapture(id);
      canvas.focus({preventScroll: true});
      show(e.clientX, e.clientY);
      changed(e.timeStamp);
    });
    canvas.addEventListener('pointermove', e => {
      if (e.pointerId !== id) return;
      const reach = 55;
      let x = (e.clientX - from[0]) / reach, y = (e.clientY - from[1]) / reach;
      const far = Math.hypot(x, y);
      if (far > 1) { x /= far; y /= far; }
      drag = [Math.round(x * 64) / 64, Math.round(y * 64) / 64];
      show(from[0] + x * reach, from[1] + y * reach);
      changed(e.timeStamp);
    });
    const end = e => {
      if (e.pointerId !== id) return;
      id = null; from = null; drag = null;
      show();
      changed(e.timeStamp);
    };
    canvas.addEventListener('pointerup', end);
    canvas.addEventListener('pointercancel', end);
  }

  // Gamepads are looked at, they do not call.
  function look() {
    let now = null;
    for (const pad of navigator.getGamepads ? navigator.getGamepads() : []) {
      if (!pad) continue;
      let [x, y] = [pad.axes[0] || 0, pad.axes[1] || 0];
      const b = i => pad.buttons[i] && pad.buttons[i].pressed ? 1 : 0;
      if (Math.hypot(x, y) < 0.15) { x = b(15) - b(14); y = b(13) - b(12); }
      if (x || y) now = [Math.round(x * 64) / 64, Math.round(y * 64) / 64];
    }
    const same = now === stick || (now && stick && now[0] === stick[0] && now[1] === stick[1]);
    stick = now;
    if (!same) changed(performance.now());
  }
  setInterval(look, 8);

  const words = {ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→', Space: 'space'};
  const word = code => words[code] || code.replace(/^Key|^Digit/, '');

  // A table of components with a button for each key; calls back when a key was chosen.
  function table(into, edited) {
    into.replaceChildren();
    for (const text of ['', 'less', 'more']) {
      const d = document.createElement('div'); d.className = 'head'; d.textContent = text; into.append(d);
    }
    components.forEach((c, i) => {
      const name = document.createElement('div');
      name.textContent = c.name;
      into.append(name);
      for (const side of [-1, 1]) {
        const key = mapping.keys.find(k => k.component === i && Math.sign(k.to) === side) ||
          {code: '', component: i, to: side < 0 ? c.low : c.high};
        const b = document.createElement('button');
        b.type = 'button';
        b.textContent = word(key.code) || '–';
        b.dataset.code = key.code;
        b.setAttribute('aria-label', `key for ${side < 0 ? 'less' : 'more'} ${c.name}: ${word(key.code) || 'none'}`);
        b.addEventListener('click', () => {
          b.classList.add('waits');
          b.textContent = 'press …';
          const take = e => {
            e.preventDefault(); e.stopPropagation();
            removeEventListener('keydown', take, true);
            if (e.code !== 'Escape') {
              mapping.keys = mapping.keys.filter(k => k.code !== e.code);
              key.code = e.code;
              if (!mapping.keys.includes(key)) mapping.keys.unshift(key);
              edited(mapping);
            }
            table(into, edited);
          };
          addEventListener('keydown', take, true);
        });
        into.append(b);
      }
    });
  }

  return {
    setUp(list, given, onChange) {
      components = list;
      mapping = given || standard(list);
      changed = onChange;
    },
    // From a file that anybody may have made: what is no mapping stays out.
    take(given) {
      if (!given || !Array.isArray(given.keys)) return;
      const axes = list => (Array.isArray(list) ? list : []).slice(0, 2).filter(c => Number.isInteger(c) && c >= 0);
      mapping = {
        keys: given.keys.filter(k => k && typeof k.code === 'string' && Number.isInteger(k.component) && Number.isFinite(k.to))
          .map(k => ({code: k.code.slice(0, 32), component: k.component, to: k.to})),
        pointer: axes(given.pointer), stick: axes(given.stick),
      };
    },
    mapping: () => mapping,
    values, watch, table,
    show(into) {
      for (const b of into.querySelectorAll('button')) b.classList.toggle('held', held.has(b.dataset.code));
    },
  };
})();
