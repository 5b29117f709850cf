/** The error classes of the protocol; almost everything is a GenericError. */
export type QmpErrorClass =
  | 'GenericError'
  | 'CommandNotFound'
  | 'DeviceNotFound'
  | 'DeviceNotActive'
  | 'KVMMissingCap';

/** A command that failed, as its client is told. */
export class QmpError extends Error {
  readonly class: QmpErrorClass;

  constructor(errorClass: QmpErrorClass, message: string) {
    super(message);
    this.class = errorClass;
  }
}

/** Characters of a client's own text that an error quotes. */
const QUOTED_LENGTH = 200;

/** A client's text in an error: cut off where it gets long. */
export function quoted(text: string): string {
  const cut = text.length > QUOTED_LENGTH ? `${text.slice(0, QUOTED_LENGTH)}…` : text;
  return `'${cut}'`;
}

export function genericError(message: string): QmpError {
  return new QmpError('GenericError', message);
}
