// What the demo shows: the story on stdout, progress on stderr, colours on a terminal only. It also keeps count of the
// claims that did not hold, because the exit code depends on them.

export interface Screen {
  heading(text: string): void;
  /** A heading with the number of the step. */
  step(text: string): void;
  note(text: string): void;
  /** A request in the form a person could type, and what came back. */
  exchange(curl: string, answer: string): void;
  /** A statement that the run has just proven, or disproven. */
  claim(text: string, holds: boolean): void;
  /** The first row is the head; cells that look like numbers are set to the right. */
  table(rows: readonly (readonly string[])[]): void;
  /** One line that is written over and over on a terminal. */
  progress(text: string): void;
  progressEnds(): void;
  broken(): readonly string[];
}

interface Output {
  readonly out: NodeJS.WriteStream;
  readonly progress: NodeJS.WriteStream;
}

const SGR = { bold: '1', dim: '2', red: '31', green: '32', cyan: '36' } as const;
/** On a log file a line each time would be noise. */
const PROGRESS_EVERY_MS = 5_000;

export function createScreen({ out, progress }: Output): Screen {
  const broken: string[] = [];
  let heading = '';
  let steps = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  const paint = (style: keyof typeof SGR, text: string) => (out.isTTY ? `\u001b[${SGR[style]}m${text}\u001b[0m` : text);
  const write = (text: string) => void out.write(`${text}\n`);

  function head(text: string): void {
    heading = text;
    write(`\n${paint('bold', text)}`);
  }

  return {
    heading: head,
    step(text) {
      steps += 1;
      head(`${steps}. ${text}`);
    },
    note: (text) => write(`  ${text}`),
    exchange(curl, answer) {
      write(`  ${paint('cyan', `$ ${curl}`)}`);
      write(`  ${answer}`);
    },
    claim(text, holds) {
      if (!holds) broken.push(`${heading}: ${text}`);
      write(`  ${holds ? paint('green', 'ok') : paint('red', 'NOT TRUE')}  ${text}`);
    },
    table(rows) {
      for (const [index, line] of tableLines(rows).entries()) write(`  ${index === 0 ? paint('dim', line) : line}`);
    },
    progress(text) {
      if (progress.isTTY) {
        progress.write(`\r\u001b[2K${text}`);
        return;
      }
      if (performance.now() - toldAt < PROGRESS_EVERY_MS) return;
      toldAt = performance.now();
      progress.write(`${text}\n`);
    },
    progressEnds() {
      if (progress.isTTY) progress.write('\r\u001b[2K');
    },
    broken: () => broken,
  };
}

function tableLines(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.map((_, column) => rows.map((row) => row[column] ?? '')) ?? [];
  const padded = columns.map((cells) => {
    const width = Math.max(...cells.map((cell) => cell.length));
    const isNumeric = cells.slice(1).every((cell) => /^-?[\d.]*$/.test(cell));
    return cells.map((cell) => (isNumeric ? cell.padStart(width) : cell.padEnd(width)));
  });
  return rows.map((_, index) =>
    padded
      .map((cells) => cells[index])
      .join('   ')
      .trimEnd(),
  );
}
