// Speech that acts: a sound file, or the microphone, sent as samples; the server makes spectra of it.
'use strict';

const Sound = (() => {
  const SOUND = 4, PIECE = 65536;
  let context = null, source = null; // a file that is played aloud
  let ear = null; // {context, stream}: the microphone
  let send = () => {}, level = () => {};

  // The samples of a WAV file as they stand in it, channels made one.
  function readWav(buffer) {
    const v = new DataView(buffer), tag = at => String.fromCharCode(...new Uint8Array(buffer, at, 4));
    if (buffer.byteLength < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') return null;
    let format = null;
    for (let at = 12; at + 8 <= buffer.byteLength;) {
      const size = v.getUint32(at + 4, true), from = at + 8;
      if (tag(at) === 'fmt ' && from + 16 <= buffer.byteLength) {
        const extended = v.getUint16(from, true) === 0xFFFE && size >= 40;
        format = {kind: v.getUint16(extended ? from + 24 : from, true), channels: v.getUint16(from + 2, true),
          rate: v.getUint32(from + 4, true), bits: v.getUint16(from + 14, true)};
      }
      if (tag(at) === 'data' && format) return decode(v, from, Math.min(size, buffer.byteLength - from), format);
      at = from + size + size % 2;
    }
    throw new Error('it holds no samples');
  }

  function decode(v, from, bytes, {kind, channels, rate, bits}) {
    const wide = bits / 8, n = channels ? Math.floor(bytes / (wide * channels)) : 0;
    const read = {
      '1 8': at => (v.getUint8(at) - 128) / 128, '1 16': at => v.getInt16(at, true) / 32768,
      '1 24': at => (v.getUint8(at) + 256 * v.getInt16(at + 1, true)) / 8388608,
      '1 32': at => v.getInt32(at, true) / 2147483648, '3 32': at => v.getFloat32(at, true), '3 64': at => v.getFloat64(at, true),
    }[`${kind} ${bits}`];
    if (!read) throw new Error(`its samples are of a form that is not known (${kind}, ${bits} bits): save it as 16-bit PCM`);
    const samples = new Float32Array(n);
    for (let i = 0, at = from; i < n; i++) {
      let sum = 0;
      for (let c = 0; c < channels; c++, at += wide) sum += read(at);
      samples[i] = Math.max(-1, Math.min(1, sum / channels));
    }
    return {rate, samples};
  }

  async function read(file) {
    const buffer = await file.arrayBuffer(), wav = readWav(buffer);
    if (wav) return wav;
    const a = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(buffer), samples = new Float32Array(a.length);
    for (let c = 0; c < a.numberOfChannels; c++) a.getChannelData(c).forEach((x, i) => { samples[i] += x / a.numberOfChannels; });
    return {rate: a.sampleRate, samples};
  }

  function piece(samples, rate, whole, at) {
    const b = new ArrayBuffer(16 + 4 * samples.length), v = new DataView(b);
    v.setUint8(0, SOUND);
    v.setUint32(4, rate, true);
    v.setUint32(8, whole, true);
    v.setUint32(12, at, true);
    samples.forEach((x, i) => v.setFloat32(16 + 4 * i, x, true));
    send(b);
  }

  function loud(samples) {
    let sum = 0;
    for (const x of samples) sum += x * x;
    level(Math.max(0, 1 + Math.log10(sum / samples.length + 1e-9) / 6));
  }

  function stop() {
    if (source) { source.onended = null; source.stop(); source = null; }
    if (ear) { for (const t of ear.stream.getTracks()) t.stop(); ear.context.close(); ear = null; }
    level(0);
  }

  return {
    setUp(sends, shows) { send = sends; level = shows; },
    // Sends a file whole; *aloud* plays it once the world hears it.
    async file(file) {
      const sound = await read(file);
      if (!sound.samples.length) throw new Error('it holds no sound');
      stop();
      for (let at = 0; at < sound.samples.length; at += PIECE)
        piece(sound.samples.subarray(at, at + PIECE), sound.rate, sound.samples.length, at);
      return sound;
    },
    aloud({rate, samples}) {
      try {
        context = context || new AudioContext();
        const b = context.createBuffer(1, samples.length, rate);
        b.copyToChannel(samples, 0);
        source = context.createBufferSource();
        source.buffer = b;
        source.connect(context.destination);
        source.start();
      } catch (e) { source = null; } // a rate that browsers do not play: it is seen all the same
    },
    // Time stands still, or goes on.
    pace(running) { if (context) running ? context.resume() : context.suspend(); },
    async listen() {
      if (!navigator.mediaDevices) throw new Error('browsers give a page the microphone on localhost and over https alone');
      stop();
      const stream = await navigator.mediaDevices.getUserMedia({audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false}});
      const c = new AudioContext();
      ear = {context: c, stream};
      await c.audioWorklet.addModule('ear.js');
      const node = new AudioWorkletNode(c, 'ear', {numberOfOutputs: 0});
      node.port.onmessage = e => {
        if (!ear || ear.context !== c) return;
        piece(e.data, c.sampleRate, 0, 0);
        loud(e.data);
      };
      c.createMediaStreamSource(stream).connect(node);
    },
    listens: () => ear !== null,
    stop,
  };
})();
