// What the microphone hears, in pieces of about 10 ms; runs in the browser's audio thread.
'use strict';

class Ear extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Float32Array(Math.max(128, Math.round(sampleRate / 100 / 128) * 128));
    this.n = 0;
  }
  process(inputs) {
    const channels = inputs[0];
    if (!channels.length) return true;
    for (let i = 0; i < channels[0].length; i++) {
      let sum = 0;
      for (const c of channels) sum += c[i];
      this.piece[this.n++] = sum / channels.length;
      if (this.n < this.piece.length) continue;
      this.port.postMessage(this.piece.slice());
      this.n = 0;
    }
    return true;
  }
}
registerProcessor('ear', Ear);
