import type { CheckView, ContainerView, DoctorView } from '../report/network.ts';
import type { Network } from './network.ts';
import { ContainerName, count, HostName, Time } from './parts.tsx';

/** Containers with the same reason that are named; of more, how many there are. */
const named = 6;

/**
 * What is wrong now, by conditions and by the doctor, which ways are broken, which containers are not attached, with the
 * reason, and what has been repaired.
 */
export function Attention({ network }: { network: Network }) {
  const { conditions, hosts, healed } = network;
  const failed = failures(network);
  const broken = hosts.filter(({ alive, path }) => alive && path?.state === 'failed');
  const gone = hosts.filter(({ alive }) => !alive);
  const reasons = byReason(network.containers.filter(({ state, reason }) => state !== 'attached' && reason));
  const quiet = conditions.length + failed.length + broken.length + gone.length + reasons.length === 0;
  return (
    <section class="attention" aria-labelledby="attention">
      <h2 id="attention">{quiet ? 'All is well' : 'Worth a look'}</h2>
      {quiet && <p class="quiet">Nothing is wrong, and every running container is attached.</p>}
      <ul>
        {conditions.map(({ code, about, text, since }) => (
          <li key={`${code} ${about}`} class="warning">
            <p>{text}</p>
            <p class="quiet">
              {code} since <Time at={since} />
            </p>
          </li>
        ))}
        {failed.map(({ check, text }) => (
          <li key={`check ${check}`} class="error">
            <p>{text}</p>
            <p class="quiet">doctor: {check}</p>
          </li>
        ))}
        {broken.map((host) => (
          <li key={host.name} class="error">
            <p>
              <HostName of={host} name={host.name} />: {host.path?.text || 'no answer'}
            </p>
          </li>
        ))}
        {gone.map((host) => (
          <li key={host.name} class="warning">
            <p>
              <HostName of={host} name={host.name} />: its daemon does not run; its containers keep their
              addresses, and their names are not found
            </p>
          </li>
        ))}
        {reasons.map(([reason, containers]) => (
          <li
            key={reason}
            class={containers.some(({ state }) => state === 'stopped') ? 'reasons error' : 'reasons'}
          >
            <p>
              <Names of={containers} />
              <span class="quiet">
                {' '}
                {containers.some(({ state }) => state === 'unattached') ? 'not attached' : 'stopped'}
              </span>
            </p>
            <p>{reason}</p>
          </li>
        ))}
        {healed.map(({ code, about, text, since }) => (
          <li key={`healed ${code} ${about}`}>
            <p>{text}</p>
            <p class="quiet">
              {code} repaired <Time at={since} />
            </p>
          </li>
        ))}
      </ul>
      <DoctorLine doctor={network.doctor} />
    </section>
  );
}

/** Of what a condition tells, the doctor says nothing new; and it is told the sooner. */
function failures({ conditions, doctor }: Network): CheckView[] {
  const told = new Set(conditions.map(({ code }) => code));
  return doctor.checks.filter(({ state, code }) => state === 'failed' && !told.has(code ?? ''));
}

function DoctorLine({ doctor: { at, checks } }: { doctor: DoctorView }) {
  const failed = checks.filter(({ state }) => state === 'failed').length;
  const ran = checks.filter(({ state }) => state !== 'skipped').length;
  return (
    <p class="quiet doctor">
      <a href="#/doctor">Doctor</a>:{' '}
      {at === null ? (
        'checking this host …'
      ) : (
        <>
          {failed === 0 ? `${count(ran, 'check')} passed` : `${failed} of ${count(ran, 'check')} failed`},{' '}
          <Time at={at} />
        </>
      )}
    </p>
  );
}

function Names({ of }: { of: readonly ContainerView[] }) {
  return (
    <>
      {of.slice(0, named).map((container, index) => (
        <span key={container.id}>
          {index > 0 && ', '}
          <ContainerName of={container} />
        </span>
      ))}
      {of.length > named && ` and ${count(of.length - named, 'other')}`}
    </>
  );
}

function byReason(containers: readonly ContainerView[]): [reason: string, containers: ContainerView[]][] {
  const groups = new Map<string, ContainerView[]>();
  for (const container of containers) {
    groups.set(container.reason, [...(groups.get(container.reason) ?? []), container]);
  }
  return [...groups];
}
