import { textScreen, type TextScreen } from '../../devices/display/text-screen.js';
import type { Vga } from '../../devices/display/vga.js';

const REFRESH_MS = 50;
/** Where there is no terminal: a screen is written when it has not changed for so long. */
const SETTLED_MS = 300;

const ALTERNATE = '\x1b[?1049h\x1b[2J';
const LEAVE = '\x1b[0m\x1b[?25h\x1b[?1049l';
/** ANSI numbers of the colours of a PC. */
const COLORS = [0, 4, 2, 6, 1, 5, 3, 7];
const BRIGHT_FOREGROUND = 90;
const FOREGROUND = 30;
const BACKGROUND = 40;

/** Shows the machine's text screen in the terminal; where that is none, writes each screen as lines, behind a form feed. */
export class TextDisplay {
  private readonly timer: NodeJS.Timeout;
  private rows: string[] = [];
  private shown = '';
  private seen = '';
  private since = 0;

  constructor(
    private readonly vga: Vga,
    private readonly out: NodeJS.WriteStream,
  ) {
    if (out.isTTY) out.write(ALTERNATE);
    this.timer = setInterval(() => this.refresh(), REFRESH_MS);
  }

  private refresh(): void {
    const screen = textScreen(this.vga);
    if (this.out.isTTY) this.draw(screen);
    else this.print(screen, false);
  }

  private print(screen: TextScreen | null, atOnce: boolean): void {
    const text = screen ? plain(screen) : this.picture();
    if (text !== this.seen) {
      this.seen = text;
      this.since = performance.now();
    }
    if (text === this.shown || (!atOnce && performance.now() - this.since < SETTLED_MS)) return;
    this.shown = text;
    this.out.write(`\f\n${text}\n`);
  }

  private picture(): string {
    const mode = this.vga.dispi.mode;
    return `[the screen shows a picture${mode ? ` of ${mode.width} x ${mode.height}` : ''}; --display vnc or png=FILE show it]`;
  }

  private draw(screen: TextScreen | null): void {
    const rows = screen ? screen.cells.map(ansi) : [this.picture()];
    let text = rows.length === this.rows.length ? '' : '\x1b[0m\x1b[2J';
    rows.forEach((row, n) => {
      if (text !== '' || row !== this.rows[n]) text += `\x1b[${n + 1};1H${row}\x1b[0m\x1b[K`;
    });
    this.rows = rows;
    const cursor = screen?.cursor;
    text += cursor ? `\x1b[${cursor.row + 1};${cursor.column + 1}H\x1b[?25h` : '\x1b[?25l';
    if (text !== this.shown) this.out.write(text);
    this.shown = text;
  }

  close(): void {
    clearInterval(this.timer);
    const screen = textScreen(this.vga);
    if (!this.out.isTTY) return this.print(screen, true);
    this.out.write(LEAVE);
    // What was there last stays to be read.
    if (screen) this.out.write(`${plain(screen)}\n`);
  }
}

function plain({ cells }: TextScreen): string {
  const lines = cells.map((row) =>
    row
      .map(({ character }) => character)
      .join('')
      .trimEnd(),
  );
  while (lines.length > 0 && lines.at(-1) === '') lines.pop();
  return lines.join('\n');
}

function ansi(row: TextScreen['cells'][number]): string {
  let text = '';
  let last = -1;
  for (const { character, attribute } of row) {
    if (attribute !== last) {
      const foreground = COLORS[attribute & 7]! + (attribute & 8 ? BRIGHT_FOREGROUND : FOREGROUND);
      text += `\x1b[0;${foreground};${BACKGROUND + COLORS[(attribute >> 4) & 7]!}m`;
      last = attribute;
    }
    text += character < ' ' ? ' ' : character;
  }
  return text;
}
