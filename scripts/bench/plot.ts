/** A line of a plot. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly series: readonly Series[];
}

const COLUMNS = 72;
const ROWS = 16;
const MARKS = ['+', '-', 'o', 'x'] as const;

const WIDTH = 760;
const HEIGHT = 400;
const MARGIN = 60;
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'] as const;

interface Extent {
  readonly x: number;
  readonly y: number;
}

/** Both axes begin at 0, so that a line that looks flat is. */
function extentOf({ series }: Plot): Extent {
  const points = series.flatMap((it) => it.points);
  return {
    x: Math.max(1, ...points.map(([x]) => x)),
    y: Math.max(1, ...points.map(([, y]) => y)),
  };
}

const shown = (value: number): string => value.toFixed(value < 10 ? 1 : 0);

/** The plot in characters, for a terminal. */
export function textPlot(plot: Plot): string {
  const most = extentOf(plot);
  const grid = Array.from({ length: ROWS }, () => new Array<string>(COLUMNS).fill(' '));
  for (const [index, { points }] of plot.series.entries()) {
    for (const [x, y] of points) {
      const column = Math.min(COLUMNS - 1, Math.floor((x / most.x) * COLUMNS));
      const row = ROWS - 1 - Math.min(ROWS - 1, Math.floor((y / most.y) * ROWS));
      grid[row]![column] = MARKS[index % MARKS.length]!;
    }
  }
  const label = (row: number): string => {
    if (row === 0) return shown(most.y);
    return row === ROWS - 1 ? '0' : '';
  };
  const legend = plot.series.map(({ name }, index) => `${MARKS[index % MARKS.length]} ${name}`);
  return [
    `${plot.title} (${plot.yTitle})`,
    ...grid.map((cells, row) => `${label(row).padStart(7)} |${cells.join('').trimEnd()}`),
    `${' '.repeat(8)}+${'-'.repeat(COLUMNS)}`,
    `${' '.repeat(9)}0${`${plot.xTitle}: ${shown(most.x)}`.padStart(COLUMNS - 1)}`,
    `${' '.repeat(9)}${legend.join('   ')}`,
    '',
  ].join('\n');
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** The plot as an SVG file. */
export function svgPlot(plot: Plot): string {
  const most = extentOf(plot);
  const right = WIDTH - MARGIN / 2;
  const bottom = HEIGHT - MARGIN;
  const at = (x: number, y: number): string => {
    const left = MARGIN + (x / most.x) * (right - MARGIN);
    const top = bottom - (y / most.y) * (bottom - MARGIN);
    return `${left.toFixed(1)},${top.toFixed(1)}`;
  };
  const text = (x: number, y: number, anchor: string, content: string, colour = '#222'): string =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${colour}">${escapeXml(content)}</text>`;
  const lines = plot.series.map(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length]!;
    const path = points.map(([x, y]) => at(x, y)).join(' ');
    const line = `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
    return line + text(MARGIN + 10, MARGIN + 16 * (index + 1), 'start', name, colour);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    text(WIDTH / 2, 24, 'middle', plot.title),
    text(WIDTH / 2, HEIGHT - 16, 'middle', plot.xTitle),
    text(MARGIN, MARGIN - 12, 'start', plot.yTitle),
    `<path d="M${MARGIN},${MARGIN} V${bottom} H${right}" fill="none" stroke="#222"/>`,
    text(MARGIN - 6, MARGIN + 4, 'end', shown(most.y)),
    text(MARGIN - 6, bottom, 'end', '0'),
    text(right, bottom + 16, 'end', shown(most.x)),
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}
