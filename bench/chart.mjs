// The chart of a result: for each workload how many times as fast as each peer Vivarium is, on a logarithmic scale.
const LABELS = 215;
const PLOT = 520;
const MARGIN = 56;
const ROW = 16;
const GAP = 8;
const TOP = 64;
/** Ends of the scale. */
const [LEAST, MOST] = [1 / 8, 8];
const COLOURS = { qemu: '#2f6db3', v86: '#c2701c' };
const NAMES = { qemu: 'QEMU', v86: 'v86' };

const place = (factor) => {
  const within = Math.min(MOST, Math.max(LEAST, factor));
  return LABELS + (PLOT * Math.log(within / LEAST)) / Math.log(MOST / LEAST);
};
const text = (x, y, content, more = '') =>
  `<text x="${x}" y="${y}" ${more}>${content.replace(/&/g, '&amp;')}</text>`;

/** An SVG document; `result` as bench.mjs writes it. */
export function chartOf({ rows, guest, runs, machine }) {
  const peers = Object.keys(rows[0].ratios);
  const height = TOP + rows.length * (peers.length * ROW + GAP) + 28;
  const width = LABELS + PLOT + MARGIN;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#222" role="img">`,
    `<title>Speed of Vivarium beside ${peers.map((peer) => NAMES[peer]).join(' and ')}, ${guest} guest</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(
      12,
      22,
      `How many times as fast: Debian ${guest} guest, medians of ${runs}, ${machine.cpu}`,
      'font-size="14"',
    ),
  ];
  peers.forEach((peer, i) => {
    parts.push(`<rect x="${12 + i * 110}" y="34" width="12" height="12" fill="${COLOURS[peer]}"/>`);
    parts.push(text(30 + i * 110, 44, `than ${NAMES[peer]}`));
  });
  for (const factor of [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]) {
    const x = place(factor);
    const line = factor === 1 ? '#222' : '#ddd';
    parts.push(`<path d="M${x} ${TOP - 6}V${height - 24}" stroke="${line}"/>`);
    parts.push(text(x, height - 8, factor < 1 ? `1/${1 / factor}` : String(factor), 'text-anchor="middle"'));
  }
  rows.forEach(({ workload, ratios }, row) => {
    const y = TOP + row * (peers.length * ROW + GAP);
    const middle = y + (peers.length * ROW) / 2 + 4;
    parts.push(text(LABELS - 10, middle, workload, 'text-anchor="end"'));
    peers.forEach((peer, i) => {
      const factor = 1 / ratios[peer];
      const [from, to] = [place(Math.min(1, factor)), place(Math.max(1, factor))];
      const top = y + i * ROW;
      parts.push(
        `<rect x="${from}" y="${top + 1}" width="${Math.max(1, to - from)}" height="${ROW - 2}" fill="${COLOURS[peer]}"/>`,
      );
      const [x, anchor] = factor < 1 ? [from - 4, 'end'] : [to + 4, 'start'];
      parts.push(text(x, top + 12, factor.toFixed(2), `text-anchor="${anchor}" font-size="11"`));
    });
  });
  return parts.join('\n') + '\n</svg>\n';
}
