/**
 * What an option or a key of one takes. On the command line everything is text; in a configuration
 * file values have types:
 *
 * - `text`; `path`, of a file; `where`, as `unix:PATH`
 * - `size`: bytes, or text as `500M`
 * - `count`: a whole number that is not negative
 * - `flag`: true or false, or `on` or `off` as on the command line
 * - `numbers`: a number, a range as `0-3`, or a list of them
 * - a list: one of these
 */
export type Scalar =
  | 'text'
  | 'path'
  | 'where'
  | 'size'
  | 'count'
  | 'flag'
  | 'numbers'
  | readonly string[];

export interface Key {
  readonly value: Scalar;
  /** For help and schema: what it means, and what it is where it is left out. */
  readonly help: string;
  /** How help writes the value, where the kind does not say. */
  readonly shown?: string;
}

export type Keys = Readonly<Record<string, Key>>;

/** Keys behind a type, as `ram,size=1G`. */
export interface KeyedType {
  readonly help: string;
  readonly keys: Keys;
  /** Keys that must be there. */
  readonly required: readonly string[];
}

/** An option of `run` and `plan`. In a configuration file it has the same name. */
export interface RunOption {
  /** Without dashes. */
  readonly name: string;
  /** As help shows it; absent: a switch. */
  readonly argument?: string;
  readonly help: string;
  /** On the command line, where neither it nor the file says. */
  readonly default?: string;
  readonly repeats?: true;
  /** What it may be, where it may be a single value. */
  readonly scalar?: Scalar;
  /** What it may be in a file, where keys are given to it. */
  readonly keys?: Keys;
  /** Likewise, where the keys depend on a type. */
  readonly types?: Readonly<Record<string, KeyedType>>;
  /** Whether two of them are one if their `id` is the same. A prefix makes ids up: `vm0`, `vm1`, … */
  readonly byId?: { readonly prefix?: string };
}
