import { test } from 'node:test';
import { compare } from '../differential/compare.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({ launch: [] });

test('every call answers through the proxy as it does directly', (t) => compare(host, t));
