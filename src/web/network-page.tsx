import { useMemo } from 'preact/hooks';
import type { PageInput } from './app.tsx';
import { Attention } from './attention.tsx';
import { ContainerTable } from './container-table.tsx';
import { Loom } from './loom.tsx';
import { count, EventText, Subject, Time } from './parts.tsx';
import { sizeOf } from './tiles.ts';

/** The first page: what needs a look, the map, what happened last, and all containers. */
export function NetworkPage({ network, search }: PageInput) {
  const { hosts, containers } = network;
  const found = useMemo(
    () =>
      search.all
        ? containers
        : containers.filter((each) => search.container(each, network.hostOf.get(each.host))),
    [network, search],
  );
  const attached = containers.filter(({ state }) => state === 'attached').length;
  const overview = (
    <div class={`columns ${sizeOf(hosts.length)}`}>
      <div>
        <Attention network={network} />
        <Loom network={network} search={search} />
      </div>
      <aside aria-labelledby="latest">
        <h2 id="latest">Latest</h2>
        <ol class="feed">
          {network.events.slice(0, 12).map((event) => (
            <li key={event.number}>
              <Time at={event.at} /> <Subject of={event} hosts={network.hostOf} /> <EventText of={event} />
            </li>
          ))}
        </ol>
        {network.events.length === 0 && <p class="quiet">Nothing yet since the daemon started.</p>}
      </aside>
    </div>
  );
  const table = (
    <section aria-labelledby="containers">
      <div class="head">
        <h2 id="containers">Containers</h2>
        <p class="quiet" role="status">
          {search.all
            ? ''
            : `${found.length.toLocaleString('en')} of ${count(containers.length, 'container')}`}
        </p>
      </div>
      <ContainerTable
        network={network}
        containers={found}
        withHost={hosts.length > 1}
        empty={search.all ? 'There are no containers yet.' : 'Nothing is called so.'}
      />
    </section>
  );
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>
          {count(hosts.length, 'host')}, {count(containers.length, 'container')}
        </h1>
        <p class="quiet">{attached === containers.length ? 'all attached' : `${attached} attached`}</p>
      </div>
      {search.all && overview}
      {table}
      {!search.all && <Loom network={network} search={search} />}
    </>
  );
}
