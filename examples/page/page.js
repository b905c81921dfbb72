// Boots the kernel that this page's server offers, and shows its serial console.
import { startMachine } from '/dist/web/machine.js';

const screen = document.getElementById('screen');
const status = document.getElementById('status');
const stop = document.getElementById('stop');
const MOST_TEXT = 100_000;

const fetchBytes = async (path) => {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
};

/** Not a terminal: colours and cursor movements are left out, a backspace takes the last character away. */
const decoder = new TextDecoder();
function show(bytes) {
  let text = screen.textContent;
  const plain = decoder.decode(bytes, { stream: true }).replace(/\x1b\[[\d;?]*[A-Za-z]|\r/g, '');
  for (const character of plain) text = character === '\b' ? text.slice(0, -1) : text + character;
  screen.textContent = text.slice(-MOST_TEXT);
  screen.scrollTop = screen.scrollHeight;
}

const KEYS = { Enter: '\r', Backspace: '\x7f', Tab: '\t', Escape: '\x1b', ArrowUp: '\x1b[A', ArrowDown: '\x1b[B', ArrowRight: '\x1b[C', ArrowLeft: '\x1b[D' }; // prettier-ignore

function keyText({ key, ctrlKey, altKey, metaKey, shiftKey }) {
  if (altKey || metaKey) return null;
  // Shift and Tab leaves the field, as elsewhere.
  if (key === 'Tab' && shiftKey) return null;
  if (ctrlKey) return /^[a-z]$/i.test(key) ? String.fromCharCode(key.toUpperCase().charCodeAt(0) & 31) : null;
  return KEYS[key] ?? (key.length === 1 ? key : null);
}

try {
  const started = performance.now();
  // As many as the page's address asks for, ?cpus=4, or as the host has, a few at most.
  const cpus = Number(
    new URLSearchParams(location.search).get('cpus') ?? Math.min(navigator.hardwareConcurrency, 4),
  );
  const [kernel, initrd, append] = await Promise.all([
    fetchBytes('/guest/kernel'),
    fetchBytes('/guest/initrd'),
    fetch('/guest/append').then((response) => response.text()),
  ]);
  const machine = startMachine({ kernel, initrd, append, cpus, onSerial: show });
  status.textContent = 'Running';
  stop.disabled = false;
  stop.onclick = () => machine.stop();
  screen.onkeydown = (event) => {
    const text = keyText(event);
    if (text === null) return;
    event.preventDefault();
    machine.send(text);
  };
  screen.onpaste = (event) => machine.send(event.clipboardData.getData('text'));
  screen.focus();
  const { end, counts } = await machine.ended;
  const seconds = (performance.now() - started) / 1000;
  const millions = Math.round(counts.instructions / 1e6).toLocaleString('en');
  status.textContent = `Ended (${end.kind}) after ${seconds.toFixed(1)} s and ${millions} million instructions`;
} catch (error) {
  status.textContent = error.message;
}
stop.disabled = true;
