import { useMemo } from 'preact/hooks';
import type { ContainerView, HostView, NameView } from '../report/network.ts';
import type { PageInput } from './app.tsx';
import type { Network } from './network.ts';
import { ContainerName, CountedHeading, HostName } from './parts.tsx';
import { type Column, Table } from './table.tsx';

interface Row extends NameView {
  host: HostView | undefined;
  /** absent: it is the host's own */
  container?: ContainerView;
}

/** All names that are answered for, and whose they are. */
export function NamesPage({ network, search }: PageInput) {
  const rows = useMemo(() => rowsOf(network), [network]);
  const owner = ({ container, host }: Row) => `${container?.name ?? ''} ${host?.nickname ?? ''}`;
  const found = search.all ? rows : rows.filter((row) => search.name(row, owner(row)));
  const columns: Column<Row>[] = [
    { title: 'Name', class: 'wide-name', sort: ({ name }) => name, cell: ({ name }) => <code>{name}</code> },
    { title: 'Address', class: 'address', sort: ({ address }) => address, cell: ({ address }) => address },
    {
      title: 'Whose',
      class: 'name',
      sort: ({ container }) => container?.name ?? '',
      cell: ({ container }, index) => (container ? <ContainerName of={container} row={index} /> : 'the host'),
    },
    {
      title: 'Host',
      class: 'rest',
      sort: ({ host }) => host?.nickname ?? '',
      cell: ({ host }) => <HostName of={host} name="" />,
    },
  ];
  return (
    <>
      <CountedHeading title="Names" noun="name" found={found.length} all={rows.length} />
      <Table
        label="Names"
        columns={columns}
        rows={found}
        keyOf={({ name, address, container }) => `${name} ${address} ${container?.id}`}
        sorted="Name"
        empty={network.about.domain === '' ? 'DNS is off.' : 'Nothing is called so.'}
      />
    </>
  );
}

function rowsOf({ hosts, hostOf, containers }: Network): Row[] {
  const alive = (name: string) => hostOf.get(name)?.alive ?? false;
  const rows = [
    ...hosts.flatMap((host) => host.names.map((name) => ({ ...name, host }))),
    // The names of a host whose daemon is gone are not answered for.
    ...containers
      .filter(({ host }) => alive(host))
      .flatMap((container) =>
        container.names.map((name) => ({ ...name, container, host: hostOf.get(container.host) })),
      ),
  ];
  return rows.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}
