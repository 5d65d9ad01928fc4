(() => {
  const f = v => {
    if (v == null) return '–';
    const a = Math.abs(v);
    let s;
    if (a >= 1e6) s = (v / 1e6).toFixed(2) + 'M';
    else if (a >= 1e4) s = (v / 1e3).toFixed(1) + 'k';
    else if (a && a < 1e-3) s = v.toExponential(2);
    else s = String(+v.toPrecision(4));
    return s.replace(/^-/, '−')
  };
  for (const p of document.querySelectorAll('.plot')) {
    const d = JSON.parse(p.querySelector('script').textContent);
    if (!d.x.length) continue;
    const mk = (c) => {
      const e = document.createElement('div');
      e.className = c;
      p.append(e);
      return e
    };
    const rule = mk('rule'),
      tip = mk('tip'),
      dots = d.s.map(s => mk('dot c' + s.c));
    const hide = () => p.classList.remove('on');
    const show = e => {
      const r = p.getBoundingClientRect(),
        x = d.x0 + (e.clientX - r.left) / r.width * (d.x1 - d.x0);
      let lo = 0,
        hi = d.x.length - 1;
      while (hi - lo > 1) {
        const m = lo + hi >> 1;
        d.x[m] < x ? lo = m : hi = m
      }
      const i = Math.abs(d.x[lo] - x) <= Math.abs(d.x[hi] - x) ? lo : hi,
        t = (d.x[i] - d.x0) / (d.x1 - d.x0);
      p.classList.add('on');
      rule.style.left = t * 100 + '%';
      tip.textContent = '';
      const row = (n, v, c) => {
        const e = document.createElement('div');
        if (c) {
          const k = document.createElement('i');
          k.className = 'k c' + c;
          e.append(k)
        }
        e.append(n + ' ');
        const b = document.createElement('b');
        b.textContent = v;
        e.append(b);
        tip.append(e)
      };
      row(d.xl, String(d.x[i]), 0);
      d.s.forEach((s, j) => {
        const v = s.y[i];
        let w = f(v);
        if (s.lo && s.lo[i] != null) w += s.lo[i] === s.hi[i] ? ' (raw ' + f(s.lo[i]) + ')' : ' (raw ' + f(s.lo[i]) + ' to ' + f(s.hi[i]) + ')';
        row(s.n, w, s.c);
        const y = v == null || (d.log && v <= 0) ? null : ((d.log ? Math.log10(v) : v) - d.y0) / (d.y1 - d.y0);
        dots[j].style.display = y == null || y < 0 || y > 1 ? 'none' : '';
        dots[j].style.left = t * 100 + '%';
        dots[j].style.bottom = y * 100 + '%'
      });
      tip.style.left = t * 100 + '%';
      tip.classList.toggle('flip', t > .55)
    };
    p.addEventListener('pointermove', show);
    p.addEventListener('pointerdown', show);
    p.addEventListener('pointerleave', hide)
  }
})();