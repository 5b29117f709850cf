import { describe, expect, it } from 'vitest';
import { completeWords, splitWords } from './words.ts';

const texts = (line: string): string[] => completeWords(line).map((word) => word.text);

describe('splitWords', () => {
  it('cuts at spaces and tabs', () => {
    expect(texts('  qom-set\tvm0   requested-size 500M ')).toEqual([
      'qom-set',
      'vm0',
      'requested-size',
      '500M',
    ]);
    expect(texts(' \t ')).toEqual([]);
  });

  it('takes quoted text as one word, with escapes', () => {
    expect(texts(String.raw`say "a \"b\"\n\\" "" c`)).toEqual(['say', 'a "b"\n\\', '', 'c']);
  });

  it('says where each word starts, and whether a quotation is open', () => {
    expect(splitWords('a "b c')).toEqual({
      words: [
        { text: 'a', start: 0 },
        { text: 'b c', start: 2 },
      ],
      unterminated: true,
    });
  });

  it('refuses a quotation that does not end', () => {
    expect(() => completeWords('qom-get "vm0')).toThrow('the quotation mark is not closed');
    expect(() => completeWords('"\\')).toThrow('not closed');
  });
});
