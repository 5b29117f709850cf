/** Keys of one option as written on the command line: `ram,id=m0,size=1G`. */
export interface Entry {
  /** The word in front of the keys, where the option has one. */
  readonly type?: string;
  readonly pairs: readonly (readonly [key: string, value: string])[];
}

export function entryText({ type, pairs }: Entry): string {
  const keys = pairs.map(([key, value]) => `${key}=${value}`);
  return (type === undefined ? keys : [type, ...keys]).join(',');
}

/** @returns undefined for what the option's own parser will refuse */
export function parseEntry(text: string, hasType: boolean): Entry | undefined {
  const parts = text.split(',');
  const type = hasType ? parts.shift() : undefined;
  const pairs = parts.map((part) => /^([^=]+)=(.*)$/s.exec(part));
  if (pairs.includes(null)) return undefined;
  const found = pairs.flatMap((match) =>
    match ? [[match[1] ?? '', match[2] ?? ''] as const] : [],
  );
  return type === undefined ? { pairs: found } : { type, pairs: found };
}

export function idOf({ pairs }: Entry): string | undefined {
  return pairs.find(([key]) => key === 'id')?.[1];
}

/** What the file says, changed by what a flag says of the same thing. Another type is another thing. */
export function overrideEntry(file: Entry, flag: Entry): Entry {
  if (file.type !== flag.type) return flag;
  const changed = new Set(flag.pairs.map(([key]) => key));
  const kept = file.pairs.filter(([key]) => !changed.has(key));
  return { ...file, pairs: [...kept, ...flag.pairs] };
}
