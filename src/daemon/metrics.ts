import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { version } from '../lib/version.ts';
import type { Connection, Report } from '../report/report.ts';
import { followPaths } from './path-metrics.ts';

/** The sources of the figures, read on demand. */
export interface MetricsDeps {
  report(): Report;
  /** number of attached containers */
  attachments(): number;
  /** number of names with an address */
  names(): number;
  /** packets to the name server that were dropped, as one address sent too many */
  droppedQueries(): number;
}

const states: readonly Connection['State'][] = ['established', 'pending', 'retrying', 'failed'];

/** The daemon's figures for Prometheus: Weave Net's names, our own, and the process's. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #attaching: Histogram;

  constructor() {
    this.#attaching = new Histogram({
      name: 'weavets_attach_duration_seconds',
      help: 'How long it took to attach a container',
      buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5],
      registers: [this.#registry],
    });
    // Its look at the event loop wakes the process this often (ms); the default would do so 100 times a second.
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 100 });
  }

  /** Adds the figures that are read from the daemon's parts. */
  follow({ report, attachments, names, droppedQueries }: MetricsDeps): void {
    const registers = [this.#registry];
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      });
    gauge('weave_ips', 'Addresses in use on this host', () => report().IPAM?.ActiveIPs ?? 0);
    gauge('weave_max_ips', 'Addresses of the range', () => report().IPAM?.RangeNumIPs ?? 0);
    gauge('weave_dns_entries', 'Names with an address, of all hosts', names);
    new Counter({
      name: 'weave_dns_dropped_total',
      help: 'Packets to the name server that were dropped, because one address sent too many',
      registers,
      collect() {
        this.reset();
        this.inc(droppedQueries());
      },
    });
    new Gauge({
      name: 'weave_connections',
      help: 'Links to other hosts',
      labelNames: ['state', 'type'],
      registers,
      collect() {
        this.reset();
        // A series that exists from the start can be watched before the first failure.
        for (const state of states) this.set({ state, type: 'vxlan' }, 0);
        for (const { State, Info } of report().Router.Connections ?? []) {
          this.inc({ state: State, type: Info.includes('wireguard') ? 'wireguard' : 'vxlan' });
        }
      },
    });
    followPaths(this.#registry, () => report().Paths);
    new Gauge({
      name: 'weave_conditions',
      help: 'What is wrong on this host now',
      labelNames: ['code'],
      registers,
      collect() {
        this.reset();
        for (const { Code } of report().Conditions) this.inc({ code: Code });
      },
    });
    gauge('weave_healed', 'What weavets has put right on this host within the last hour', () => {
      return report().Healed.length;
    });
    new Gauge({
      name: 'weavets_build_info',
      help: 'Always 1; the label tells the version',
      labelNames: ['version'],
      registers,
    }).set({ version }, 1);
    gauge('weavets_attachments', 'Attached containers', attachments);
  }

  get type(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** A container was attached in this many seconds. */
  attached(seconds: number): void {
    this.#attaching.observe(seconds);
  }
}
