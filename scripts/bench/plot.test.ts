import { describe, expect, it } from 'vitest';
import { svgPlot, textPlot, type Plot } from './plot.ts';

const plot: Plot = {
  title: 'cost & count',
  xTitle: 'count',
  yTitle: 'µs',
  series: [
    {
      name: 'rising',
      points: [
        [0, 0],
        [100, 80],
      ],
    },
    { name: 'flat', points: [[50, 40]] },
  ],
};

describe('textPlot', () => {
  it('puts each point where it belongs, each series with a mark of its own', () => {
    const lines = textPlot(plot).split('\n');
    expect(lines[1]).toBe(`     80 |${'+'.padStart(72)}`);
    expect(lines[8]).toBe(`        |${' '.repeat(36)}-`);
    expect(lines[16]).toBe('      0 |+');
    expect(lines.at(-2)).toMatch(/\+ rising {3}- flat/);
  });
});

describe('svgPlot', () => {
  it('draws a line for each series and escapes what is text', () => {
    const svg = svgPlot(plot);
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg).toContain('points="60.0,340.0 730.0,60.0"');
    expect(svg).toContain('cost &amp; count');
  });
});
