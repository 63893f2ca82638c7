import { useEffect, useState } from 'preact/hooks';
import type { EventView } from '../report/network.ts';
import { read } from './connection.ts';
import type { Network } from './network.ts';
import { EventText, Time } from './parts.tsx';

/** What happened to one container or host since the daemon started, the newest first. */
export function HistoryTable({ network, subject }: { network: Network; subject: string }) {
  const [events, setEvents] = useState<readonly EventView[]>();
  // Read anew when something has happened to it.
  const latest = network.events.find((event) => event.subject === subject)?.number;
  useEffect(() => {
    let wanted = true;
    read(`/network/history/${subject}`)
      .then((history) => wanted && setEvents((history as EventView[]).toReversed()))
      .catch(() => {});
    return () => {
      wanted = false;
    };
  }, [subject, latest]);
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      {events?.length === 0 && <p class="quiet">Nothing since the daemon started.</p>}
      {events !== undefined && events.length > 0 && (
        <table aria-label="History" class="history">
          <thead>
            <tr>
              <th scope="col" class="time">
                Time
              </th>
              <th scope="col">What happened</th>
            </tr>
          </thead>
          <tbody>
            {events.map((event) => (
              <tr key={event.number}>
                <td>
                  <Time at={event.at} />
                </td>
                <td class="whole">
                  <EventText of={event} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
