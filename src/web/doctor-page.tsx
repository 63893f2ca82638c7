import type { CheckView } from '../report/network.ts';
import type { PageInput } from './app.tsx';
import { CountedHeading, Time } from './parts.tsx';

const stateWords: Record<CheckView['state'], string> = {
  ok: 'ok',
  healed: 'repaired',
  failed: 'failed',
  skipped: 'skipped',
};

/** What the doctor says of this host: each check, and what it found. */
export function DoctorPage({ network, search }: PageInput) {
  const { checks, at } = network.doctor;
  const found = checks.filter(({ check, state, text }) =>
    search.text(`${check} ${stateWords[state]} ${text}`),
  );
  return (
    <>
      <CountedHeading title="Doctor" noun="check" found={found.length} all={checks.length} />
      <p class="quiet">
        What <code>weavets doctor</code> says of this host.{' '}
        {at === null ? (
          'The first round is under way.'
        ) : (
          <>
            Last round <Time at={at} />; there is one a minute while a page is open.
          </>
        )}
      </p>
      {found.length > 0 && (
        <table aria-label="Checks" class="history">
          <thead>
            <tr>
              <th scope="col" class="check">
                Check
              </th>
              <th scope="col" class="states">
                State
              </th>
              <th scope="col">What was found</th>
            </tr>
          </thead>
          <tbody>
            {found.map(({ check, state, text }) => (
              <tr key={check}>
                <td class="name">{check}</td>
                <td>
                  <span class={`state ${state}`}>{stateWords[state]}</span>
                </td>
                <td class="whole">{text}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
