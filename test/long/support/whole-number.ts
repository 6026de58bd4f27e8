/** An option's value. @throws Error that says what it has to be */
export function wholeNumber<Name extends string>(values: Readonly<Record<Name, string>>, name: Name): number {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= 1 && value <= 1_000_000) return value;
  throw new Error(`--${name}: a whole number from 1 to 1,000,000, not ${values[name]}`);
}
