import type { ContainerView } from '../report/network.ts';
import type { Network } from './network.ts';
import { bare, ContainerName, HostName, State } from './parts.tsx';
import { stateWords } from './search.ts';
import { type Column, Table } from './table.tsx';

/** Containers, with what is asked of them most: address, names, and why one has none. */
export function ContainerTable({
  network,
  containers,
  withHost,
  empty,
}: {
  network: Network;
  containers: readonly ContainerView[];
  withHost: boolean;
  empty: string;
}) {
  const nickname = ({ host }: ContainerView) => network.hostOf.get(host)?.nickname ?? host;
  const names = (container: ContainerView) => [...new Set(container.names.map(({ name }) => name))];
  const columns: Column<ContainerView>[] = [
    {
      title: 'Container',
      class: 'name',
      sort: ({ name }) => name,
      cell: (row, index) => <ContainerName of={row} row={index} />,
    },
    {
      title: 'Address',
      class: 'address',
      sort: ({ addresses }) => addresses[0] ?? '~',
      cell: ({ addresses }) => addresses.map(bare).join(' ') || '–',
    },
    {
      title: 'State',
      class: 'states',
      sort: ({ state }) => stateWords[state],
      cell: ({ state }) => <State of={state} />,
    },
    ...(withHost
      ? [
          {
            title: 'Host',
            class: 'host',
            sort: nickname,
            cell: ({ host }: ContainerView) => <HostName of={network.hostOf.get(host)} name={host} />,
          },
        ]
      : []),
    {
      title: 'Names, or what is the matter',
      class: 'rest',
      cell: (row) =>
        row.reason ? (
          <span title={row.reason}>{row.reason}</span>
        ) : (
          <span class="quiet" title={names(row).join('\n')}>
            {names(row).join('  ')}
          </span>
        ),
    },
  ];
  return (
    <Table
      label="Containers"
      columns={columns}
      rows={containers}
      keyOf={({ id }) => id}
      sorted="Container"
      empty={empty}
    />
  );
}
