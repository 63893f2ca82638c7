import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { follow, type Liveness } from './connection.ts';
import { ContainerPage } from './container-page.tsx';
import { DoctorPage } from './doctor-page.tsx';
import { EventsPage } from './events-page.tsx';
import { HostPage } from './host-page.tsx';
import { HostsPage } from './hosts-page.tsx';
import { NamesPage } from './names-page.tsx';
import type { Network } from './network.ts';
import { NetworkPage } from './network-page.tsx';
import { type Route, routeOf } from './route.ts';
import { type Search, searchFor } from './search.ts';

/** What every page is given. */
export interface PageInput {
  network: Network;
  search: Search;
}

const pages = [
  { page: 'network', title: 'Network', link: '#/' },
  { page: 'hosts', title: 'Hosts', link: '#/hosts' },
  { page: 'names', title: 'Names', link: '#/names' },
  { page: 'events', title: 'Events', link: '#/events' },
  { page: 'doctor', title: 'Doctor', link: '#/doctor' },
] as const;

const livenessWords: Record<Liveness, string> = {
  connecting: 'connecting',
  live: 'live',
  lost: 'not connected: the daemon does not answer',
};

export function App() {
  const [network, setNetwork] = useState<Network>();
  const [liveness, setLiveness] = useState<Liveness>('connecting');
  const [typed, setTyped] = useState('');
  const route = useRoute();
  const search = useMemo(() => searchFor(typed), [typed]);
  useEffect(() => follow({ network: setNetwork, liveness: setLiveness }), []);
  useEffect(() => {
    const self = network?.hostOf.get(network.about.self)?.nickname;
    document.title = self === undefined ? 'weavets' : `${self} – weavets`;
  }, [network?.about.self]);

  const type = (text: string) => {
    setTyped(text);
    // A search is for all there is, not for what one page shows.
    if (text !== '' && 'id' in route) location.hash = '#/';
  };
  const place = 'id' in route ? `${route.page}/${route.id}` : route.page;
  return (
    <>
      <button type="button" class="skip" onClick={toContent}>
        Skip to the content
      </button>
      <header class="top">
        <a class="brand" href="#/">
          <Mark /> weavets
        </a>
        <nav aria-label="Pages">
          {pages.map(({ page, title, link }) => (
            <a key={page} href={link} aria-current={page === route.page ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <SearchField typed={typed} type={type} />
        <p class={`liveness ${liveness}`} role="status">
          {livenessWords[liveness]}
        </p>
      </header>
      <main id="content" tabIndex={-1}>
        {network === undefined ? (
          <p class="quiet">Reading the network …</p>
        ) : (
          <Page key={place} route={route} network={network} search={search} />
        )}
      </main>
      {network && (
        <footer>
          weavets {network.about.version}
          {network.about.range && (
            <>
              {' · '}addresses <code>{network.about.range}</code>
            </>
          )}
          {network.about.domain && (
            <>
              {' · '}names <code>{network.about.domain}</code>
            </>
          )}
          {' · '}
          {network.about.encryption ? 'encrypted between hosts' : 'in clear between hosts'}
        </footer>
      )}
    </>
  );
}

function Page({ route, network, search }: { route: Route } & PageInput) {
  switch (route.page) {
    case 'container':
      return <ContainerPage network={network} id={route.id} />;
    case 'host':
      return <HostPage network={network} search={search} name={route.id} />;
    case 'hosts':
      return <HostsPage network={network} search={search} />;
    case 'names':
      return <NamesPage network={network} search={search} />;
    case 'events':
      return <EventsPage network={network} search={search} />;
    case 'doctor':
      return <DoctorPage network={network} search={search} />;
    default:
      return <NetworkPage network={network} search={search} />;
  }
}

function SearchField({ typed, type }: { typed: string; type: (text: string) => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const slash = (event: KeyboardEvent) => {
      const into = event.target instanceof HTMLInputElement;
      if (event.key !== '/' || into || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      field.current?.select();
    };
    document.addEventListener('keydown', slash);
    return () => document.removeEventListener('keydown', slash);
  }, []);
  return (
    <search>
      <input
        ref={field}
        type="search"
        value={typed}
        aria-label="Search names, addresses, ids, states"
        aria-keyshortcuts="/"
        placeholder="Name, address, id  ( / )"
        autocomplete="off"
        spellcheck={false}
        onInput={({ currentTarget }) => type(currentTarget.value)}
        onKeyDown={({ key }) => key === 'Escape' && type('')}
      />
    </search>
  );
}

/** Where one has gone to is where the keyboard and a screen reader go on, save at the beginning. */
function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  const begun = useRef(false);
  useEffect(() => {
    const go = () => setRoute(routeOf(location.hash));
    window.addEventListener('hashchange', go);
    return () => window.removeEventListener('hashchange', go);
  }, []);
  useEffect(() => {
    if (begun.current && !(document.activeElement instanceof HTMLInputElement)) {
      document.querySelector<HTMLElement>('h1')?.focus();
      window.scrollTo(0, 0);
    }
    begun.current = true;
  }, [route]);
  return route;
}

/** No link: the address's part after `#` says which page is shown. */
function toContent(): void {
  document.getElementById('content')?.focus();
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M5 1.5v3M5 7.5v7M11 1.5v7M11 11.5v3" />
      <path class="weft" d="M1.5 6h7M11.5 6h3M1.5 10h2M6.5 10h8" />
    </svg>
  );
}
