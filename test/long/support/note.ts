/** What the long tests publish: JSON that carries its number and the time of its sending, as long as is asked for. */
export interface Note {
  /** From 1, without a hole. */
  readonly number: number;
  /** `machineMs` of its sending. */
  readonly sentMs: number;
}

/** Milliseconds of the machine's monotonic clock, which all of its processes share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** @param bytes how long it is at least */
export function noteText({ number, sentMs }: Note, bytes = 0): string {
  const text = `{"n":${number},"t":${sentMs.toFixed(3)}`;
  const padding = bytes - text.length - 9;
  return padding > 0 ? `${text},"pad":"${"x".repeat(padding)}"}` : `${text}}`;
}

/** Reads the note that stands in a text from `start` on; by hand, since clients read hundreds of thousands of them. */
export function noteIn(text: string, start: number): Note {
  const number = text.indexOf('"n":', start);
  const sent = text.indexOf('"t":', number);
  if (number < 0 || sent < 0) throw new Error(`no note: ${text.slice(start, start + 80)}`);
  return {
    number: Number.parseInt(text.slice(number + 4, number + 20), 10),
    sentMs: numberAt(text, sent + 4),
  };
}

/** The note's number only. */
export function numberIn(text: string, start: number): number {
  const mark = text.indexOf('"n":', start);
  if (mark < 0) throw new Error(`no note: ${text.slice(start, start + 80)}`);
  let number = 0;
  for (let at = mark + 4; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) break;
    number = number * 10 + digit;
  }
  return number;
}

function numberAt(text: string, start: number): number {
  return Number.parseFloat(text.slice(start, start + 20));
}
