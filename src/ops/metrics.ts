import { type Metric, Registry } from "prom-client";
import { METRIC_GROUPS, METRIC_PREFIX, type MetricDefinition } from "./metric-definitions.ts";
import { type Scrape, takeScrape } from "./metric-readings.ts";
import { processRegistry } from "./process-metrics.ts";
import type { GatewayViews, HistogramView } from "./views.ts";

/**
 * One gateway's metrics in Prometheus's text format 0.0.4. They are read from the views when somebody asks; between
 * two scrapes nothing is counted, held or armed here.
 */
export class GatewayMetrics {
  readonly #views: GatewayViews;
  readonly #registry = new Registry();
  #scrape: Scrape | null = null;

  constructor(views: GatewayViews) {
    this.#views = views;
    processRegistry();
    for (const definition of METRIC_GROUPS.flatMap((group) => group.metrics)) {
      // prom-client's own metrics hold copies of the numbers; this one hands through the rooms'. A registry asks a
      // metric for its name and `get()` only, which its type does not say.
      this.#registry.registerMetric(new ViewMetric(definition, () => this.#held()) as unknown as Metric);
    }
  }

  /** The Content-Type of `render`'s answer. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics, the process's own included. */
  async render(): Promise<string> {
    // Every metric of the registry reads within this turn of the event loop, so all see one state.
    this.#scrape = takeScrape(this.#views);
    const rendering = this.#registry.metrics();
    this.#scrape = null;
    return `${await rendering}\n${await processRegistry().metrics()}`;
  }

  #held(): Scrape {
    return this.#scrape ?? takeScrape(this.#views);
  }
}

interface Sample {
  readonly metricName: string;
  readonly labels: Record<string, string>;
  readonly value: number;
}

class ViewMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly #definition: MetricDefinition;
  readonly #scrape: () => Scrape;

  constructor(definition: MetricDefinition, scrape: () => Scrape) {
    this.name = METRIC_PREFIX + definition.name;
    this.help = definition.meaning;
    this.type = definition.type;
    this.#definition = definition;
    this.#scrape = scrape;
  }

  async get(): Promise<object> {
    const values: Sample[] = [];
    for (const [labelValues, value] of this.#definition.read(this.#scrape())) {
      const labels: Record<string, string> = {};
      for (const [index, label] of this.#definition.labels.entries())
        labels[label] = labelValues[index] ?? "";
      if (typeof value === "number") values.push({ metricName: this.name, labels, value });
      else this.#expand(value, labels, values);
    }
    return { name: this.name, help: this.help, type: this.type, aggregator: "sum", values };
  }

  /** Nothing is held here that could be reset. */
  reset(): void {}

  #expand(histogram: HistogramView, labels: Record<string, string>, values: Sample[]): void {
    let cumulative = 0;
    for (const [index, bound] of histogram.bounds.entries()) {
      cumulative += histogram.counts[index] ?? 0;
      values.push({
        metricName: `${this.name}_bucket`,
        labels: { ...labels, le: String(bound) },
        value: cumulative,
      });
    }
    values.push({
      metricName: `${this.name}_bucket`,
      labels: { ...labels, le: "+Inf" },
      value: histogram.count,
    });
    values.push({ metricName: `${this.name}_sum`, labels, value: histogram.sum });
    values.push({ metricName: `${this.name}_count`, labels, value: histogram.count });
  }
}
