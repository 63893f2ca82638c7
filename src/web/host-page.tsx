import { useMemo } from 'preact/hooks';
import type { PageInput } from './app.tsx';
import { ContainerTable } from './container-table.tsx';
import { HistoryTable } from './history-table.tsx';
import { carrierText, hostState, wayFigures } from './parts.tsx';

/** One host: how it is reached, and what it has. */
export function HostPage({ network, search, name }: PageInput & { name: string }) {
  const host = network.hostOf.get(name);
  const all = network.containersOn.get(name) ?? [];
  const containers = useMemo(
    () => (search.all ? all : all.filter((each) => search.container(each, host))),
    [all, search, host],
  );
  if (host === undefined) return <h1 tabIndex={-1}>There is no host {name}</h1>;
  const isSelf = name === network.about.self;
  const state = hostState(host, isSelf);
  return (
    <>
      <p class="crumb">
        <a href="#/hosts">Hosts</a>
      </p>
      <h1 tabIndex={-1}>{host.nickname}</h1>
      {state === 'gone' && (
        <p class="callout">Its daemon does not run. Its containers go on; their names are not found.</p>
      )}
      {state === 'failed' && <p class="callout">{host.path?.text || 'It does not answer.'}</p>}
      <dl class="facts">
        <dt>Reached by</dt>
        <dd>
          <code>{host.address || '–'}</code>
        </dd>
        <dt>Way there</dt>
        <dd>
          {isSelf
            ? 'it is this host'
            : host.path
              ? `${wayFigures(host.path)} · ${carrierText(host.path)}`
              : '–'}
        </dd>
        <dt>Own addresses</dt>
        <dd>
          <code>{host.addresses.join(' ') || '–'}</code>
        </dd>
        {host.names.length > 0 && (
          <>
            <dt>Names</dt>
            <dd>
              {host.names.map((each) => (
                <div key={`${each.name} ${each.address}`}>
                  <code>
                    {each.name} {each.address}
                  </code>
                </div>
              ))}
            </dd>
          </>
        )}
        <dt>Called</dt>
        <dd>
          <code>{host.name}</code>
        </dd>
      </dl>
      <section aria-labelledby="containers">
        <h2 id="containers">Containers</h2>
        <ContainerTable network={network} containers={containers} withHost={false} empty="It has none." />
      </section>
      {!isSelf && <HistoryTable network={network} subject={name} />}
    </>
  );
}
