import { Gauge, type Registry } from 'prom-client';
import type { Beat, PathHealth } from '../model/path-health.ts';

/** Adds the figures of the ways to the other hosts, inside the network: a series for each host. */
export function followPaths(registry: Registry, paths: () => readonly PathHealth[]): void {
  const gauge = (
    name: string,
    { help, labels }: { help: string; labels: readonly string[] },
    series: (path: PathHealth) => [labels: Record<string, string>, value: number | undefined][],
  ) =>
    new Gauge({
      name,
      help,
      labelNames: ['peer', 'nickname', ...labels],
      registers: [registry],
      collect() {
        this.reset();
        for (const path of paths()) {
          const { peer, nickname } = path;
          for (const [own, value] of series(path))
            if (value !== undefined) this.set(Object.assign(own, { peer, nickname }), value);
        }
      },
    });
  const bySize = (name: string, help: string, figureOf: (beat: Beat) => number | undefined) =>
    gauge(name, { help, labels: ['size'] }, ({ small, full }) => [
      [{ size: 'small' }, figureOf(small)],
      [{ size: 'full' }, figureOf(full)],
    ]);
  bySize(
    'weavets_path_up',
    'Whether packets of this size come to a host; none: not known yet',
    ({ state }) => (state === 'unknown' ? undefined : Number(state === 'ok')),
  );
  bySize('weavets_path_loss_ratio', 'Part of the last 20 packets that was lost', ({ loss }) => loss);
  bySize('weavets_path_round_trip_seconds', 'Round trip of the last packet that was answered', (beat) =>
    beat.roundTripMs === undefined ? undefined : beat.roundTripMs / 1000,
  );
  gauge(
    'weavets_path_mtu_bytes',
    { help: 'Largest packet that passes, where full size does not', labels: [] },
    ({ mtu }) => [[{}, mtu]],
  );
  gauge(
    'weavets_path_underlay_up',
    { help: 'Whether the hosts hear each other outside the network', labels: [] },
    ({ underlay }) => [[{}, underlay === 'unknown' ? undefined : Number(underlay === 'up')]],
  );
}
