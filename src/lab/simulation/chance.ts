import { type Random, seededRandom } from "#base/random.ts";

/** Repeatable chance. Each part of a run has its own, so that leaving one part out changes nothing for the others. */
export class Chance {
  /** In [0, 1). */
  readonly random: Random;

  /** @param names which part of the run it is for */
  constructor(seed: number, ...names: readonly (string | number)[]) {
    this.random = seededRandom(hashOf(`${seed}/${names.join("/")}`));
  }

  between(min: number, max: number): number {
    return min + this.random() * (max - min);
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.random() * (max - min + 1));
  }

  happens(probability: number): boolean {
    return this.random() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.random() * items.length)] as Item;
  }

  /** So many of them, in their own order. */
  some<Item>(items: readonly Item[], count: number): Item[] {
    let left = Math.min(count, items.length);
    return items.filter((_, at) => {
      const taken = this.random() * (items.length - at) < left;
      if (taken) left--;
      return taken;
    });
  }
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
