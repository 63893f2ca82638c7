import { test } from 'node:test';
import { compare } from '../differential/compare.ts';
import { useHost } from '../support/use-host.ts';

const host = useHost({ launch: [] });

test('every call gets the same answer through the proxy as directly', (t) => compare(host, t));
