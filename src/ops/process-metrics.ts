import { collectDefaultMetrics, Registry } from "prom-client";

/**
 * Left out of prom-client's default metrics: both walk every open socket at each scrape, by deprecated interfaces, for
 * what `nodejs_active_resources` tells as well.
 */
const COSTLY = [
  "nodejs_active_handles",
  "nodejs_active_handles_total",
  "nodejs_active_requests",
  "nodejs_active_requests_total",
];

let registry: Registry | null = null;

/**
 * The process's own metrics, as prom-client names them: CPU, memory, file descriptors, event-loop lag, garbage
 * collection. One for the process and kept to its end, since they are about the process and their observers can't be
 * taken down again; made when first asked for.
 */
export function processRegistry(): Registry {
  if (registry === null) {
    registry = new Registry();
    collectDefaultMetrics({ register: registry });
    for (const name of COSTLY) registry.removeSingleMetric(name);
  }
  return registry;
}
