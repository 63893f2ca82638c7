import type { EventView } from '../report/network.ts';
import type { PageInput } from './app.tsx';
import { EventText, Subject, Time } from './parts.tsx';
import { type Column, Table } from './table.tsx';

/** What happened of late, the newest first. */
export function EventsPage({ network, search }: PageInput) {
  const { events, hostOf } = network;
  const found = search.all
    ? events
    : events.filter(({ name, text, subject }) => search.text(`${name} ${text} ${subject}`));
  const columns: Column<EventView>[] = [
    { title: 'Time', class: 'time', cell: ({ at }) => <Time at={at} /> },
    { title: 'What', class: 'name', cell: (event) => <Subject of={event} hosts={hostOf} /> },
    {
      title: 'What happened',
      class: 'rest',
      cell: (event) => (
        <span title={event.text}>
          <EventText of={event} />
        </span>
      ),
    },
  ];
  return (
    <>
      <h1 tabIndex={-1}>Events</h1>
      <Table
        label="Events"
        columns={columns}
        rows={found}
        keyOf={({ number }) => String(number)}
        empty={search.all ? 'Nothing yet since the daemon started.' : 'Nothing of the kind.'}
      />
    </>
  );
}
