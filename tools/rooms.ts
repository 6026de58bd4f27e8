/**
 * Which rooms may import which (docs/ARCHITECTURE.md). `values`: freely; `types`: types only, as of the ports that a
 * room implements or the views that it reads.
 */
export const ARROWS: Readonly<Record<string, Arrows>> = {
  base: { values: [], types: [] },
  protocol: { values: ["base"], types: [] },
  hub: { values: ["base", "protocol"], types: [] },
  auth: { values: ["base", "protocol"], types: [] },
  upstream: { values: ["base", "protocol"], types: [] },
  downstream: { values: ["base", "protocol", "hub", "auth"], types: [] },
  storage: { values: ["base"], types: ["protocol", "hub", "auth", "upstream", "ops"] },
  cluster: { values: ["base"], types: ["protocol", "hub"] },
  ops: { values: ["base"], types: ["protocol", "hub", "auth", "upstream", "downstream"] },
  config: { values: ["base", "protocol"], types: [] },
  app: {
    values: [
      "base",
      "protocol",
      "hub",
      "auth",
      "upstream",
      "downstream",
      "storage",
      "cluster",
      "ops",
      "config",
    ],
    types: [],
  },
  lab: {
    values: [
      "base",
      "protocol",
      "hub",
      "auth",
      "upstream",
      "downstream",
      "storage",
      "cluster",
      "ops",
      "config",
      "app",
    ],
    types: [],
  },
  cli: { values: ["base", "protocol", "config", "app", "lab"], types: ["auth", "ops"] },
};

interface Arrows {
  readonly values: readonly string[];
  readonly types: readonly string[];
}

/** The room of a path from the root; null outside `src/`. */
export function roomOf(path: string): string | null {
  const [top, room, file] = path.split("/");
  return top === "src" && room !== undefined && file !== undefined ? room : null;
}
