import type { HostView } from '../report/network.ts';
import type { PageInput } from './app.tsx';
import { CountedHeading, carrierText, HostName, hostState, millisecondsOf } from './parts.tsx';
import { type Column, Table } from './table.tsx';

const stateWords: Record<ReturnType<typeof hostState>, string> = {
  self: 'this host',
  established: 'reached',
  pending: 'not heard of yet',
  failed: 'no answer',
  gone: 'daemon is gone',
};

/** The hosts, and the ways to them. */
export function HostsPage({ network, search }: PageInput) {
  const { hosts, containersOn, about } = network;
  const found = search.all ? hosts : hosts.filter(search.host);
  const state = (host: HostView) => hostState(host, host.name === about.self);
  const has = ({ name }: HostView) => containersOn.get(name)?.length ?? 0;
  const columns: Column<HostView>[] = [
    {
      title: 'Host',
      class: 'name',
      sort: ({ nickname }) => nickname,
      cell: (host, index) => (
        <span data-row={index}>
          <HostName of={host} name={host.name} />
        </span>
      ),
    },
    { title: 'Reached by', class: 'address', sort: ({ address }) => address, cell: ({ address }) => address },
    {
      title: 'State',
      class: 'states',
      sort: (host) => stateWords[state(host)],
      cell: (host) => <span class={`state ${state(host)}`}>{stateWords[state(host)]}</span>,
    },
    { title: 'Round trip', class: 'figure', cell: ({ path }) => (path && millisecondsOf(path)) || '–' },
    { title: 'MTU', class: 'figure', cell: ({ path }) => path?.mtu ?? '–' },
    {
      title: 'Carried by',
      class: 'carrier',
      cell: ({ path }) => (path ? carrierText(path) : '–'),
    },
    { title: 'Containers', class: 'figure', sort: (host) => String(has(host)), cell: has },
    {
      title: 'Own addresses',
      class: 'rest address',
      cell: ({ addresses }) => addresses.join(' ') || '–',
    },
  ];
  return (
    <>
      <CountedHeading title="Hosts" noun="host" found={found.length} all={hosts.length} />
      <Table
        label="Hosts"
        columns={columns}
        rows={found}
        keyOf={({ name }) => name}
        empty="No host is called so."
      />
    </>
  );
}
