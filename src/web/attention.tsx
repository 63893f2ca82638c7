import type { ContainerView } from '../report/network.ts';
import type { Network } from './network.ts';
import { ContainerName, count, HostName, Time } from './parts.tsx';

/** Containers with the same reason that are named; of more, how many there are. */
const named = 6;

/** What is wrong now, which ways are broken, and which containers are not attached, with the reason. */
export function Attention({ network }: { network: Network }) {
  const { conditions, hosts } = network;
  const broken = hosts.filter(({ alive, path }) => alive && path?.state === 'failed');
  const gone = hosts.filter(({ alive }) => !alive);
  const reasons = byReason(network.containers.filter(({ state, reason }) => state !== 'attached' && reason));
  const quiet = conditions.length + broken.length + gone.length + reasons.length === 0;
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
      </ul>
    </section>
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
