import type { ContainerView } from '../report/network.ts';
import { HistoryTable } from './history-table.tsx';
import type { Network } from './network.ts';
import { HostName, State } from './parts.tsx';

/** One container: its address, its names, why it is not attached, and what happened to it. */
export function ContainerPage({ network, id }: { network: Network; id: string }) {
  const container = network.containerOf.get(id) ?? network.containers.find((each) => each.id.startsWith(id));
  const last = network.events.find(({ subject }) => subject.startsWith(id));
  const full = container?.id ?? last?.subject;
  return (
    <>
      <p class="crumb">
        <a href="#/">Network</a>
      </p>
      {container ? (
        <Facts network={network} container={container} />
      ) : (
        <>
          <h1 tabIndex={-1}>{last?.name || id}</h1>
          <p class="callout">
            {full === undefined ? 'Nothing is known of such a container.' : 'This container is gone.'}
          </p>
        </>
      )}
      {full !== undefined && <HistoryTable network={network} subject={full} />}
    </>
  );
}

function Facts({ network, container }: { network: Network; container: ContainerView }) {
  const { id, name, host, state, addresses, mac, names, reason } = container;
  return (
    <>
      <h1 tabIndex={-1}>
        {name || id.slice(0, 12)} <State of={state} />
      </h1>
      {reason && (
        <p class="callout">
          <strong>{why[state]}</strong> {reason}
        </p>
      )}
      <dl class="facts">
        <dt>Address</dt>
        <dd class="large">
          {addresses.map((address) => (
            <code key={address}>{address}</code>
          ))}
          {addresses.length === 0 && 'none'}
        </dd>
        <dt>Names</dt>
        <dd>
          {[...new Set(names.map((each) => each.name))].map((each) => (
            <div key={each}>
              <code>{each}</code>
            </div>
          ))}
          {names.length === 0 && 'none'}
        </dd>
        <dt>Host</dt>
        <dd>
          <HostName of={network.hostOf.get(host)} name={host} />
        </dd>
        {mac && (
          <>
            <dt>MAC</dt>
            <dd>
              <code>{mac}</code>
            </dd>
          </>
        )}
        <dt>Id</dt>
        <dd>
          <code class="id">{id}</code>
        </dd>
      </dl>
    </>
  );
}

const why: Record<ContainerView['state'], string> = {
  attached: 'Attached, but:',
  unattached: 'Not attached:',
  stopped: 'Stopped:',
};
