/** Prometheus's text format, as much of it as a soak needs. Pure. */
export class Metrics {
  readonly #lines: { readonly name: string; readonly labels: string; readonly value: number }[] = [];

  constructor(text: string) {
    for (const line of text.split("\n")) {
      const match = LINE.exec(line);
      if (match === null) continue;
      const [, name = "", labels = "", value = ""] = match;
      this.#lines.push({ name, labels, value: Number(value) });
    }
  }

  /** A metric's values added up, over its labels. 0 if there is none. */
  sum(name: string, label = ""): number {
    let sum = 0;
    for (const line of this.#lines) if (line.name === name && line.labels.includes(label)) sum += line.value;
    return sum;
  }

  /** A metric's values by one of its labels. */
  by(name: string, label: string): Record<string, number> {
    const values: Record<string, number> = {};
    for (const line of this.#lines) {
      if (line.name !== name) continue;
      const key = new RegExp(`${label}="([^"]*)"`).exec(line.labels)?.[1] ?? "";
      values[key] = (values[key] ?? 0) + line.value;
    }
    return values;
  }
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([-+\d.eE]+|NaN|[-+]Inf)$/;
