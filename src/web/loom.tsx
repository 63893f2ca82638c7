import { useMemo, useState } from 'preact/hooks';
import type { ContainerView, HostView } from '../report/network.ts';
import type { PageInput } from './app.tsx';
import { bare, carrierText, count, hostState, wayFigures } from './parts.tsx';
import { containerLink, hostLink } from './route.ts';
import { stateWords } from './search.ts';
import { dotPaths, type HostTile, isOpen, sizeOf, tilesOf } from './tiles.ts';

/**
 * The map: each host hangs on the thread that joins them, by a way that is drawn as it is. In a large network hosts
 * come first, with a dot for each container; the containers of one are named when one looks at it.
 */
export function Loom({ network, search }: PageInput) {
  const { self } = network.about;
  const [toggled, setToggled] = useState<ReadonlyMap<string, boolean>>(new Map());
  const tiles = useMemo(() => tilesOf(network, search), [network, search]);
  const shown = search.all ? tiles : tiles.filter(({ meant }) => meant);
  const openAtFirst = isOpen(network, search, tiles);
  return (
    <section aria-labelledby="map">
      <h2 id="map">Map</h2>
      {shown.length === 0 && <p class="quiet">No host is called so, or has what is.</p>}
      <ol class={`loom ${sizeOf(shown.length)}`}>
        {shown.map((tile) => {
          const { name } = tile.host;
          const open = toggled.get(name) ?? openAtFirst;
          const toggle = () => setToggled(new Map(toggled).set(name, !open));
          return <Tile key={name} tile={tile} isSelf={name === self} open={open} toggle={toggle} />;
        })}
      </ol>
    </section>
  );
}

interface TileInput {
  tile: HostTile;
  isSelf: boolean;
  open: boolean;
  toggle: () => void;
}

function Tile({ tile, isSelf, open, toggle }: TileInput) {
  const { host, containers, found } = tile;
  const state = hostState(host, isSelf);
  const id = `on-${host.name}`;
  const classes = ['tile', state, open && found.length > 12 && 'wide'];
  return (
    <li class={classes.filter(Boolean).join(' ')}>
      <p class="way">
        {wayOf(host, state)}
        {host.path && <span>{carrierText(host.path)}</span>}
      </p>
      <div class="box">
        <h3>
          <a href={hostLink(host.name)}>{host.nickname}</a>
        </h3>
        <p class="quiet">
          <code>{host.address}</code>
        </p>
        {containers.length > 0 ? (
          <button type="button" class="fold" aria-expanded={open} aria-controls={id} onClick={toggle}>
            {count(containers.length, 'container')}
          </button>
        ) : (
          <p class="quiet">no containers</p>
        )}
        {open ? <Chips id={id} containers={found} /> : <Dots containers={found} />}
      </div>
    </li>
  );
}

function wayOf(host: HostView, state: ReturnType<typeof hostState>): string {
  if (state === 'self') return 'this host';
  if (state === 'gone') return 'its daemon is gone';
  return host.path ? wayFigures(host.path) : 'not heard of yet';
}

/** Containers by name, each a way to its page. */
function Chips({ id, containers }: { id: string; containers: readonly ContainerView[] }) {
  return (
    <ul class="chips" id={id}>
      {containers.map((container) => (
        <li key={container.id}>
          <a
            class={`chip ${container.state}`}
            href={containerLink(container.id)}
            title={container.reason || container.names.map(({ name }) => name).join('\n')}
          >
            <b>{container.name || container.id.slice(0, 12)}</b>{' '}
            <span>{container.addresses.map(bare).join(' ') || stateWords[container.state]}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

/** A dot for each; who can't see them has been told how many there are. */
function Dots({ containers }: { containers: readonly ContainerView[] }) {
  const { paths, height, width } = useMemo(() => dotPaths(containers), [containers]);
  if (containers.length === 0) return null;
  return (
    <svg class="dots" viewBox={`0 0 ${width} ${height}`} width={width} height={height} aria-hidden="true">
      {paths.map(({ state, path }) => (
        <path key={state} class={state} d={path} />
      ))}
    </svg>
  );
}
