import { ConfigError } from '../errors.ts';
import type { CpuRegisters } from '../machine/control.ts';
import { printable } from './text.ts';

/** Parentheses within parentheses. */
const DEPTH_LIMIT = 32;
const TOKEN = /\s*(0x[0-9a-f]+|\d+|'.'|\$[a-z0-9_.]+|[-+*/%&|^~()])/iy;

/** Operators from the loosest to the tightest: the bitwise ones bind tighter than sums. */
const LEVELS = [
  ['+', '-'],
  ['&', '|', '^'],
  ['*', '/', '%'],
] as const;

function refuse(text: string, why: string): never {
  throw new ConfigError('BAD_EXPRESSION', `${printable(text, 80)}: ${why}`);
}

function tokenize(text: string): readonly string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  let at = 0;
  while (text.slice(at).trim() !== '') {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[1];
    if (token === undefined) {
      refuse(text, `cannot make sense of '${printable(text.slice(at).trim(), 20)}'`);
    }
    tokens.push(token);
    at = TOKEN.lastIndex;
  }
  return tokens;
}

/** Whether an expression names registers. */
export function namesRegisters(text: string): boolean {
  return text.includes('$');
}

/** A 64-bit calculation, done as it is read. */
class Calculation {
  readonly #text: string;
  readonly #tokens: readonly string[];
  readonly #register: (name: string) => bigint;
  #at = 0;
  #depth = 0;

  constructor(text: string, register: (name: string) => bigint) {
    this.#text = text;
    this.#tokens = tokenize(text);
    this.#register = register;
  }

  run(): bigint {
    const value = this.#level(0);
    const extra = this.#tokens[this.#at];
    if (extra !== undefined) refuse(this.#text, `'${extra}' is one too many`);
    return BigInt.asUintN(64, value);
  }

  #level(level: number): bigint {
    const operators: readonly string[] | undefined = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let value = this.#level(level + 1);
    for (;;) {
      const operator = this.#tokens[this.#at];
      if (operator === undefined || !operators.includes(operator)) return value;
      this.#at += 1;
      value = BigInt.asIntN(64, this.#apply(operator, value, this.#level(level + 1)));
    }
  }

  #apply(operator: string, left: bigint, right: bigint): bigint {
    switch (operator) {
      case '+':
        return left + right;
      case '-':
        return left - right;
      case '&':
        return left & right;
      case '|':
        return left | right;
      case '^':
        return left ^ right;
      case '*':
        return left * right;
      default:
        if (right === 0n) refuse(this.#text, 'division by zero');
        return operator === '/' ? left / right : left % right;
    }
  }

  #unary(): bigint {
    const token = this.#tokens[this.#at];
    if (token === undefined) refuse(this.#text, 'a value is missing');
    this.#at += 1;
    if (token === '(' || token === '-' || token === '+' || token === '~') {
      this.#depth += 1;
      if (this.#depth > DEPTH_LIMIT) refuse(this.#text, 'nested too deeply');
      const value = this.#signed(token);
      this.#depth -= 1;
      return value;
    }
    return BigInt.asIntN(64, this.#leaf(token));
  }

  #signed(token: string): bigint {
    if (token === '~') return ~this.#unary();
    if (token === '-') return -this.#unary();
    if (token === '+') return this.#unary();
    const value = this.#level(0);
    if (this.#tokens[this.#at] !== ')') refuse(this.#text, ') is missing');
    this.#at += 1;
    return value;
  }

  #leaf(token: string): bigint {
    if (token.startsWith('$')) return this.#register(token.slice(1).toLowerCase());
    if (token.startsWith("'")) return BigInt(token.charCodeAt(1));
    if (!/^\d/.test(token)) refuse(this.#text, `'${token}' has no value in front of it`);
    const value = BigInt(/^0[0-7]+$/.test(token) ? `0o${token.slice(1)}` : token);
    if (value >= 1n << 64n) refuse(this.#text, `${printable(token, 30)} has more than 64 bits`);
    return value;
  }
}

/**
 * Calculates `$rsp + 8 * 2`: 64 bits, decimal, `0x`, octal (a leading 0), `'c'`, `$register`,
 * parentheses and `+ - * / % & | ^ ~`.
 *
 * @param register  the value of one by its name; throws for what there is not
 * @returns 64 bits, unsigned
 * @throws ConfigError saying what is wrong with it
 */
export function calculate(text: string, register: (name: string) => bigint): bigint {
  return new Calculation(text, register).run();
}

const ALIASES: Readonly<Record<string, string>> = {
  pc: 'rip',
  sp: 'rsp',
  fp: 'rbp',
  eflags: 'rflags',
};

/** Registers by name, in lower case. @throws ConfigError when there is no such */
export function registerNamed(registers: CpuRegisters, asked: string): bigint {
  const name = ALIASES[asked] ?? asked;
  const all = new Map<string, bigint>(Object.entries(registers.general));
  const { special } = registers;
  for (const control of ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'] as const) {
    all.set(control, special[control]);
  }
  for (const segment of ['cs', 'ds', 'es', 'fs', 'gs', 'ss'] as const) {
    all.set(segment, BigInt(special[segment].selector));
    all.set(`${segment}.base`, special[segment].base);
  }
  const whole = all.get(name) ?? all.get(name.replace(/^e(?=[a-z]{2}$)/, 'r'));
  if (whole === undefined) {
    throw new ConfigError('BAD_EXPRESSION', `there is no register $${printable(asked, 20)}`);
  }
  return all.has(name) ? whole : whole & 0xffff_ffffn;
}
