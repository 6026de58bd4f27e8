import type { Path } from "./fault.ts";
import { headerNameFault, nameFault } from "./strings.ts";

/** A key of the file that is chosen freely, and chosen badly. */
export interface NameFault {
  readonly path: Path;
  readonly expected: string;
}

/** What is wrong with the names of feeds, roles and headers, whatever stands behind them. Pure. */
export function nameFaults(root: unknown): NameFault[] {
  const feeds = mappingAt(root, "feeds");
  const roles = mappingAt(mappingAt(root, "auth"), "roles");
  return [
    ...faultsIn(["feeds"], feeds, nameFault),
    ...faultsIn(["auth", "roles"], roles, nameFault),
    ...Object.entries(feeds).flatMap(([name, feed]) =>
      headerFaults(["feeds", name, "headers"], mappingAt(feed, "headers")),
    ),
  ];
}

/** Header names are the same in any case (RFC 9110 section 5.1). */
function headerFaults(path: Path, headers: object): NameFault[] {
  const seen = new Set<string>();
  return faultsIn(path, headers, (name) => {
    const repeated = seen.has(name.toLowerCase());
    seen.add(name.toLowerCase());
    return repeated ? "each header once, in whatever case" : headerNameFault(name);
  });
}

function faultsIn(parent: Path, mapping: object, faultOf: (name: string) => string | null): NameFault[] {
  return Object.keys(mapping).flatMap((name) => {
    const expected = faultOf(name);
    return expected === null ? [] : [{ path: [...parent, name], expected }];
  });
}

function mappingAt(parent: unknown, key: string): object {
  const isMapping = typeof parent === "object" && parent !== null && Object.hasOwn(parent, key);
  const found = isMapping ? (parent as Record<string, unknown>)[key] : undefined;
  return typeof found === "object" && found !== null && !Array.isArray(found) ? found : {};
}
