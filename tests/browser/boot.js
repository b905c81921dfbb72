// Boots the server's guest, types a command at its prompt, powers off, and sends what was seen to the server.
import { startMachine } from '/dist/web/machine.js';

const report = (what) => fetch('/report', { method: 'POST', body: JSON.stringify(what) });

try {
  const bytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
  const [kernel, initrd] = await Promise.all([bytes('/guest/kernel'), bytes('/guest/initrd')]);
  const append = await (await fetch('/guest/append')).text();
  const query = new URLSearchParams(location.search);
  const [engine, cpus] = [query.get('engine'), Number(query.get('cpus'))];
  const started = performance.now();
  let text = '';
  let typed = 0;
  /** When each prompt came. */
  const times = [];
  const decoder = new TextDecoder();
  // Two programs at once, before the rest.
  const both = "for i in 1 2; do awk 'BEGIN { while (n < 500000) n++; print n }' & done; wait\r";
  const commands = [both, 'echo sum $((40 + 2)) of $(nproc)\r', 'poweroff\r'];
  const machine = startMachine({
    kernel,
    initrd,
    append,
    engine,
    cpus,
    onSerial(chunk) {
      text += decoder.decode(chunk, { stream: true });
      // Behind each prompt comes a question for the terminal's cursor, which nobody answers.
      const prompts = text.match(/^\/root # /gm)?.length ?? 0;
      if (prompts <= typed || typed === commands.length) return;
      times.push(performance.now() - started);
      machine.send(commands[typed++]);
    },
  });
  const { end, counts, mode } = await machine.ended;
  await report({ end: end.kind, times, text, mode, tiers: counts.tiers, browser: navigator.userAgent });
} catch (error) {
  await report({ error: error.message });
}
