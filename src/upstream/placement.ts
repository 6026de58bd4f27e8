/** A link as placement sees it. */
export interface PlacedLink {
  readonly id: number;
  /** Keys that its request asks for. */
  readonly keys: number;
  /** Those of them that are still held: wanted, or lingering. */
  readonly held: number;
  /** False while it takes over keys, or gives them up. */
  readonly settled: boolean;
  /** `down`: it waits for its next attempt, or for none. */
  readonly state: "connecting" | "open" | "down";
  /** Whether it has a last event id: closed and opened again, it loses nothing. */
  readonly resumable: boolean;
}

export type PlacementChange =
  /** A new link for keys that have none. */
  | { readonly do: "open"; readonly keys: readonly string[] }
  /** The link is not open: its next attempt asks for these keys too. */
  | { readonly do: "join"; readonly link: number; readonly keys: readonly string[] }
  /** Nobody wants any of its keys. */
  | { readonly do: "close"; readonly link: number }
  /**
   * A new link for all held keys of these ones and for the given ones. It is opened before they are closed; or
   * after the first of them is, with `inPlace`, since there is no room for one link more.
   */
  | {
      readonly do: "replace";
      readonly links: readonly number[];
      readonly keys: readonly string[];
      readonly inPlace: boolean;
    };

export interface PlacementLimits {
  readonly keysPerLink: number;
  /** Of all links at any time, those that replace others included. One more, for a moment, is what a rotation may take. */
  readonly linksMax: number;
}

/**
 * Where keys go. Keys without a link get a new one, so that no other link is disturbed, while there is more than one
 * place left; the last place is kept for replacing links before they are closed, and used for new ones only when
 * every other link is full. In quiet times sparse links are merged into one, and a link that half of its keys have
 * left is replaced by a leaner one; one such change at a time. With no place left, they are merged only if the first
 * of them can be closed before and resumed by the new link; a leaner link would win nothing.
 *
 * Keys that find no place now find one when the links that connect, or are being replaced, have come to rest.
 */
export function planPlacement(
  links: readonly PlacedLink[],
  homeless: readonly string[],
  limits: PlacementLimits,
  quiet: boolean,
): PlacementChange[] {
  const { keysPerLink, linksMax } = limits;
  const changes: PlacementChange[] = [];
  const staying: PlacedLink[] = [];
  for (const link of links) {
    if (link.settled && link.held === 0) changes.push({ do: "close", link: link.id });
    else staying.push(link);
  }
  const room = (link: PlacedLink) => keysPerLink - link.held;
  const isSettled = staying.every((link) => link.settled);
  const hasRoom = staying.some((link) => room(link) > 0);

  let live = staying.length;
  let placed = 0;
  while (placed < homeless.length && (live < linksMax - 1 || (live < linksMax && !hasRoom))) {
    changes.push({ do: "open", keys: homeless.slice(placed, placed + keysPerLink) });
    placed += keysPerLink;
    live++;
  }
  if (placed < homeless.length) {
    if (!isSettled) return changes;
    const inPlace = live >= linksMax;
    const roomy = staying.filter((link) => room(link) > 0 && link.state !== "connecting");
    // An open link can be replaced before it is closed, so that nothing has to be resumed.
    const open = inPlace ? [] : roomy.filter((link) => link.state === "open");
    for (const link of byFit(open.length > 0 ? open : roomy, homeless.length - placed, room)) {
      const keys = homeless.slice(placed, placed + room(link));
      placed += keys.length;
      if (link.state === "down") changes.push({ do: "join", link: link.id, keys });
      else changes.push({ do: "replace", links: [link.id], keys, inPlace });
      if (placed >= homeless.length || (link.state === "open" && !inPlace)) break;
    }
    return changes;
  }
  if (quiet && changes.length === 0 && isSettled) {
    const inPlace = live >= linksMax;
    const sparse = sparseLinks(staying, keysPerLink, inPlace);
    if (sparse.length > 0) changes.push({ do: "replace", links: sparse, keys: [], inPlace });
  }
  return changes;
}

/** First the fullest link that takes them all, then the emptiest ones. */
function byFit(
  links: readonly PlacedLink[],
  wanted: number,
  room: (link: PlacedLink) => number,
): readonly PlacedLink[] {
  const byRoom = [...links].sort((a, b) => room(b) - room(a));
  const fitting = byRoom.findLast((link) => room(link) >= wanted);
  return fitting === undefined ? byRoom : [fitting];
}

function sparseLinks(links: readonly PlacedLink[], keysPerLink: number, inPlace: boolean): number[] {
  const byHeld = links.filter((link) => link.state === "open").sort((a, b) => a.held - b.held);
  const merged: PlacedLink[] = [];
  let held = 0;
  for (const link of byHeld) {
    if (held + link.held > keysPerLink) break;
    held += link.held;
    merged.push(link);
  }
  const first = inPlace ? merged.find((link) => link.resumable) : merged[0];
  if (merged.length > 1 && first !== undefined)
    return [first.id, ...merged.filter((link) => link !== first).map((link) => link.id)];
  if (inPlace) return [];
  const lean = byHeld.find((link) => link.keys > link.held && link.keys >= 2 * link.held);
  return lean === undefined ? [] : [lean.id];
}
