// The page of `orrery play`: one WebSocket, one canvas a world, and what is known of the session.
'use strict';

const $ = id => document.getElementById(id);
const PROTOCOL = 1, INPUT = 1, PICTURE = 2, RESUME = 3, FRAME = 16, SESSION = 17, FILM = 18;
const GIVEN = 1, AHEAD = 2;

let socket = null, house = null, running = false, begun = false;
let again = 0; // the next attempt to connect
let asked_to_enter = false; // as soon as there is a connection
let over = null; // what the server said last before it let go: {code, words}
let horizon = 0; // last frame of a session that is played again
let left = null; // the session that it gave back then
let inputNumber = 0, lastSent = null, sentAt = 0, frameNow = -1, scrubbing = false, wanted = null;
const latencies = [], surprises = [], asked = new Map();
const worlds = [0, 1].map(i => ({canvas: $('world' + i), context: null, image: null}));

// What tests and curious people look at.
const seen = window.orrery = {frames: 0, latencies, hashes: [], connected: false, frame: -1, last: null};

// -- words ------------------------------------------------------------------------------------

function notice(text) {
  $('notice').textContent = text || '';
  $('notice').hidden = !text;
}

function link(state, text) {
  $('link').className = 'dot ' + state;
  $('link').textContent = text;
}

function figure(id, text) { $(id).textContent = text; }

function percentile(list, share) {
  const s = [...list].sort((a, b) => a - b);
  return s[Math.min(s.length - 1, Math.floor(share * s.length))];
}

// -- the socket -------------------------------------------------------------------------------

function tell(what) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what));
}

function connect() {
  if (!('WebSocket' in window)) {
    link('off', 'no WebSocket');
    notice('This browser has no WebSocket: take a newer one to step inside.');
    return;
  }
  const token = new URLSearchParams(location.search).get('token');
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const base = location.pathname.replace(/[^/]*$/, '');
  over = null;
  clearTimeout(again);
  socket = new WebSocket(`${scheme}//${location.host}${base}play/${PROTOCOL}${token ? '?token=' + encodeURIComponent(token) : ''}`);
  socket.binaryType = 'arraybuffer';
  let opened = false;
  socket.onopen = () => { opened = true; link('on', 'connected'); seen.connected = true; notice(''); };
  socket.onmessage = e => typeof e.data === 'string' ? hear(JSON.parse(e.data)) : take(e.data);
  socket.onclose = e => {
    seen.connected = begun = false;
    ready(false);
    link('off', 'not connected');
    // why it ended stays to be read while attempts to come back fail
    if (opened || over || !$('notice').textContent)
      notice(over ? over.words : 'The connection has ended' + (e.reason ? ': ' + e.reason : '') + '.');
    if (over && over.code === 'idle') $('enter').disabled = false; // comes back when asked to
    else again = setTimeout(connect, 3000);
    $('enter').textContent = left ? 'Go on' : 'Step inside';
  };
}

function hear(m) {
  if (m.say === 'hello') hello(m);
  else if (m.say === 'started') started(m);
  else if (m.say === 'state') state(m);
  else if (m.say === 'error') {
    if (['busy', 'idle', 'goodbye'].includes(m.code)) over = m;
    if (m.code === 'film') $('kept').textContent = '';
    notice(m.words);
  } else if (m.say === 'fitted') fitted(m.words);
  else if (m.say === 'filming') $('kept').textContent = `A film of the last ${m.frames} frames is being made …`;
  else if (m.say === 'sound') heard(m);
  else if (m.say === 'replayed') { seen.replayed = m; $('kept').textContent = m.words; }
}

function hello(m) {
  house = m;
  $('model').textContent = `${m.model.replace(/(\/ckpt)?\/step-\d+\/?$/, '').replace(/^.*\//, '')} · step ${m.step}`;
  $('model').title = m.model;
  $('hashes').textContent = `checkpoint ${m.checkpoint}\ntokenizer ${m.tokenizer}`;
  $('fps').value = Math.round(m.fps * 100) / 100;
  $('steps').value = m.steps;
  $('steps').max = m.steps_most;
  $('temperature').value = m.temperature;
  $('choice').value = m.choice_temperature;
  const set = $('set');
  set.replaceChildren(...m.sets.map((s, i) => new Option(`${s.name} (${s.clips} clips)`, i)));
  if (!m.sets.length) set.append(new Option('a picture', 'picture'));
  if (m.replay) { set.prepend(new Option(`the session ${m.replay}`, 'replay')); set.value = 'replay'; }
  m.worlds.forEach((name, i) => {
    const w = worlds[i];
    w.canvas.width = m.width;
    w.canvas.height = m.height;
    w.canvas.style.aspectRatio = `${m.width} / ${m.height}`;
    w.context = w.canvas.getContext('2d', {alpha: false});
    w.image = w.context.createImageData(m.width, m.height);
    w.image.data.fill(255);
    $('view' + i).hidden = false;
    $('name' + i).textContent = m.worlds.length > 1 ? name.replace(/(\/ckpt)?\/step-\d+\/?$/, '') : '';
  });
  $('view1').hidden = m.worlds.length < 2;
  Input.setUp(m.components, m.hears ? {keys: [], pointer: [], stick: []} : null, act);
  $('voice').hidden = !m.hears;
  $('keys').hidden = !!m.hears;
  if (m.hears) $('draghint').hidden = true;
  if (m.hears) for (const e of document.querySelectorAll('#how span')) e.textContent = 'speech acts, space pauses';
  remap();
  fit();
  $('enter').disabled = $('start').disabled = false;
  const back = asked_to_enter && goBack();
  if (!back && !left && (m.sets.length || m.replay)) begin(); // its first frame is there to be seen
  if (asked_to_enter && (back || m.sets.length || m.replay)) go();
  asked_to_enter = false;
  if (!m.sets.length && !m.replay) notice('No data set is open: begin with a picture, or give orrery play one by --data.');
}

function started(m) {
  begun = true;
  if (house.worlds[1] === 'simulator') $('name1').textContent = m.simulated ? 'simulator' : 'simulator (no scene made this beginning)';
  frameNow = m.frame;
  surprises.length = latencies.length = 0;
  asked.clear();
  lastSent = null;
  $('seed').value = m.seed;
  seen.replayed = null;
  seen.sound = null;
  if (!Sound.listens()) Sound.stop();
  $('scrub').min = m.frame;
  horizon = m.replay ? m.goal : 0;
  $('scrub').max = Math.max(m.frame, horizon);
  $('fps').value = Math.round(m.fps * 100) / 100;
  if (m.mapping) { Input.take(m.mapping); remap(); }
  ready(true);
  notice('');
  act(performance.now());
}

function state(m) {
  running = m.running;
  Sound.pace(running);
  $('play').textContent = running ? 'Pause' : 'Go';
  $('step').disabled = running || !begun;
}

function ready(yes) {
  for (const id of ['play', 'step', 'reset', 'save', 'film', 'still', 'scrub']) $(id).disabled = !yes;
  if (!yes) { running = false; $('play').textContent = 'Go'; $('overlay').hidden = false; }
}

// -- frames -----------------------------------------------------------------------------------

function paint(w, pixels) {
  const from = pixels, to = w.image.data;
  for (let i = 0, j = 0; i < from.length; i += 3, j += 4) {
    to[j] = from[i]; to[j + 1] = from[i + 1]; to[j + 2] = from[i + 2];
  }
  w.context.putImageData(w.image, 0, 0);
}

function take(buffer) {
  const v = new DataView(buffer), kind = v.getUint8(0);
  if (kind === SESSION && v.getUint8(1)) { left = buffer.slice(8); return; }
  if (kind === SESSION) { keep(buffer.slice(8), 'orrery', 'application/octet-stream'); return; }
  if (kind === FILM) {
    const gif = v.getUint8(1);
    keep(buffer.slice(8), gif ? 'gif' : 'mp4', gif ? 'image/gif' : 'video/mp4');
    return;
  }
  if (kind !== FRAME) return;
  const world = v.getUint8(1), flags = v.getUint8(2), number = Number(v.getBigUint64(8, true));
  paint(worlds[world], new Uint8Array(buffer, 64));
  if (world) return;
  const clock = v.getFloat64(16, true), stamp = v.getUint32(24, true), surprise = v.getFloat32(36, true);
  seen.frames++;
  seen.frame = frameNow = number;
  seen.last = {number, stamp, flags, surprise, decode: v.getFloat32(32, true), answer: v.getFloat32(40, true)};
  if (!scrubbing) { $('scrub').max = Math.max(number, horizon, Number($('scrub').min)); $('scrub').value = number; }
  figure('frame', 'frame ' + number);
  figure('rate', v.getFloat32(44, true) > 0 ? v.getFloat32(44, true).toFixed(1) : '–');
  figure('missed', v.getUint32(28, true));
  figure('decode', flags & GIVEN ? '–' : flags & AHEAD ? 'ahead' : v.getFloat32(32, true).toFixed(1) + ' ms');
  if (!(flags & GIVEN) && !Number.isNaN(surprise)) {
    surprises.push(surprise);
    if (surprises.length > 280) surprises.shift();
    figure('surprise', surprise.toFixed(3) + ' nats a token');
    chart();
  }
  if (asked.has(stamp)) {
    // the pixels are on their way to the screen: the frame after the next one shows them
    requestAnimationFrame(() => note(stamp));
  }
}

function note(stamp) {
  const at = asked.get(stamp);
  if (at === undefined) return;
  for (const k of asked.keys()) if (k <= stamp) asked.delete(k);
  latencies.push(performance.now() - at);
  if (latencies.length > 2000) latencies.shift();
  figure('latency', `p50 ${percentile(latencies, 0.5).toFixed(0)} · p99 ${percentile(latencies, 0.99).toFixed(0)} ms`);
}

function chart() {
  const c = $('chart'), x = c.getContext('2d'), most = Math.max(1e-3, ...surprises);
  x.clearRect(0, 0, c.width, c.height);
  x.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue('--warm');
  x.lineWidth = 1.5;
  x.beginPath();
  surprises.forEach((s, i) => {
    const y = c.height - 3 - (c.height - 6) * s / most;
    if (i) x.lineTo(i, y); else x.moveTo(i, y);
  });
  x.stroke();
}

// As large as there is room, in whole pixels of the screen for one of the world where that fits.
function fit() {
  if (!house) return;
  const box = $('views').getBoundingClientRect(), n = house.worlds.length, caption = n > 1 ? 28 : 0;
  const ratio = devicePixelRatio || 1;
  const room = Math.min((box.width - 24 - 12 * (n - 1)) / n / house.width, (box.height - 24 - caption) / house.height) * ratio;
  const scale = room >= 1 ? Math.floor(room) / ratio : room / ratio;
  for (const w of worlds) {
    w.canvas.style.width = house.width * scale + 'px';
    w.canvas.style.height = house.height * scale + 'px';
  }
}

// -- acting -----------------------------------------------------------------------------------

// A changed action goes out at once; the clock is that of the event behind it.
function act(clock) {
  Input.show($('mapping'));
  if (!begun || !socket || socket.readyState !== WebSocket.OPEN) return;
  const values = Input.values(), same = lastSent && values.every((v, i) => v === lastSent[i]);
  if (same && performance.now() - sentAt < 1000) return;
  const b = new ArrayBuffer(16 + 4 * values.length), v = new DataView(b);
  inputNumber++;
  v.setUint8(0, INPUT);
  v.setUint16(2, values.length, true);
  v.setUint32(4, inputNumber, true);
  v.setFloat64(8, clock, true);
  values.forEach((x, i) => v.setFloat32(16 + 4 * i, x, true));
  socket.send(b);
  if (!same && running) asked.set(inputNumber, clock);
  lastSent = values;
  sentAt = performance.now();
}
setInterval(() => { if (running) act(performance.now()); }, 1000);

function begin() {
  const m = {do: 'start', seed: Number($('seed').value) || 0, steps: Number($('steps').value),
    temperature: Number($('temperature').value), choice_temperature: Number($('choice').value),
    fps: Number($('fps').value) || house.fps, mapping: Input.mapping()};
  if ($('set').value === 'replay') { tell({do: 'start', replay: true}); return; }
  if ($('set').value === 'picture') m.picture = true;
  else { m.set = Number($('set').value); m.clip = Number($('clip').value) || 0; m.from = Number($('from').value) || 0; }
  tell(m);
}

function go() { tell({do: 'go', fps: Number($('fps').value) || house.fps}); $('overlay').hidden = true; $('world0').focus({preventScroll: true}); }
function toggle() { if (begun) running ? tell({do: 'pause'}) : go(); }

function remap() {
  Input.table($('mapping'), mapping => { tell({do: 'map', mapping}); act(performance.now()); });
}

// The middle of a picture in the world's shape, made small here: only pixels travel.
async function picture(file) {
  const bitmap = await createImageBitmap(file), {width, height} = house;
  const share = Math.min(bitmap.width / width, bitmap.height / height);
  const w = width * share, h = height * share;
  let canvas = document.createElement('canvas');
  canvas.width = width; canvas.height = height;
  const x = canvas.getContext('2d', {alpha: false});
  x.imageSmoothingQuality = 'high';
  x.drawImage(bitmap, (bitmap.width - w) / 2, (bitmap.height - h) / 2, w, h, 0, 0, width, height);
  const rgba = x.getImageData(0, 0, width, height).data;
  const b = new ArrayBuffer(8 + width * height * 3), v = new DataView(b), to = new Uint8Array(b, 8);
  v.setUint8(0, PICTURE);
  v.setUint16(4, width, true);
  v.setUint16(6, height, true);
  for (let i = 0, j = 0; i < rgba.length; i += 4, j += 3) { to[j] = rgba[i]; to[j + 1] = rgba[i + 1]; to[j + 2] = rgba[i + 2]; }
  socket.send(b);
  const whole = bitmap.width === width && bitmap.height === height;
  fitted(whole ? '' : `Picture of ${bitmap.width} × ${bitmap.height} pixels: its middle was fitted to the world's ${width} × ${height}.`);
  if (![...$('set').options].some(o => o.value === 'picture')) $('set').append(new Option('a picture', 'picture'));
  $('set').value = 'picture';
}

function fitted(words) {
  $('fitted').textContent = words;
  $('fitted').hidden = !words;
}

// -- speech -----------------------------------------------------------------------------------

let spoken = null; // {name, rate, samples} that was sent last

async function speak(file) {
  if (!begun) { notice('Begin a session first: nothing is there yet that could hear it.'); return; }
  if (!house.hears) { notice(`This world hears nothing: its actions are ${house.components.map(c => c.name).join(', ')}.`); return; }
  notice('');
  try {
    spoken = {name: file.name, ...await Sound.file(file)};
  } catch (e) {
    notice(`${file.name} cannot be heard: ${e.message}.`);
  }
}

async function listen() {
  if (Sound.listens()) { hush(); return; }
  if (!begun) { notice('Begin a session first: nothing is there yet that could hear you.'); return; }
  notice('');
  try {
    await Sound.listen();
  } catch (e) {
    Sound.stop();
    notice(`The microphone cannot be heard: ${e.message}.`);
  }
}

function hush() { Sound.stop(); tell({do: 'hush'}); }

// A sound acts, or none does any more.
function heard(m) {
  seen.sound = m;
  const words = {none: 'Nothing is heard.', stream: `The microphone is heard, ${(m.rate / 1000).toFixed(1)} kHz.`}[m.kind];
  $('heard').textContent = words || `${spoken.name}: ${m.seconds.toFixed(1)} s, ${(m.rate / 1000).toFixed(1)} kHz.`;
  $('hush').disabled = m.kind === 'none';
  $('microphone').setAttribute('aria-pressed', m.kind === 'stream');
  if (m.kind === 'none') return;
  if (m.kind === 'file') Sound.aloud(spoken);
  if (!running) go();
}

// On with the session that the connection's end has left; whether there is one.
function goBack() {
  if (!left) return false;
  resume(left, true);
  left = null;
  $('enter').textContent = 'Step inside';
  return true;
}

// A session file, to be seen from its beginning or to go on at its end.
function resume(file, atEnd) {
  const b = new Uint8Array(8 + file.byteLength);
  b[0] = RESUME;
  b[1] = atEnd ? 1 : 0;
  b.set(new Uint8Array(file), 8);
  socket.send(b);
}

// The link stands in the page, and for a minute, until the browser has taken what it leads to.
function keep(data, ending, type) {
  const times = (seen.kept ? seen.kept.times : 0) + 1, name = `world-${frameNow}-${times}.${ending}`;
  const blob = data instanceof Blob ? data : new Blob([data], {type}), a = document.createElement('a');
  a.href = URL.createObjectURL(blob);
  a.download = name;
  a.hidden = true;
  document.body.append(a);
  a.click();
  setTimeout(() => { a.remove(); URL.revokeObjectURL(a.href); }, 60000);
  $('kept').textContent = `${name}: ${(blob.size / 1024).toFixed(1)} KiB.`;
  seen.kept = {name, bytes: blob.size, times};
}

// -- what the buttons do ----------------------------------------------------------------------

$('enter').onclick = () => {
  if (!socket || socket.readyState !== WebSocket.OPEN) {
    $('enter').disabled = asked_to_enter = true;
    if (!socket || socket.readyState !== WebSocket.CONNECTING) connect();
    return;
  }
  if (!begun && !goBack()) begin();
  go();
};
$('start').onclick = () => { begin(); $('overlay').hidden = true; if (running) go(); };
$('dice').onclick = () => {
  const clips = house && house.sets.length ? house.sets[Number($('set').value) || 0].clips : 1;
  $('clip').value = Math.floor(Math.random() * clips);
  $('from').value = 0;
  begin();
};
$('play').onclick = toggle;
$('step').onclick = () => tell({do: 'step'});
$('reset').onclick = () => tell({do: 'reset'});
$('fps').onchange = () => { if (running) go(); };
$('scrub').oninput = () => { scrubbing = true; figure('frame', 'frame ' + $('scrub').value); };
$('scrub').onchange = () => { scrubbing = false; horizon = 0; tell({do: 'back', frame: Number($('scrub').value)}); };
$('save').onclick = () => tell({do: 'save'});
$('film').onclick = () => tell({do: 'film', format: $('format').value});
async function openSession(file) {
  resume(await file.arrayBuffer(), false);
  $('overlay').hidden = true;
}
$('opened').onchange = e => { if (e.target.files[0]) openSession(e.target.files[0]); e.target.value = ''; };
$('still').onclick = () => $('world0').toBlob(b => keep(b, 'png', 'image/png'));
$('picture').onchange = e => { if (e.target.files[0]) picture(e.target.files[0]).catch(() => notice('That file is no picture that this browser can read.')); };

$('sound').onchange = e => { if (e.target.files[0]) speak(e.target.files[0]); e.target.value = ''; };
$('microphone').onclick = listen;
$('hush').onclick = hush;

// A file that is dropped anywhere is what its name says.
addEventListener('dragover', e => e.preventDefault());
addEventListener('drop', e => {
  const f = e.dataTransfer && e.dataTransfer.files[0];
  e.preventDefault();
  if (!f || !house) return;
  if (/\.orrery$/i.test(f.name)) openSession(f);
  else if (/^image\//.test(f.type)) picture(f).catch(() => notice('That file is no picture that this browser can read.'));
  else speak(f);
});

addEventListener('keydown', e => {
  if (e.target.closest('input, select, button, summary') || e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.code === 'Space') { e.preventDefault(); if (!begun) $('enter').click(); else toggle(); }
  else if (e.code === 'Period' && !running) tell({do: 'step'});
  else if (e.code === 'KeyR') tell({do: 'reset'});
});
addEventListener('resize', fit);
new ResizeObserver(fit).observe($('stage'));
if (matchMedia('(max-width: 800px)').matches) for (const d of document.querySelectorAll('aside details')) d.open = d.querySelector('#set, #sound') !== null;
Input.watch($('world0'), $('pads'));
Sound.setUp(b => { if (socket && socket.readyState === WebSocket.OPEN) socket.send(b); }, x => { $('level').value = x; });
connect();
