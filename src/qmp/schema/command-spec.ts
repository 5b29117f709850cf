import type { Members, ObjectType, Variants, WireType } from './type.ts';

export interface CommandSpec {
  readonly args:
    | ObjectType
    | {
        readonly kind: 'union';
        readonly tag: string;
        readonly base: Members;
        readonly variants: Variants;
      };
  readonly returns: WireType;
  /** Whether it may overtake the commands before it: it never waits. */
  readonly oob?: true;
}

/** Part of the table of commands. */
export type CommandSpecs = Readonly<Record<string, CommandSpec>>;
