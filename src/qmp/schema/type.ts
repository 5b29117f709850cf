import type { JsonValue } from '../json/value.ts';

/*
 * Types of the wire, as values. The TypeScript type of each follows from it (TypeOf), and so do its
 * validation (validate.ts) and its description for clients (introspect.ts).
 */

export interface BuiltinType<Name extends BuiltinName = BuiltinName> {
  readonly kind: 'builtin';
  readonly name: Name;
}

export interface EnumType<Value extends string = string> {
  readonly kind: 'enum';
  readonly values: readonly Value[];
}

export interface ListType<Element extends WireType = WireType> {
  readonly kind: 'list';
  readonly element: Element;
}

export interface ObjectType<M extends Members = Members> {
  readonly kind: 'object';
  readonly members: M;
}

/** An object whose member `tag`, an enum of `base`, says which variant's members are there too. */
export interface UnionType<
  Tag extends string = string,
  Base extends Members = Members,
  V extends Variants = Variants,
> {
  readonly kind: 'union';
  readonly tag: Tag;
  readonly base: Base;
  readonly variants: V;
}

/** Types that JSON tells apart. No alternatives among them: they would be alternatives themselves. */
export type AlternativeType = BuiltinType | { readonly kind: 'list'; readonly element: WireType };

/** A value of one of several types. */
export interface AlternateType<T extends AlternativeType = AlternativeType> {
  readonly kind: 'alternate';
  readonly types: readonly T[];
}

export interface OptionalMember<T extends WireType = WireType> {
  readonly kind: 'optional';
  readonly type: T;
}

export type Members = Readonly<Record<string, WireType | OptionalMember>>;
export type Variants = Readonly<Record<string, ObjectType>>;

interface Builtins {
  str: string;
  /** A whole number that a double holds. */
  int: number;
  /** A whole number up to 2^64 - 1: an address or a register. */
  uint64: number | bigint;
  bool: boolean;
  any: JsonValue;
}
export type BuiltinName = keyof Builtins;

// Not the generics' defaults: a type of its own ends the recursion between them.
export type WireType =
  | BuiltinType
  | EnumType
  | { readonly kind: 'list'; readonly element: WireType }
  | { readonly kind: 'object'; readonly members: Members }
  | { readonly kind: 'alternate'; readonly types: readonly AlternativeType[] }
  | {
      readonly kind: 'union';
      readonly tag: string;
      readonly base: Members;
      readonly variants: Variants;
    };

type OptionalNames<M> = {
  [K in keyof M]: M[K] extends OptionalMember ? K : never;
}[keyof M];

type ObjectOf<M> = {
  readonly [K in Exclude<keyof M, OptionalNames<M>>]: TypeOf<M[K]>;
} & {
  readonly [K in OptionalNames<M>]?: M[K] extends OptionalMember<infer T> ? TypeOf<T> : never;
};

type UnionOf<Tag extends string, Base, V> = {
  [Case in keyof V]: ObjectOf<Omit<Base, Tag>> & Readonly<Record<Tag, Case>> & TypeOf<V[Case]>;
}[keyof V];

/** The TypeScript type of a value on the wire. */
export type TypeOf<T> =
  T extends BuiltinType<infer Name>
    ? Builtins[Name]
    : T extends EnumType<infer Value>
      ? Value
      : T extends { kind: 'list'; element: infer Element }
        ? readonly TypeOf<Element>[]
        : T extends { kind: 'object'; members: infer M }
          ? ObjectOf<M>
          : T extends UnionType<infer Tag, infer Base, infer V>
            ? UnionOf<Tag, Base, V>
            : T extends { kind: 'alternate'; types: readonly (infer Each)[] }
              ? TypeOf<Each>
              : never;

export const str: BuiltinType<'str'> = { kind: 'builtin', name: 'str' };
export const int: BuiltinType<'int'> = { kind: 'builtin', name: 'int' };
export const uint64: BuiltinType<'uint64'> = { kind: 'builtin', name: 'uint64' };
export const bool: BuiltinType<'bool'> = { kind: 'builtin', name: 'bool' };
export const any: BuiltinType<'any'> = { kind: 'builtin', name: 'any' };

export function oneOf<const Value extends string>(...values: readonly Value[]): EnumType<Value> {
  return { kind: 'enum', values };
}

export function listOf<Element extends WireType>(element: Element): ListType<Element> {
  return { kind: 'list', element };
}

export function object<const M extends Members>(members: M): ObjectType<M> {
  return { kind: 'object', members };
}

export function union<
  const Tag extends string,
  const Base extends Members,
  const V extends Variants,
>(tag: Tag, base: Base, variants: V): UnionType<Tag, Base, V> {
  return { kind: 'union', tag, base, variants };
}

export function alternate<const T extends readonly AlternativeType[]>(
  ...types: T
): AlternateType<T[number]> {
  return { kind: 'alternate', types };
}

export function optional<T extends WireType>(type: T): OptionalMember<T> {
  return { kind: 'optional', type };
}

/** No arguments, or nothing to return. */
export const NOTHING = object({});
